"""``taskgraph stale``: results whose code has changed since they were made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, selection_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.ops.select import Selection


@click.command("stale", cls=Command)
@jugfile_options()
@selection_options(every=False)
@click.option(
    "--accept",
    is_flag=True,
    help="The change does not matter: count them as made by the present code.",
)
@json_option
def command(where: Where, *, selection: Selection, accept: bool, as_json: bool) -> None:
    """List results whose code has changed since.

    They stay as they are: `taskgraph invalidate --stale` recomputes them, --accept keeps them.
    """  # fmt: skip
    from taskgraph.ops.select import select
    from taskgraph.ops.stale import stale

    session = where.session()
    found = stale(session, select(session, selection), accept=accept)
    if as_json:
        write_json(found, results=found.results)
        return
    if not found.functions:
        click.echo("nothing is stale")
    for function in found.functions:
        kept = ", kept as they are" if accept else ""
        click.echo(f"{function.name}: {plural(function.results, 'stale result')}{kept}")
        for reason in function.reasons:
            click.echo(f"  {reason}")
