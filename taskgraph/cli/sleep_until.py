"""``taskgraph sleep-until``: waits for the end of a run."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, setting
from taskgraph.cli.text import write_json
from taskgraph.cli.where import Where


@click.command("sleep-until", cls=Command)
@jugfile_options()
@click.option(
    "--quick",
    is_flag=True,
    **setting("quick"),
    help="Go by the graph as the last execute saw it; the jugfile is not read.",
)
@click.option("--timeout", metavar="TIME", help="Give up after so long, such as 2h.")
@json_option
def command(where: Where, *, quick: bool, timeout: str | None, as_json: bool) -> int:
    """Wait until all is done, or can't be.

    Exit status: 0 when all is done, 1 when it can't be because of failures, 3 when the time
    ran out.
    """  # fmt: skip
    from taskgraph.ops.sleep_until import sleep_until
    from taskgraph.units import parse_duration

    where.prepare()
    seconds = None if timeout is None else parse_duration(timeout)
    slept = sleep_until(where.jugfile, where.store, where.argv, quick=quick, timeout=seconds)
    if as_json:
        write_json(slept, exit_code=slept.exit_code)
    else:
        end = {"time": "the time is over", "failed": "it can't finish"}.get(slept.reason, "the end")
        failed = f", {slept.failed:,} failed" if slept.failed else ""
        click.echo(f"{end}: {slept.done:,} of {slept.total:,} tasks done{failed}")
    return slept.exit_code
