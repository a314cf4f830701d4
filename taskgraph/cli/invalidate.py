"""``taskgraph invalidate``: shows what will go, asks, and writes one tombstone."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import dry_run_option, json_option, jugfile_options, selection_options
from taskgraph.cli.text import plural, table, width, write_json
from taskgraph.cli.trouble import Declined
from taskgraph.cli.where import Where
from taskgraph.errors import UsageError
from taskgraph.units import format_duration, format_size

if TYPE_CHECKING:
    from taskgraph.ops.invalidate import Plan
    from taskgraph.ops.select import Selection
    from taskgraph.session import Session


@click.command("invalidate", cls=Command)
@jugfile_options()
@selection_options()
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@dry_run_option
@json_option
def command(
    where: Where, *, selection: Selection, yes: bool, dry_run: bool, as_json: bool
) -> int | None:
    """Remove results and all computed from them.

    There is no undo. It shows what will go, and asks on a terminal; elsewhere it needs --yes.
    """  # fmt: skip
    from taskgraph.ops.invalidate import invalidate, plan
    from taskgraph.ops.select import Selection, select

    if selection == Selection(names=(), where=(), hashes=()):
        raise UsageError(
            "What is to go must be said: --name, --pattern, --where, --hash, --failed, --stale or "
            "--older-than (--name '*' is everything); got none of them."
        )
    session = where.session()
    nodes = select(session, selection)
    what = plan(session, nodes)
    if not as_json:
        _show(what)
    if dry_run or not what.roots:
        if as_json:
            write_json(_facts(session, what, dry_run=dry_run))
        return None
    if not yes:
        _ask(what)
    what = invalidate(session, nodes)
    if as_json:
        write_json(_facts(session, what, dry_run=False))
    else:
        click.echo(f"{plural(what.results, 'result')} removed")
    return None


def _facts(session: Session, what: Plan, *, dry_run: bool) -> dict[str, object]:
    """Return what a script wants to know; tasks by their keys, not by their places."""
    return {
        "roots": [session.graph.tasks[node].hash() for node in what.roots],
        "results": what.results,
        "bytes": what.bytes,
        "seconds": what.seconds,
        "functions": [asdict(row) for row in what.rows],
        "epoch": what.epoch,
        "dry_run": dry_run,
    }


def _show(what: Plan) -> None:
    if not what.roots:
        click.echo("no task fits: nothing to remove")
        return
    if not what.rows:
        roots = plural(len(what.roots), "task")
        click.echo(
            f"no results to remove; failures of {roots}, and what is being run, count no more"
        )
        return
    rows = [
        [row.name, f"{row.results:,}", format_size(row.bytes), format_duration(row.seconds)]
        for row in what.rows
    ]
    if len(rows) != 1:
        total = ["total", f"{what.results:,}", format_size(what.bytes)]
        rows.append([*total, format_duration(what.seconds)])
    click.echo(table(["function", "results", "size", "compute time"], rows, room=width()))


def _ask(what: Plan) -> None:
    if not sys.stdin.isatty():
        raise UsageError(
            "invalidate asks before it removes anything, and nobody can answer where standard "
            f"input is no terminal: add --yes, or --dry-run to look; {what.results} results would go."
        )
    if not click.confirm(f"Remove {plural(what.results, 'result')}?"):
        raise Declined("nothing was removed")
