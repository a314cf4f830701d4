"""``taskgraph migrate``: copies a store to another place or backend."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import VERBOSE, Command
from taskgraph.cli.options import json_option
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.trouble import note
from taskgraph.errors import UsageError
from taskgraph.units import format_size

if TYPE_CHECKING:
    from taskgraph.ops.migrate import Migrated


@click.command("migrate", cls=Command)
@click.argument("source", metavar="SRC")
@click.argument("target", metavar="DST")
@click.option(
    "--live",
    is_flag=True,
    help="Copy although workers are alive in SRC; run it again when they have ended, for what "
    "they publish meanwhile.",
)
@json_option
# No setting of a jugfile's folder counts here, so the option that all others share does not fit.
@click.option("-v", "--verbose", count=True, help="Show tracebacks.")
def command(*, source: str, target: str, live: bool, as_json: bool, verbose: int) -> int:
    """Copy a store to another place or backend.

    SRC and DST are paths or URLs; DST is new, or was begun by the same command, which then
    copies what is missing. What was invalidated stays so. All that is copied is read back and
    compared. SRC stays as it is. Exit status 1 when something could not be copied.
    """
    from taskgraph.ops.migrate import migrate, refuse_live
    from taskgraph.registry import open_store, scheme_of

    ctx = click.get_current_context()
    ctx.meta[VERBOSE] = verbose
    if scheme_of(target) == "memory":
        raise UsageError(
            "A copy in memory ends with this command: name a path or a URL that stays; "
            f"got {target}."
        )
    old = open_store(source)
    ctx.call_on_close(old.close)
    if not live:
        refuse_live(old)  # before DST is made
    new = open_store(target, create=True)
    ctx.call_on_close(new.close)
    try:
        done = migrate(old, new, live=live, progress=_progress if sys.stderr.isatty() else None)
    except KeyboardInterrupt:
        note("what was copied so far can be used; the same command goes on with the rest")
        raise
    if as_json:
        write_json(done, exit_code=done.exit_code)
    else:
        _tell(done)
    return done.exit_code


def _tell(done: Migrated) -> None:
    click.echo(
        f"{plural(done.results, 'result')} copied to {done.target} ({format_size(done.bytes)}), "
        f"{done.already:,} were there already"
    )
    click.echo(
        f"{plural(done.tombstones, 'invalidate')}, {plural(done.failures, 'failure')} and "
        f"{plural(done.documents, 'document')} copied; {plural(done.verified, 'result')} compared"
    )
    if done.own:
        click.echo(f"{plural(done.own, 'result')} computed in {done.target} since: they stay")
    for name in done.damaged:
        click.echo(f"damaged in {done.source}: {name[:12]} (compute it again)")
    for name in done.too_large:
        click.echo(f"too large for {done.target}: {name[:12]} (redis+file: keeps large results)")
    for name in done.wrong:
        click.echo(f"not as it was written: {name} (check {done.target} with `taskgraph fsck`)")


def _progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    click.echo(f"\r{done:,} of {total:,} results{end}", nl=False, err=True)
