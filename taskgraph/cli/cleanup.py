"""``taskgraph cleanup``: removes the results that the jugfile no longer makes."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import dry_run_option, json_option, jugfile_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where
from taskgraph.units import format_size


@click.command("cleanup", cls=Command)
@jugfile_options()
@click.option(
    "--everything", is_flag=True, help="Also results that other jugfiles have put into this store."
)
@click.option("--keep-locks", is_flag=True, help="As in jug; here locks are never touched.")
@dry_run_option
@json_option
def command(
    where: Where, *, everything: bool, keep_locks: bool, dry_run: bool, as_json: bool
) -> None:
    """Remove results that the jugfile no longer makes.

    Only those made for this jugfile, and never a lock: running workers lose nothing. Give the
    same arguments behind -- as to execute, since they decide which tasks there are.
    """  # fmt: skip
    from taskgraph.ops.cleanup import cleanup

    gone = cleanup(where.session(), everything=everything, dry_run=dry_run)
    if as_json:
        write_json(gone)
        return
    for name, number in gone.functions:
        click.echo(f"  {name}: {plural(number, 'result')}")
    verb = "would be removed" if dry_run else "removed"
    others = f"; {gone.others:,} of other jugfiles stay" if gone.others else ""
    click.echo(f"{plural(gone.results, 'result')} ({format_size(gone.bytes)}) {verb}{others}")
