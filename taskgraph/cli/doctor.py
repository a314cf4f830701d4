"""``taskgraph doctor``: looks for trouble with the store and where it stands."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import paint, plural, write_json
from taskgraph.cli.where import Where

#: The state whose colour a level has.
_COLOURS = {"error": "failed", "warning": "failed", "ok": "done"}


@click.command("doctor", cls=Command)
@jugfile_options()
@json_option
def command(where: Where, *, as_json: bool) -> int:
    """Look for trouble with the store and where it stands.

    A line per check, with what to do below it where something is amiss: this Python, the
    store's settings and permissions, room, mounts, clocks, its server. The jugfile is not
    read, and nothing is changed. Exit status: 0 when all is well or worth a note at most, 1
    with a warning or an error, 4 when the store can't be opened.
    """
    from taskgraph.ops.doctor import doctor

    report = doctor(where.open_store)
    if as_json:
        found = [finding._asdict() for finding in report.findings]
        write_json(
            {"store": report.store, "findings": found, "opened": report.opened},
            exit_code=report.exit_code,
        )
        return report.exit_code
    wide = max(len(finding.check) for finding in report.findings)
    for check, level, saw, remedy in report.findings:
        click.echo(f"{paint(f'{level:<7}', _COLOURS.get(level, ''))}  {check:<{wide}}  {saw}")
        if remedy:
            click.echo(f"{'':{9 + wide}}  -> {remedy}")
    bad = sum(finding.level in ("warning", "error") for finding in report.findings)
    click.echo(f"{plural(bad, 'check')} with a warning or an error" if bad else "all is well")
    return report.exit_code
