"""Tasks from scores to tables in files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bioimage_tasks import metrics, tables
from bioimage_tasks.checks import check_choice
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import check_as_many, check_some


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


@task()
def beside_published(ours: Sequence[tuple[str, Sequence[metrics.Scores]]]) -> list[tables.Row]:
    """Put our ways under the table of Coelho 2009: ``beside_published([(way, scores), ...])``.

    Our means over images have F1 and mean AP too, which the table does not.
    """
    from bioimage_tasks.metrics.coelho_published import COLUMNS, PUBLISHED

    check_some("beside_published", "ours", ours)
    rows: list[tables.Row] = [
        {"way": f"published: {way}", **dict(zip(COLUMNS, values, strict=True))}
        for way, values in PUBLISHED.items()
    ]
    for way, scores in ours:
        check_some("beside_published", "scores", scores)
        mean = metrics.mean_scores(scores).as_dict()
        mean["nsd_x10"] = 10 * mean["nsd"]
        rows.append(
            {"way": f"ours: {way}", **{name: mean[name] for name in (*COLUMNS, "f1", "mean_ap")}}
        )
    return rows


@task()
def draw_sweep(
    settings: Sequence[tuple[str, dict[str, Any]]],
    scores: Sequence[Sequence[metrics.Scores]],
    path: str,
    method: str,
    names: tuple[str, str],
    by: str = "f1",
) -> str:
    """Draw a method's score over two of its parameters: ``names`` of rows and of columns.

    A field is the mean over images; the greatest, where other parameters varied as well.
    ``scores[i]`` are those of ``settings[i]``. Returns the path of the PNG.
    """
    from bioimage_tasks.io import write_image
    from bioimage_tasks.plots import sweep_map

    check_as_many("draw_sweep", settings=settings, scores=scores)
    check_choice("draw_sweep", "by", by, tuple(metrics.Scores.__dataclass_fields__))
    tried = [
        (how[names[0]], how[names[1]], getattr(metrics.mean_scores(row), by))
        for (name, how), row in zip(settings, scores, strict=True)
        if name == method and set(names) <= set(how)
    ]
    if not tried:
        raise ValueError(
            f"draw_sweep: needs a setting of {method!r} with both parameters; got none with "
            f"{' and '.join(names)}"
        )
    rows, columns = (sorted({one[k] for one in tried}) for k in (0, 1))
    table = np.full((len(rows), len(columns)), np.nan)
    for row, column, value in tried:
        at = rows.index(row), columns.index(column)
        table[at] = np.fmax(table[at], value)
    titles = {"row_name": names[0], "column_name": names[1], "score_name": by}
    write_image(path, sweep_map(table, rows, columns, title=method, **titles))
    return path


def _write(path: str, text: str) -> str:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return path
