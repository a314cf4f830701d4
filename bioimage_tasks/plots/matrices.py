"""Tables as maps: the confusion of classes, and a score over two parameters.

A matrix comes in, a picture with every number written in it goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.plots.canvas import SEQUENTIAL, ink, picture, sheet
from bioimage_tasks.plots.overlays import Picture


def confusion_matrix(counts: npt.ArrayLike, classes: Sequence[str], *, title: str = "") -> Picture:
    """Draw how often each true class was predicted as each: colour is the share of its row.

    Parameters
    ----------
    counts : array_like of int
        Shape (classes, classes): row true, column predicted.
    classes : sequence of str
    title : str

    Raises
    ------
    ValueError
        Not a square of as many rows as classes, or a negative count.
    """
    table = np.asarray(counts)
    if table.shape != (len(classes), len(classes)) or not table.size or table.min() < 0:
        raise ValueError(
            f"confusion_matrix: needs a square of counts, a row a class; got {table.shape} and "
            f"{len(classes)} classes"
        )
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    texts = [
        [f"{count}\n{share:.0%}" for count, share in zip(*row, strict=True)]
        for row in zip(table, shares, strict=True)
    ]
    return _map(
        shares,
        texts,
        (classes, classes),
        ("predicted", "true"),
        (0.0, 1.0),
        "share of the true class",
        title,
    )


def sweep_map(
    scores: npt.ArrayLike,
    rows: Sequence[Any],
    columns: Sequence[Any],
    *,
    row_name: str,
    column_name: str,
    score_name: str,
    title: str = "",
) -> Picture:
    """Draw a score over two parameters: ``sweep_map(f1, depths, sizes, row_name="depth", ...)``.

    Parameters
    ----------
    scores : array_like of float
        Shape (rows, columns); NaN where nothing was tried.
    rows, columns : sequence
        Values of the parameters.
    row_name, column_name, score_name : str
        With units.
    title : str

    Raises
    ------
    ValueError
        Shapes don't fit, or no score is finite.
    """
    table = np.asarray(scores, dtype=np.float64)
    if table.shape != (len(rows), len(columns)) or not np.isfinite(table).any():
        raise ValueError(
            f"sweep_map: needs a score for every row and column, some finite; got "
            f"{table.shape} for {len(rows)} rows and {len(columns)} columns"
        )
    texts = [["" if np.isnan(value) else f"{value:#.3g}" for value in row] for row in table]
    limits = float(np.nanmin(table)), float(np.nanmax(table))
    names = [str(value) for value in rows], [str(value) for value in columns]
    return _map(table, texts, names, (column_name, row_name), limits, score_name, title)


def _map(
    table: npt.NDArray[np.float64],
    texts: Sequence[Sequence[str]],
    ticks: tuple[Sequence[str], Sequence[str]],
    labels: tuple[str, str],
    limits: tuple[float, float],
    scale: str,
    title: str,
) -> Picture:
    count_rows, count_columns = table.shape
    longest = max(map(len, ticks[1]))
    across = max(0.75, 0.1 * longest if count_columns < 9 else 0.6)
    figure = sheet(max(4.5, across * count_columns + 2.6), max(3.4, 0.62 * count_rows + 1.5))
    axes = figure.subplots()
    shown = axes.imshow(table, cmap=SEQUENTIAL, vmin=limits[0], vmax=limits[1], aspect="auto")
    slanted = across * count_columns / count_columns < 0.085 * longest
    axes.set_xticks(
        range(count_columns),
        ticks[1],
        rotation=40 if slanted else 0,
        ha="right" if slanted else "center",
    )
    axes.set_yticks(range(count_rows), ticks[0])
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    for row in range(count_rows):
        for column in range(count_columns):
            colour = ink(axes, table[row, column], *limits, SEQUENTIAL)
            axes.text(
                column, row, texts[row][column], ha="center", va="center", color=colour, fontsize=9
            )
    figure.colorbar(shown, ax=axes, label=scale)
    if title:
        axes.set_title(title, fontsize=11)
    return picture(figure)
