"""``taskgraph rekey``: carries results over a renamed or moved function."""

from __future__ import annotations

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import dry_run_option, json_option, jugfile_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.trouble import note
from taskgraph.cli.where import Where
from taskgraph.errors import UsageError


@click.command("rekey", cls=Command)
@jugfile_options("TASK...", hint="OLD NEW")
@dry_run_option
@json_option
def command(where: Where, *, tasks: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Carry results over a renamed function.

    OLD and NEW are the function's full names before and now, such as analysis.segment; the
    jugfile uses the new one. Results of all that depends on it come along, and so does what
    `stale --accept` said. Exit status 1 when the old key of a task can't be worked out.
    """  # fmt: skip
    from taskgraph.ops.rekey import rekey

    if len(tasks) != 2:
        raise UsageError(
            "rekey takes the old and the new full name of a function: taskgraph rekey [JUGFILE] "
            f"OLD NEW; got {' '.join(tasks) or 'none'}."
        )
    done = rekey(where.session(), *tasks, dry_run=dry_run)
    if as_json:
        write_json(done)
    else:
        verb = "would be carried over" if dry_run else "carried over"
        click.echo(f"{plural(done.copied, 'result')} {verb}, {done.already:,} were there already, "
                   f"{done.missing:,} tasks had none under the old name")  # fmt: skip
        if done.copied and not dry_run:
            note("what has changed in more than this name is shown as stale by `status`; "
                 "`taskgraph stale --accept` keeps it")  # fmt: skip
        for name in done.refused:
            click.echo(f"refused: the key of {name[:12]} can't be worked out again")
    return 1 if done.refused else 0
