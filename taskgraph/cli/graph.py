"""``taskgraph graph``: a picture of the graph."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import jugfile_options, selection_options
from taskgraph.cli.where import Where
from taskgraph.errors import UsageError

if TYPE_CHECKING:
    from taskgraph.ops.select import Selection


@click.command("graph", cls=Command)
@jugfile_options()
@selection_options(every=False)
@click.option(
    "--format",
    "--file-format",
    "form",
    type=click.Choice(["dot", "mermaid", "svg", "png"]),
    help="Text for dot or mermaid, or a drawing, which needs the program `dot` (default: by "
    "the ending of --output, else dot).",
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
    where: Where, *, selection: Selection, form: str | None, per_task: bool, output: Path | None
) -> None:
    """Draw the graph, coloured by state."""
    from taskgraph.ops.graph import graph
    from taskgraph.ops.select import select

    form = form or _form_of(output)
    if output is None and form in ("svg", "png"):
        output = Path(where.jugfile.stem + "." + form)
    session = where.session()
    nodes = select(session, selection)
    picture = graph(session, form, per_task=per_task, path=output, nodes=nodes)
    if picture.path is not None:
        click.echo(f"written to {picture.path}")
    else:
        click.echo(picture.text, nl=False)


def _form_of(output: Path | None) -> str:
    """Return what a file of this name is expected to hold."""
    ending = output.suffix.lower() if output is not None else ".dot"
    if ending in (".pdf", ".jpg", ".jpeg", ".gif"):
        raise UsageError(f"A drawing is written as svg or png; got --output {output}.")
    return {".svg": "svg", ".png": "png", ".mmd": "mermaid"}.get(ending, "dot")
