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


def table(path: str, columns: tuple[str, ...] = ()) -> tuple[Row, ...]:
    """Return the rows of a csv file with a header.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        A column is absent, or a row is longer or shorter than the header.
    """
    return _table(path, _stamp(path), columns)


def load_json(function: str, path: str) -> Any:
    """Return what a json file holds.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not json.
    """
    return _json(function, path, _stamp(path))


def _stamp(path: str) -> tuple[int, int]:
    state = Path(path).stat()
    return state.st_mtime_ns, state.st_size


# A collection's images name one file each in turn: without memory it would be parsed anew
# for each of thousands of images.
@lru_cache(maxsize=4)
def _table(path: str, _known: tuple[int, int], columns: tuple[str, ...]) -> tuple[Row, ...]:
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        names = reader.fieldnames or ()
        absent = [column for column in columns if column not in names]
        if absent:
            raise ValueError(
                f"table: the csv needs columns named {', '.join(columns)}; got {path} "
                f"with {', '.join(names) or 'no header'}"
            )
        rows = tuple(reader)
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise ValueError(
                f"table: every row must have the header's {len(names)} fields; "
                f"got another number in row {number} of {path}"
            )
    return rows


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
