"""``taskgraph init``: a jugfile to start from."""

from __future__ import annotations

from pathlib import Path

import click

from taskgraph.cli.command import Command
from taskgraph.errors import UsageError

STARTER = '''\
"""Estimates pi by throwing darts: a jugfile to start from.

    taskgraph execute {name} -j 2      # run all tasks, with two workers
    taskgraph status {name}            # how far each function has come
    taskgraph invalidate {name} --name throw --where seed=3
"""

from random import Random

from taskgraph import TaskGenerator


# A call of a decorated function runs nothing: it makes a task. A task is known by its
# function's name and its arguments, so a call with other arguments is another task.
@TaskGenerator
def throw(darts, seed):
    """Return how many darts hit the quarter circle."""
    random = Random(seed)
    return sum(random.random() ** 2 + random.random() ** 2 < 1 for _ in range(darts))


# Tasks may be arguments, also inside lists and dicts: the worker passes their results.
@TaskGenerator
def estimate(hits, darts):
    return 4 * sum(hits) / (darts * len(hits))


@TaskGenerator
def report(value):
    print(f"pi is about {{value}}")  # `taskgraph log {name} report` shows it
    return round(value, 4)


DARTS = 100_000

# Eight independent tasks, one that needs all of them, and one that needs that one.
report(estimate([throw(DARTS, seed) for seed in range(8)], DARTS))
'''


@click.command("init", cls=Command)
@click.argument("jugfile", default="jugfile.py", type=click.Path(path_type=Path))
def command(jugfile: Path) -> None:
    """Write a small jugfile to start from.

    It runs as it is. An existing file is never overwritten.
    """
    path = jugfile if jugfile.suffix else jugfile.with_suffix(".py")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(STARTER.format(name=path))
    except FileExistsError:
        raise UsageError(
            f"init never overwrites: remove the file or name another; {path} is there already."
        ) from None
    except OSError as error:
        raise UsageError(f"init must be able to write {path}: {error.strerror}.") from error
    click.echo(f"{path} written; next: taskgraph execute {path}")
