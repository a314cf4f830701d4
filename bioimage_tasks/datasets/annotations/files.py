"""Files that annotate many images at once, parsed once while they stay the same.

A path comes in, rows or a json value go out. Must not know any form of annotation.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

Row = dict[str, str]


def table(path: str, columns: tuple[str, ...] = (), remedy: str = "") -> tuple[Row, ...]:
    """Return the rows of a csv file with a header.

    Parameters
    ----------
    path : str
        Text in UTF-8, commas between the fields.
    columns : tuple of str
        That must be there.
    remedy : str
        What to do when one is not, for the message.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        A column is absent, or a row is longer or shorter than the header.
    """
    names, rows = _table(path, _stamp("table", path))
    if [column for column in columns if column not in names]:
        between = [mark for mark in ";\t" if len(names) == 1 and mark in names[0]]
        told = f"; fields must have commas between them, not {between[0]!r}" if between else remedy
        raise ValueError(
            f"table: the csv needs columns named {', '.join(columns)}; got {path} "
            f"with {', '.join(names) or 'no header'}{told}"
        )
    return rows


def load_json(function: str, path: str) -> Any:
    """Return what a json file holds.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not json.
    """
    return _json(function, path, _stamp(function, path))


def _stamp(function: str, path: str) -> tuple[int, int]:
    try:
        state = Path(path).stat()
    except FileNotFoundError as trouble:
        raise FileNotFoundError(f"{function}: no such file: {path}") from trouble
    return state.st_mtime_ns, state.st_size


# A collection's images name one file each in turn: without memory it would be parsed anew
# for each of thousands of images.
@lru_cache(maxsize=4)
def _table(path: str, _known: tuple[int, int]) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            names = tuple(reader.fieldnames or ())
            rows = tuple(reader)
    except (UnicodeDecodeError, csv.Error) as trouble:
        raise ValueError(
            f"table: the csv must be text in UTF-8 with well quoted fields; save it again as "
            f"'CSV UTF-8'; got {path}: {trouble}"
        ) from trouble
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ValueError(
                f"table: every row must have the header's {len(names)} fields; "
                f"got another number in row {number} of {path}"
            )
    return names, rows


@lru_cache(maxsize=2)
def _json(function: str, path: str, _known: tuple[int, int]) -> Any:
    return parsed_json(function, path)


def parsed_json(
    function: str, path: str, hook: Callable[[dict[str, Any]], Any] | None = None
) -> Any:
    """Return what a json file holds, each object passed through ``hook``, not remembered.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not json.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"), object_hook=hook)
    except ValueError as trouble:
        raise ValueError(f"{function}: the file must be json; got {path}: {trouble}") from trouble
