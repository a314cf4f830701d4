"""``taskgraph failures``: what went wrong, grouped by exception."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, selection_options
from taskgraph.cli.text import paint, plural, write_json
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.ops.failures import FailedTask, FailureGroup
    from taskgraph.ops.select import Selection

#: So many tasks of a group are listed without --all.
LISTED = 5


@click.command("failures", cls=Command)
@jugfile_options()
@selection_options(every=False)
@click.option("--traceback", is_flag=True, help="With the traceback and what the task printed.")
@click.option("--all", "everything", is_flag=True, help="Every task, not only the first five.")
@json_option
def command(
    where: Where, *, selection: Selection, traceback: bool, everything: bool, as_json: bool
) -> None:
    """List what failed, grouped by exception."""
    from taskgraph.ops.failures import failures
    from taskgraph.ops.select import select

    session = where.session()
    found = failures(session, select(session, selection))
    if as_json:
        write_json(found, count=found.count)
    elif not found.count:
        click.echo("no failures")
    else:
        for group in found.groups:
            _show(group, traceback, everything)
        click.echo("`taskgraph retry` tries them again; changed code does so by itself")


def _show(group: FailureGroup, traceback: bool, everything: bool) -> None:
    names = ", ".join(group.functions)
    first = (group.message.splitlines() or [""])[0]
    head = f"{group.exception}: {plural(len(group.tasks), 'task')} of {names}: {first}"
    click.echo(paint(head, "failed"))
    shown = group.tasks if everything else group.tasks[:LISTED]
    for task in shown:
        click.echo(f"  {_line(task)}")
        if traceback:
            _quote(task.report.traceback)
            _quote(task.report.log, "what it printed:")
    if len(shown) < len(group.tasks):
        click.echo(f"  and {len(group.tasks) - len(shown)} more (--all)")


def _quote(text: str, title: str = "") -> None:
    if text.strip():
        click.echo(textwrap.indent(f"{title}\n{text.rstrip()}".lstrip("\n"), "    "))


def _line(task: FailedTask) -> str:
    again = "" if task.final else ", will be tried again"
    host = f" on {task.report.host}" if task.report.host else ""
    return f"{task.name} {task.hash[:12]}: {plural(task.attempts, 'attempt')}{host}{again}"
