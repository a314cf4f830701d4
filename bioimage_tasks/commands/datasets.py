"""``taskgraph datasets``: the collections of images, what a folder lacks, downloads.

Names and folders come in, text or JSON goes to standard output, progress to standard error.
What is known of a collection stands in its own file in :mod:`bioimage_tasks.datasets`.
"""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from bioimage_tasks.datasets.collection import ImageCollection
    from bioimage_tasks.datasets.remote import Remote

_HEADS = ("name", "images", "a group is a", "fetch")

_json = click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
_name = click.argument("name")
_root = click.argument("root", type=click.Path(path_type=Path))


@click.group("datasets", invoke_without_command=True)
@_json
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> None:
    """List the collections of images, check a folder, fetch one.

    Without a subcommand, as with `list`: a line per collection with what is annotated, what
    its groups are and whether it can be fetched.
    """
    if ctx.invoked_subcommand is None:
        _list(as_json)


@command.command("list")
@_json
def list_(*, as_json: bool) -> None:
    """List the collections, a line each."""
    _list(as_json)


def _list(as_json: bool) -> None:
    from bioimage_tasks import datasets

    found = [_facts(datasets.get(name)) for name in datasets.names()]
    if as_json:
        _write({"datasets": found}, 0)
        return
    click.echo(_table([_HEADS, *map(_row, found)]))


@command.command("show")
@_name
@_json
def show(name: str, *, as_json: bool) -> None:
    """Show all that is known of a collection.

    Its source and licence, the tree that is expected, what a group is, quirks that are taken
    care of, and the files that `fetch` would take. Exit status: 0, or 2 when there is no such
    collection.
    """
    facts = _facts(_collection(name))
    if as_json:
        _write(facts, 0)
        return
    for key, value in facts.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(filter(None, lines)):
            text = line["url"] if isinstance(line, dict) else line
            click.echo(f"{key if number == 0 else '':<18}{text}")


@command.command("check")
@_name
@_root
@click.option(
    "--part", type=click.Choice(["all", "training", "test"]), default="all",
    help="Which part must be there (default: all).",
)  # fmt: skip
@_json
@click.pass_context
def check(ctx: click.Context, name: str, root: Path, *, part: str, as_json: bool) -> None:
    """Say what the folder ROOT lacks to be collection NAME.

    No pixels are read. Exit status: 0 when all is there, 1 when something is missing, 2 when
    there is no such collection.
    """
    cls = _collection(name)
    missing = cls.check(root, part=part)
    images = [] if missing else cls.at(root, part=part).images()
    groups = sorted({image.group for image in images if image.group})
    code = 1 if missing else 0
    if as_json:
        facts = {"name": cls.name, "root": str(root), "missing": missing}
        _write({**facts, "images": len(images), "groups": groups}, code)
    elif missing:
        click.echo("\n".join(missing))
        click.echo(f"expected: {cls.layout}")
    else:
        told = f"in {_count(len(groups), 'group')}" if groups else "without groups"
        bare = not getattr(cls, "annotated", "") and not any(image.gold for image in images)
        labels = ", none with labels" if bare else ""
        click.echo(f"all is there: {_count(len(images), 'image')} {told}{labels}")
    ctx.exit(code)


@command.command("fetch")
@_name
@_root
@click.option(
    "--only",
    multiple=True,
    metavar="PATTERN",
    help="Take the files whose names match, by default those that make it usable; '*' is all.",
)
@click.option(
    "--sha256",
    "pins",
    multiple=True,
    metavar="[FILE=]HEX",
    help="Require this SHA-256, of FILE where there are several.",
)
@click.option("--keep", is_flag=True, help="Keep the archives in ROOT/.downloads.")
@_json
@click.pass_context
def fetch(
    ctx: click.Context, name: str, root: Path, *, only: tuple[str, ...], pins: tuple[str, ...],
    keep: bool, as_json: bool,
) -> None:  # fmt: skip
    """Download collection NAME into the folder ROOT and unpack it.

    Checksums are verified where one is known; otherwise the SHA-256 is printed, to be pinned
    with --sha256. Nothing damaged or half is kept; after an interruption, what was complete
    is not fetched again. Exit status: 0 when all was fetched, 1 when a checksum is wrong or the
    server fails, 2 when there is no such collection, file or public address, 130 after Ctrl-C.
    """
    from bioimage_tasks.datasets.fetch import fetch as download

    cls = _collection(name)
    remotes = _wanted(cls, only)
    if root.exists() and not root.is_dir():
        raise click.UsageError(f"ROOT must be a folder, new or there already; got the file {root}")
    checksums = _checksums(pins, remotes)
    click.echo(f"{cls.name}: {cls.licence}; cite {cls.citation}", err=True)
    tell = _Meter() if sys.stderr.isatty() else None
    try:
        with _told_to_end():
            done = download(remotes, root, checksums=checksums, keep=keep, tell=tell)
    except ImportError as trouble:
        click.echo(
            f"taskgraph: error: downloads need the packages of the extra bioimage; "
            f"pip install 'bioimage-taskgraph[bioimage]'; got {trouble}", err=True,
        )  # fmt: skip
        ctx.exit(1)
    except (ValueError, OSError) as trouble:
        click.echo(f"taskgraph: error: {trouble}", err=True)
        ctx.exit(1)
    finally:
        if tell is not None:
            tell.close()
    if as_json:
        files = [asdict(one) for one in done]
        _write({"name": cls.name, "root": str(root), "files": files}, 0)
        return
    for one in done:
        state = "verified" if one.verified else "no checksum was known: pin it with --sha256"
        click.echo(f"{one.name}: {one.files:,} files, sha256 {one.sha256}, {state}")


