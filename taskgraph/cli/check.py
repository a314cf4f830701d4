"""``taskgraph check``: the exit status tells whether all is done."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import write_json
from taskgraph.cli.where import Where


@click.command("check", cls=Command)
@jugfile_options()
@json_option
def command(where: Where, *, as_json: bool) -> int:
    """Tell by the exit status whether all is done.

    Exit status: 0 when it is, 1 when a task failed, 3 when work is left.
    """
    from taskgraph.ops.check import check

    found = check(where.session(lean=True))
    if as_json:
        write_json(found, exit_code=found.exit_code)
    else:
        failed = f", {found.failed:,} failed" if found.failed else ""
        more = ", more behind a barrier" if found.stopped else ""
        click.echo(f"{found.done:,} of {found.total:,} tasks done{failed}{more}")
    return found.exit_code
