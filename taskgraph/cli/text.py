"""Tables and JSON on standard output: plain text that fits the width, colour on a terminal."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

COLOURS = {"done": "green", "failed": "red", "blocked": "magenta", "running": "blue"}


def width() -> int | None:
    """Return the columns of the terminal; ``None`` where there is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], *, room: int | None = None, left: int = 1
) -> str:
    """``text = table(["function", "done"], [["segment", "4"]])``: aligned columns.

    Parameters
    ----------
    heads : sequence of str
        One word a column.
    rows : sequence of sequences of str
        The cells; columns after the first ``left`` are aligned to the right.
    room : int, optional
        Columns of the terminal. Where that is too little, columns with nothing but 0 and
        blanks go, then the first column is shortened in the middle.
    """
    lines = [list(heads), *map(list, rows)]
    if room is not None and sum(_widths(lines)) > room:
        keep = [n for n in range(len(heads)) if n < left or not _empty(lines, n)]
        lines = [[line[n] for n in keep] for line in lines]
        over = sum(_widths(lines)) - room
        if over > 0:
            longest = max(8, _widths(lines)[0] - 2 - over)
            lines = [[shorten(line[0], longest), *line[1:]] for line in lines]
    widths = _widths(lines)
    out = []
    for line in lines:
        cells = [
            cell.ljust(size - 2) if n < left else cell.rjust(size - 2)
            for n, (cell, size) in enumerate(zip(line, widths, strict=True))
        ]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def shorten(text: str, size: int) -> str:
    """Return a text of at most ``size`` characters, with the middle left out."""
    if len(text) <= size:
        return text
    tail = (size - 1) // 2
    return f"{text[: size - 1 - tail]}…{text[len(text) - tail :]}"


def paint(text: str, word: str) -> str:
    """Return a text in the colour of a state, on a terminal that wants colour."""
    if os.environ.get("NO_COLOR") or word not in COLOURS or not sys.stdout.isatty():
        return text
    return click.style(text, fg=COLOURS[word])


def plural(number: int, word: str) -> str:
    """Return ``1 task``, ``2 tasks``."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def write_json(value: Any, **more: Any) -> None:
    """Write a dataclass, and more, as one JSON object."""
    data = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    if more:
        data = {**data, **more}
    click.echo(json.dumps(data, default=_plain, indent=1))


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return repr(value)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(line[n]) for line in lines) + 2 for n in range(len(lines[0]))]


def _empty(lines: Sequence[Sequence[str]], column: int) -> bool:
    return all(line[column] in ("", "0") for line in lines[1:])
