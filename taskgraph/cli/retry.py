"""``taskgraph retry``: forgets failures, so that the tasks are tried again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, selection_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.ops.select import Selection


@click.command("retry", cls=Command)
@jugfile_options()
@selection_options(every=False)
@json_option
def command(where: Where, *, selection: Selection, as_json: bool) -> None:
    """Try failed tasks again.

    All of them unless some are chosen. Running workers start with them at once.
    """
    from taskgraph.ops.invalidate import retry
    from taskgraph.ops.select import select

    session = where.session()
    number = retry(session, select(session, selection))
    if as_json:
        write_json({"tasks": number})
    else:
        click.echo(f"{plural(number, 'failed task')} will be tried again")
