"""``taskgraph status``: a table with a row per function."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TYPE_CHECKING

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, setting
from taskgraph.cli.text import paint, plural, table, width, write_json
from taskgraph.cli.where import Where
from taskgraph.units import format_duration, format_size

if TYPE_CHECKING:
    from taskgraph.ops.status import Row, Status

STATES = ("waiting", "ready", "running", "done", "failed", "blocked")
_CLEAR = "\033[H\033[2J\033[3J"


@click.command("status", cls=Command)
@jugfile_options()
@click.option("--short", is_flag=True, **setting("short"), help="One line.")
@click.option(
    "--quick",
    is_flag=True,
    **setting("quick"),
    help="Go by the graph as the last execute saw it; the jugfile is not read.",
)
@click.option("--watch", is_flag=True, help="Show it again and again, until nothing is left.")
@click.option(
    "--every",
    type=click.FloatRange(0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    **setting("every"),
    help="How often with --watch.",
)
@json_option
def command(
    where: Where, *, short: bool, quick: bool, watch: bool, every: float, as_json: bool
) -> int:
    """Show how far each function has come.

    Exit status: 0 when all is done, 1 when a task failed, 3 when work is left.
    """  # fmt: skip
    look = _looker(where, quick)
    status = look()
    while True:
        _show(status, short, as_json, clear=watch)
        if not watch or status.exit_code == 0 or _stuck(status):
            return status.exit_code
        Event().wait(every)
        status = look()


def _looker(where: Where, quick: bool) -> Callable[[], Status]:
    """Return the function that finds out the status."""
    from taskgraph.ops.status import quick_status, status_of

    if quick:
        return lambda: quick_status(where.jugfile, where.store)
    session = where.session(quiet=True, lean=True)

    def look() -> Status:
        nonlocal session
        found = status_of(session)
        if session.stopped and not found.totals.left:
            session = where.session(quiet=True, lean=True)
            found = status_of(session)
        return found

    return look


def _stuck(status: Status) -> bool:
    """Tell whether watching on is pointless: failures, and nothing that could still run."""
    return bool(status.totals.failed and not status.totals.left)


def _show(status: Status, short: bool, as_json: bool, *, clear: bool) -> None:
    if as_json:
        write_json(status, exit_code=status.exit_code)
        return
    room = width()
    text = short_line(status) if short else long_table(status, room)
    if clear and room is not None and not short:
        click.echo(_CLEAR, nl=False)
    click.echo(text)


def short_line(status: Status) -> str:
    """Return the status as one line."""
    total = status.totals
    parts = [f"{getattr(total, word):,} {word}" for word in STATES if getattr(total, word)]
    if total.stale:
        parts.append(f"{_about(total)}{total.stale:,} stale")
    return f"{plural(total.total, 'task')}: {', '.join([*parts, *_remarks(status)]) or 'none'}"


def long_table(status: Status, room: int | None) -> str:
    """Return the status as a table with what else there is to say below."""
    heads = ["function", *STATES, "stale", "mean", "size"]
    rows = [_cells(row) for row in status.rows]
    if len(rows) != 1:
        rows.append(_cells(status.totals))
    lines = table(heads, rows, room=room).split("\n")
    for place, row in enumerate([*status.rows, status.totals][: len(rows)], start=1):
        lines[place] = paint(lines[place], _worst(row))
    below = [*_remarks(status), *_workers(status)]
    return "\n".join([*lines, *(["", *below] if below else [])])


def _cells(row: Row) -> list[str]:
    counts = [f"{getattr(row, word):,}" for word in STATES]
    mean = "" if row.mean_seconds is None else format_duration(row.mean_seconds)
    about = _about(row) if row.stale else ""
    return [row.name, *counts, f"{about}{row.stale:,}", mean, _about(row) + format_size(row.bytes)]


def _about(row: Row) -> str:
    return "~" if row.estimated else ""


def _worst(row: Row) -> str:
    for word in ("failed", "blocked", "running"):
        if getattr(row, word):
            return word
    return "done" if row.total and row.done == row.total else ""


def _remarks(status: Status) -> list[str]:
    remarks = []
    if status.eta is not None and status.totals.left:
        remarks.append(f"about {format_duration(status.eta)} to go")
    if status.stopped:
        remarks.append("more behind a barrier")
    if status.age is not None:
        remarks.append(f"by the graph as it was {format_duration(status.age)} ago")
    return remarks


def _workers(status: Status) -> list[str]:
    lines = []
    for worker in status.workers:
        silent = format_duration(worker.silent_for)
        state = "alive" if worker.alive else f"gone, last heard of {silent} ago"
        task = f", running {worker.running}" if worker.running else ""
        lines.append(f"worker {worker.worker[:8]} on {worker.host} (process {worker.pid}): "
                     f"{state}, holds {plural(worker.holds, 'task')}{task}")  # fmt: skip
    return lines
