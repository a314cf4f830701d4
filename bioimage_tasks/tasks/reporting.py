"""Tasks from scores to tables in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bioimage_tasks import tables
from bioimage_tasks.tasks.door import task


@task()
def table(entries: Sequence[tables.Entry], by: str = "mean_ap") -> list[tables.Row]:
    """Reduce (setting, image, scores) to one row per setting, best first."""
    return tables.mean_rows(entries, by)


@task()
def write_csv(rows: Sequence[tables.Row], path: str) -> str:
    """Write all columns of a table and return the path."""
    return _write(path, tables.csv_text(rows))


@task()
def write_text(rows: Sequence[tables.Row], path: str) -> str:
    """Write a table for the eye and return its text."""
    text = tables.plain_text(rows)
    _write(path, text)
    return text


def _write(path: str, text: str) -> str:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return path
