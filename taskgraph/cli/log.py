"""``taskgraph log``: what a task printed."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import write_json
from taskgraph.cli.trouble import note
from taskgraph.cli.where import Where


@click.command("log", cls=Command)
@jugfile_options("TASK")
@json_option
def command(where: Where, *, tasks: tuple[str, ...], as_json: bool) -> None:
    """Show what a task printed.

    Of a failed task its own output, otherwise the log of the worker that ran it, in which
    each line begins with the function's name.
    """
    from taskgraph.ops.log import log
    from taskgraph.ops.select import find_task

    session = where.session()
    said = log(session, find_task(session, tasks[0]))
    if as_json:
        write_json(said)
        return
    if not said.text:
        note(f"nothing is kept of what {said.name} {said.hash[:12]} printed")
    elif said.source != "failure":
        note(f"all that {said.source} printed")
    click.echo(said.text, nl=False)
