"""``taskgraph export``: tasks and all they were computed from, as one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, selection_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where
from taskgraph.errors import UsageError
from taskgraph.units import format_size

if TYPE_CHECKING:
    from taskgraph.ops.select import Selection


@click.command("export", cls=Command)
@jugfile_options("TASK...")
@selection_options(every=False)
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="The file to write; it must not exist.",
)
@json_option
def command(
    where: Where, *, tasks: tuple[str, ...], selection: Selection, output: Path, as_json: bool
) -> None:
    """Write tasks and all they need to one file.

    Each TASK is the beginning of a hash, or the name of a function with just one task.
    """
    from taskgraph.ops.select import Selection, find_task, select
    from taskgraph.ops.transfer import export_tasks

    chosen = selection != Selection(names=(), where=(), hashes=())
    if not tasks and not chosen:
        raise UsageError("What to export must be said: a TASK, or --name and the like; got none.")
    session = where.session()
    nodes = {find_task(session, text) for text in tasks}
    if chosen:
        nodes.update(select(session, selection))
    done = export_tasks(session, sorted(nodes), output)
    if as_json:
        write_json(done)
        return
    click.echo(
        f"{plural(done.results, 'result')} written to {done.path} ({format_size(done.bytes)})"
    )
    if done.missing:
        click.echo(f"{plural(len(done.missing), 'task')} below them had no result to take along")
