"""``taskgraph count``: how many tasks a jugfile makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, selection_options
from taskgraph.cli.text import table, width, write_json
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.ops.select import Selection


@click.command("count", cls=Command)
@jugfile_options()
@selection_options(every=False)
@json_option
def command(where: Where, *, selection: Selection, as_json: bool) -> None:
    """Count the tasks of each function."""
    from taskgraph.ops.count import count
    from taskgraph.ops.select import select

    session = where.session()
    found = count(session, select(session, selection))
    if as_json:
        write_json(found, total=found.total)
        return
    rows = [[name, f"{number:,}"] for name, number in found.functions]
    rows.append(["total", f"{found.total:,}"])
    click.echo(table(["function", "tasks"], rows, room=width()))
