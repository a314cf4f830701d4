"""``taskgraph execute``: the supervisor's process; numpy and the jugfile are not loaded here."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options, setting
from taskgraph.cli.trouble import note, say
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.outcome import Outcome
    from taskgraph.progress import Progress

#: jug's defaults, for when only one of the two is given.
CYCLE_SECONDS, CYCLES = 12.0, 150


@click.command("execute", cls=Command)
@jugfile_options()
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    default=1,
    show_default=True,
    **setting("jobs"),
    help="Workers to start.",
)
@click.option(
    "--name",
    "--target",
    "--invalid",
    "names",
    multiple=True,
    metavar="NAME",
    help="Run only these functions, by full name or its dotted end; with wildcards. "
    "What they depend on is not pulled in.",
)
@click.option(
    "--pattern",
    metavar="TEXT",
    help="Run only functions whose name has TEXT in it, or fits /a regular expression/.",
)
@click.option(
    "--resources",
    multiple=True,
    metavar="NAME=AMOUNT,...",
    **setting("resources"),
    help="Budget that all workers share, such as gpu=1,memory=8G (default: what the machine has).",
)
@click.option(
    "--memory",
    metavar="SIZE",
    **setting("memory"),
    help="Results that a worker may keep for dependents, such as 500M.",
)
@click.option(
    "--idle-exit",
    metavar="TIME",
    **setting("idle-exit"),
    help="Leave with status 3 after so long without work (default: wait while others work).",
)
@click.option(
    "--max-tasks",
    type=click.IntRange(0),
    metavar="N",
    **setting("max-tasks"),
    help="Leave after so many tasks (each worker).",
)
@click.option(
    "--max-time",
    metavar="TIME",
    **setting("max-time"),
    help="Start nothing new after so long, such as 90m.",
)
@click.option(
    "--stop-file",
    "stop_file",
    multiple=True,
    type=click.Path(),
    **setting("stop-file"),
    help="Stop when this file is there.",
)
@click.option(
    "--grace",
    metavar="TIME",
    default="10",
    show_default=True,
    **setting("grace"),
    help="How long running tasks may go on after Ctrl-C or SIGTERM.",
)
@click.option(
    "--interrupted-code",
    type=click.IntRange(0, 255),
    metavar="STATUS",
    default=3,
    show_default=True,
    **setting("interrupted-code"),
    help="Exit status after a signal with work left (99 requeues on Grid Engine).",
)
@click.option(
    "--progress",
    type=click.Choice(["auto", "bar", "lines", "none"]),
    default="auto",
    show_default=True,
    **setting("progress"),
    help="A live bar, lines now and then, or nothing.",
)
@click.option(
    "--template/--no-template",
    default=True,
    **setting("template"),
    help="Whether workers share one reading of the jugfile (default: yes).",
)
@click.option("-q", "--quiet", is_flag=True, help="Show nothing but trouble.")
@click.option(
    "--pdb",
    is_flag=True,
    help="Run here with one worker and stop in the debugger at the first failure.",
)
@click.option(
    "--check-environment/--no-check-environment",
    default=True,
    **setting("check-environment"),
    help="Whether jug's JUG_... exit variables and its stop file count (default: yes).",
)
@click.option(
    "--wait-cycle-time",
    type=float,
    metavar="SECONDS",
    help="As in jug: with --nr-wait-cycles, how long to wait without work.",
)
@click.option("--nr-wait-cycles", type=int, metavar="N", help="As in jug; see --wait-cycle-time.")
@click.option("--keep-going", is_flag=True, help="As in jug; here other tasks always go on.")
@click.option(
    "--keep-failed",
    is_flag=True,
    help="As in jug; here a failure is always kept until `retry` or a change of code.",
)
@json_option
def command(
    where: Where, *, as_json: bool, quiet: bool, pdb: bool, progress: str, **given: Any
) -> int:
    """Run all tasks that have no result.

    Start it as often as you like, on any machine that sees the store: all workers are equal.
    """  # fmt: skip
    options = _options(**given)
    if pdb:
        from taskgraph.ops.execute_pdb import run_with_debugger

        names, pattern = options["names"], options["pattern"]
        outcome = run_with_debugger(
            where.jugfile, where.store, argv=where.argv, names=names, pattern=pattern,
            prepare=where.prepare,
        )  # fmt: skip
        if outcome.failed and not outcome.executed:
            note("a stored failure is not met again: `taskgraph retry` first, or `run TASK --pdb`")
    else:
        from taskgraph.ops.execute import run_here

        outcome = run_here(
            where.jugfile, where.store, argv=where.argv, verbose=where.verbose,
            display=_display("none" if quiet else progress), prepare=partial(_prepare, where),
            **options,
        )  # fmt: skip
    return _tell(outcome, where.verbose, as_json, quiet)


def _prepare(where: Where) -> None:
    """Make a process ready to read the jugfile; what that prints is no JSON."""
    if where.json:
        os.dup2(2, 1)
    where.prepare()


def _options(
    *,
    resources: tuple[str, ...],
    memory: str | None,
    idle_exit: str | None,
    max_tasks: int | None,
    max_time: str | None,
    stop_file: tuple[str, ...],
    grace: str,
    check_environment: bool,
    wait_cycle_time: float | None,
    nr_wait_cycles: int | None,
    keep_going: bool,
    keep_failed: bool,
    **plain: Any,
) -> dict[str, Any]:
    """Return the keywords of ``run_here`` from the options as they were typed."""
    from taskgraph.units import parse_duration, parse_size

    idle = None if idle_exit is None else parse_duration(idle_exit)
    if idle is None and (wait_cycle_time is not None or nr_wait_cycles is not None):
        idle = (CYCLE_SECONDS if wait_cycle_time is None else wait_cycle_time) * (
            CYCLES if nr_wait_cycles is None else nr_wait_cycles
        )
        note(
            f"waiting ends with news here, not in cycles; without any it gives up after {idle:g} s"
        )
    seconds = None if max_time is None else parse_duration(max_time)
    files = list(stop_file)
    if check_environment:
        from taskgraph.compat.exit_variables import read_exit_variables

        limits = read_exit_variables(os.environ, Path.cwd())
        max_tasks = limits.max_tasks if max_tasks is None else max_tasks
        seconds = limits.max_seconds if seconds is None else seconds
        files += map(str, limits.stop_files)
    return {
        "resources": parse_amounts(resources),
        "memory": None if memory is None else parse_size(memory),
        "idle_exit": idle,
        "max_tasks": max_tasks,
        "max_seconds": seconds,
        "stop_files": files,
        "grace": parse_duration(grace),
        **plain,
    }


def parse_amounts(texts: tuple[str, ...]) -> dict[str, str] | None:
    """Return ``gpu=1,memory=8G`` as a mapping."""
    pairs = [pair for text in texts for pair in text.split(",") if pair.strip()]
    amounts: dict[str, str] = {}
    for pair in pairs:
        name, equals, amount = pair.partition("=")
        if not equals or not name.strip() or not amount.strip():
            raise click.UsageError(
                f"resources are written NAME=AMOUNT, such as gpu=1,memory=8G; got {pair!r}",
                click.get_current_context(silent=True),
            )
        amounts[name.strip()] = amount.strip()
    return amounts or None


def _display(kind: str) -> Progress | None:
    if kind == "none":
        return None
    from taskgraph.progress import Progress

    return Progress(0, sys.stderr, live={"bar": True, "lines": False}.get(kind))


def _tell(outcome: Outcome, verbose: int, as_json: bool, quiet: bool) -> int:
    if as_json:
        click.echo(outcome.to_json())
    if outcome.error:
        if verbose and outcome.trace:
            say(outcome.trace.rstrip())
        say(f"taskgraph: error: {outcome.error}")
        if outcome.trace and not verbose:
            say("  (-v shows the traceback)")
    elif not quiet and not as_json:
        click.echo(outcome.summary())
    return outcome.exit_code
