"""``taskgraph fsck``: verifies every checksum and cross reference of a store."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import dry_run_option, json_option, jugfile_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where


@click.command("fsck", cls=Command)
@jugfile_options()
@click.option(
    "--no-jugfile",
    is_flag=True,
    help="Do not read the jugfile: findings have hashes, but no names.",
)
@dry_run_option
@json_option
def command(where: Where, *, no_jugfile: bool, dry_run: bool, as_json: bool) -> int:
    """Verify every checksum and cross reference.

    What is broken is put aside, so that it is computed again. Exit status: 0 when all is
    well, 1 when something was found.
    """
    from taskgraph.ops.fsck import fsck

    report = fsck(where.unread() if no_jugfile else where.session(), fix=not dry_run)
    if as_json:
        write_json(report, recompute=report.recompute, exit_code=report.exit_code)
        return report.exit_code
    for finding in report.findings:
        fixed = ", put aside" if finding.fixed else ""
        task = f" ({finding.name or 'task'} {finding.hash[:12]})" if finding.hash else ""
        click.echo(f"{finding.what}: {finding.where}{task}{fixed}")
    if report.recompute:
        click.echo(f"to compute again: {plural(len(report.recompute), 'task')} (taskgraph execute)")
    if not report.findings:
        click.echo("all is well")
    return report.exit_code