def _collection(name: str) -> type[ImageCollection]:
    from bioimage_tasks import datasets

    try:
        return datasets.get(name)
    except ValueError as trouble:
        near = get_close_matches(name.lower(), datasets.names(), n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise click.UsageError(
            f"no collection has this name: {name!r}; {hint}`taskgraph datasets` lists them"
        ) from trouble


@contextmanager
def _told_to_end() -> Iterator[None]:
    """Let SIGTERM, by which schedulers end a job, clean up as Ctrl-C does."""

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    if current_thread() is not main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _facts(cls: type[ImageCollection]) -> dict[str, Any]:
    """Return what is known, as plain values in the order of the page."""
    facts: dict[str, Any] = {
        key: getattr(cls, key, "")
        for key in ("name", "acronym", "title", "annotated", "grouping", "licence", "citation",
                    "url", "layout")
    }  # fmt: skip
    facts |= {
        key: list(getattr(cls, key, ()))
        for key in ("parts", "channel_names", "annotation_names", "quirks")
    }
    facts["remotes"] = [asdict(one) for one in getattr(cls, "remotes", ())]
    return facts


def _wanted(cls: type[ImageCollection], only: Sequence[str]) -> list[Remote]:
    remotes: Sequence[Remote] = getattr(cls, "remotes", ())
    if not remotes:
        raise click.UsageError(
            f"{cls.name} has no stable public address; "
            + (f"get it from {cls.url}" if cls.url else "it is for images of your own")
        )
    wanted = only or getattr(cls, "first", ()) or ("*",)
    found = [one for one in remotes if any(fnmatch(one.name, pattern) for pattern in wanted)]
    if not found:
        raise click.UsageError(
            f"--only must match one of {', '.join(one.name for one in remotes)}; "
            f"got {', '.join(only)}"
        )
    return found


def _checksums(pins: Sequence[str], remotes: Sequence[Remote]) -> Mapping[str, str]:
    found = {}
    for pin in pins:
        name, equals, digest = pin.rpartition("=")
        if not equals and len(remotes) > 1:
            raise click.UsageError(
                f"--sha256 needs FILE=HEX where there are several files: "
                f"{', '.join(one.name for one in remotes)}; got {pin}"
            )
        found[name or remotes[0].name] = digest
    from bioimage_tasks.datasets.fetch import pinned

    try:
        pinned(remotes, found)
    except ValueError as trouble:
        raise click.UsageError(str(trouble)) from trouble
    return found


class _Meter:
    """Shows how far a download is, in place on standard error."""

    def __init__(self) -> None:
        self._shown = ("", -1)
        self._open = False

    def __call__(self, name: str, done: int, total: int) -> None:
        """Write a line when another percent, or megabyte where the size is unknown, is there."""
        part = 100 * done // total if total else done >> 20
        if (name, part) == self._shown:
            return
        self._shown = (name, part)
        size = f"{part} % of {total / 1e6:,.1f} MB" if total else f"{done / 1e6:,.1f} MB"
        self._open = not total or done < total
        click.echo(f"\r{name}: {size}  ", nl=not self._open, err=True)

    def close(self) -> None:
        """End a line that a download left open: it broke off, or its size was not known."""
        if self._open:
            click.echo(err=True)
        self._open = False


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _row(facts: Mapping[str, Any]) -> tuple[str, str, str, str]:
    grouping = re.split(r"[:,;(]", facts["grouping"])[0].strip()
    annotated = facts["annotated"] or "your own"
    return facts["name"], annotated, grouping, "yes" if facts["remotes"] else ""


def _table(rows: Sequence[Sequence[str]]) -> str:
    wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.ljust, row, wide)).rstrip() for row in rows]
    return "\n".join(lines)


def _write(value: Mapping[str, Any], code: int) -> None:
    click.echo(json.dumps({**value, "exit_code": code}, indent=1))
