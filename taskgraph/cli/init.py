"""``taskgraph init``: a jugfile to start from."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import click

from taskgraph.cli.command import Command
from taskgraph.config import FILE, read_settings
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
@click.option(
    "--store",
    metavar="URL",
    help="Write this store into taskgraph.toml beside it; a server's URL gets a project name.",
)
def command(jugfile: Path, store: str | None) -> None:
    """Write a small jugfile to start from.

    It runs as it is. An existing file is never overwritten.
    """
    path = jugfile if jugfile.suffix else jugfile.with_suffix(".py")
    if store is not None:
        _write_settings(path.absolute().parent, store)
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


def _write_settings(folder: Path, store: str) -> None:
    """Write a configuration that names the store."""
    url = with_project(store, folder.name)
    path = folder / FILE
    found = read_settings(folder)
    if path.exists() or (found.path is not None and found.path.parent == folder):
        raise UsageError(
            f'init never overwrites: write `store = "{url}"` into {found.path or path} yourself.'
        )
    text = url.replace("\\", "\\\\").replace('"', '\\"')
    try:
        path.write_text(f'store = "{text}"\n', encoding="utf-8")
    except OSError as error:
        raise UsageError(f"init must be able to write {path}: {error.strerror}.") from error
    click.echo(f"{path.name} written; results will be kept in {url}")


def with_project(url: str, name: str) -> str:
    """Return a store's URL as a configuration should have it: with a project, no password.

    The name of a project is the folder's and four random letters: several people may have
    a folder of one name, and one server.
    """
    scheme = url.partition(":")[0].lower()
    if scheme.removesuffix("+file") not in ("redis", "rediss", "unix"):
        return url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"A store's URL must be one that can be taken apart: {error}.") from None
    if parts.password or "password=" in parts.query:
        raise UsageError(
            "A configuration file is no place for a password: leave it out of the URL and set "
            "REDIS_PASSWORD, or name a file with password_file=."
        )
    if re.search(r"(^|&)project=", parts.query):
        return url
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:40] or "project"
    return f"{url}{'&' if parts.query else '?'}project={plain}-{secrets.token_hex(2)}"
