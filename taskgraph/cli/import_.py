"""``taskgraph import``: takes in what ``export`` wrote."""

from __future__ import annotations

from pathlib import Path

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where
from taskgraph.units import format_size


@click.command("import", cls=Command)
@jugfile_options()
@click.option(
    "--from",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file that `export` wrote.",
)
@json_option
def command(where: Where, *, source: Path, as_json: bool) -> None:
    """Take in what `export` wrote.

    The file is verified as a whole first. Results that are there already stay. What
    `stale --accept` said where they come from holds here too.
    """
    from taskgraph.ops.transfer import import_tasks

    done = import_tasks(where.session(create=True), source)
    if as_json:
        write_json(done)
        return
    click.echo(f"{plural(done.new, 'result')} taken in ({format_size(done.bytes)}), "
               f"{done.already:,} were there already")  # fmt: skip
