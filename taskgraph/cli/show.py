"""``taskgraph show``: one task with arguments, neighbours, provenance and result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import paint, plural, write_json
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.ops.show import Shown

#: So many dependencies are listed without --all.
LISTED = 20


@click.command("show", cls=Command)
@jugfile_options("TASK")
@click.option("--all", "everything", is_flag=True, help="Every dependency, not the first 20.")
@json_option
def command(where: Where, *, tasks: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Show all that is known of one task.

    TASK is the beginning of its hash, or its function's name when that has just one task.
    """
    from taskgraph.ops.select import find_task
    from taskgraph.ops.show import show

    session = where.session()
    shown = show(session, find_task(session, tasks[0]))
    if as_json:
        write_json(shown)
        return
    stale = ", stale" if shown.stale else ""
    click.echo(f"{shown.name} {shown.hash}")
    click.echo(f"state: {paint(shown.state, shown.state)}{stale}")
    for line in _body(shown, everything):
        click.echo(line)


def _body(shown: Shown, everything: bool) -> Iterator[str]:
    if shown.preview:
        yield f"result: {shown.preview}"
    yield from _section("arguments", shown.arguments)
    near = shown.dependencies if everything else shown.dependencies[:LISTED]
    if near:
        yield f"depends on {plural(len(shown.dependencies), 'task')}:"
        yield from (f"  {one.name} {one.hash[:12]}  {one.state}" for one in near)
    if len(near) < len(shown.dependencies):
        yield f"  and {len(shown.dependencies) - len(near)} more (--all)"
    yield f"{plural(shown.dependents, 'task')} depend{'s' * (shown.dependents == 1)} on it"
    yield from _section("options", shown.options)
    yield from _section("how it was made", shown.provenance)
    if shown.failure is not None:
        report = shown.failure.report
        yield f"failed after {plural(shown.failure.attempts, 'attempt')}:"
        yield from ("  " + line for line in (report.traceback or report.message).splitlines())


def _section(title: str, pairs: tuple[tuple[str, str], ...]) -> Iterator[str]:
    if pairs:
        yield f"{title}:"
        size = max(len(name) for name, _ in pairs)
        yield from (f"  {name.ljust(size)}  {text}" for name, text in pairs)
