"""``taskgraph graph``: a picture of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import jugfile_options, selection_options
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.ops.select import Selection


@click.command("graph", cls=Command)
@jugfile_options()
@selection_options(every=False)
@click.option(
    "--format",
    "--file-format",
    "form",
    default="dot",
    show_default=True,
    type=click.Choice(["dot", "mermaid", "svg", "png"]),
    help="Text for dot or mermaid, or a drawing (needs the program `dot`).",
)
@click.option("--per-task", is_flag=True, help="A box for each task instead of each function.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file to write (default: text to standard output, drawings to JUGFILE's "
    "name with the ending .svg or .png).",
)
def command(
    where: Where, *, selection: Selection, form: str, per_task: bool, output: Path | None
) -> None:
    """Draw the graph, coloured by state."""
    from taskgraph.ops.graph import graph
    from taskgraph.ops.select import select

    if output is None and form in ("svg", "png"):
        output = Path(where.jugfile.stem + "." + form)
    session = where.session()
    nodes = select(session, selection)
    picture = graph(session, form, per_task=per_task, path=output, nodes=nodes)
    if picture.path is not None:
        click.echo(f"written to {picture.path}")
    else:
        click.echo(picture.text, nl=False)
