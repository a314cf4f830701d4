"""Commands of other distributions, by the entry point group ``taskgraph.commands``.

Names and targets flow out; a plug-in is imported when its command is called. For
``--help`` the folders of ``sys.path`` are read directly, which takes milliseconds where
``importlib.metadata`` takes a tenth of a second.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

from taskgraph.errors import TaskGraphError, UsageError

GROUP = "taskgraph.commands"


def installed(folders: list[str] | None = None) -> dict[str, str]:
    """Return ``module:object`` of each plug-in command that lies unpacked on ``sys.path``."""
    found: dict[str, str] = {}
    for folder in sys.path if folders is None else folders:
        for file in sorted(_files(Path(folder or "."))):
            found |= {name: target for name, target in _commands(file) if name not in found}
    return found


def load(name: str) -> click.Command | None:
    """Return a plug-in's command, ``None`` when no distribution has one of this name.

    Raises
    ------
    TaskGraphError
        If it can't be loaded.
    """
    target = installed().get(name) or _by_metadata(name)
    if target is None:
        return None
    module, _, attribute = target.partition(":")
    try:
        command = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise TaskGraphError(
            f"The command {name!r} is announced by a plug-in and must be loadable; {target} is "
            f"not: {error}. Reinstall it or remove its distribution."
        ) from error
    if not isinstance(command, click.Command):
        raise UsageError(
            f"An entry point of {GROUP} names a click command; {target} is a "
            f"{type(command).__name__}."
        )
    return command


def _files(folder: Path) -> Iterator[Path]:
    for pattern in ("*.dist-info/entry_points.txt", "*.egg-info/entry_points.txt"):
        yield from folder.glob(pattern)


def _commands(file: Path) -> Iterator[tuple[str, str]]:
    text = file.read_text(encoding="utf-8", errors="replace")
    if GROUP not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == GROUP and "=" in line:
            name, _, target = line.partition("=")
            yield name.strip(), target.partition("[")[0].strip()


def _by_metadata(name: str) -> str | None:
    from taskgraph.registry import find

    point = find(GROUP).get(name)
    return point.value if point is not None else None
