"""``taskgraph run``: one task, here and now."""

from __future__ import annotations

import reprlib

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import jugfile_options
from taskgraph.cli.where import Where
from taskgraph.units import format_duration


@click.command("run", cls=Command)
@jugfile_options("TASK")
@click.option("--pdb", is_flag=True, help="Stop in the debugger where the task raises.")
@click.option("--publish", is_flag=True, help="Keep the result in the store.")
def command(where: Where, *, tasks: tuple[str, ...], pdb: bool, publish: bool) -> None:
    """Run one task here, with its real inputs.

    In this process, so that debuggers and profilers work, and whether it has a result or
    not. TASK is the beginning of its hash, or its function's name when that has just one.
    """
    from taskgraph.ops.run import run
    from taskgraph.ops.select import find_task

    session = where.session()
    ran = run(session, find_task(session, tasks[0]), publish=publish, pdb=pdb)
    kept = "published" if ran.published else "not published"
    click.echo(f"{ran.name} {ran.hash[:12]}: {format_duration(ran.seconds)} "
               f"({format_duration(ran.cpu)} CPU), {kept}")  # fmt: skip
    click.echo(reprlib.repr(ran.value))
