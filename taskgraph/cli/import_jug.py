"""``taskgraph import-jug``: takes over the results of a jug directory."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import write_json
from taskgraph.cli.where import Where


@click.command("import-jug", cls=Command)
@jugfile_options()
@click.option(
    "--from",
    "jugdir",
    type=click.Path(path_type=Path),
    metavar="JUGDIR",
    help="The directory of jug's file store (default: JUGFILE's name with the ending "
    ".jugdata, as jug has it).",
)
@click.option(
    "--accept-empty",
    is_flag=True,
    help="Take empty files for None where the function might return something else.",
)
@json_option
def command(where: Where, *, jugdir: Path | None, accept_empty: bool, as_json: bool) -> int:
    """Take over the results of a jug directory.

    jug's directory is only read. Exit status 1 when results were refused; each is listed with
    the reason.
    """
    from taskgraph.compat.import_jug import import_jug

    session = where.session(create=True)
    source = jugdir or where.jugfile.with_suffix(".jugdata")
    progress = _progress if sys.stderr.isatty() else None
    report = import_jug(session, source, progress, accept_empty=accept_empty)
    if as_json:
        write_json(report)
    else:
        click.echo("\n".join(report.lines()))
    return 1 if report.refused else 0


def _progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    click.echo(f"\r{done:,} of {total:,} tasks{end}", nl=False, err=True)
