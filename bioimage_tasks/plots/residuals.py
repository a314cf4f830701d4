"""Residuals of several ways against each other: scatter above, Pearson below the diagonal.

A table of residuals comes in, a picture goes out. Where ways err together (dark squares,
points along the diagonal) combining them gives little.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.plots.canvas import COLOURS, DIVERGING, ink, picture, sheet
from bioimage_tasks.plots.overlays import Picture


def residual_matrix(
    residuals: npt.ArrayLike, names: Sequence[str], *, unit: str = "", title: str = ""
) -> Picture:
    """Draw residuals of every two ways: ``residual_matrix(residuals(ways), names)``.

    Parameters
    ----------
    residuals : array_like of float
        Shape (n, ways): prediction - truth.
    names : sequence of str
        Of the ways.
    unit : str
        Of the residuals, on the axes.
    title : str

    Returns
    -------
    numpy.ndarray of uint8
        Shape (height, width, 3).

    Raises
    ------
    ValueError
        Names don't fit, there are fewer than two ways or images, or a value is not finite.
    """
    table = np.asarray(residuals, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2 or table.shape[1] != len(names):
        raise ValueError(
            f"residual_matrix: needs residuals (n, ways), two or more of each, and a name a "
            f"way; got {table.shape} and {len(names)} names"
        )
    if not np.isfinite(table).all():
        raise ValueError("residual_matrix: every residual must be finite; got NaN or infinity")
    ways = len(names)
    side = max(5.0, 1.05 * ways + 0.8)
    figure = sheet(side, side + (0.3 if title else 0))
    grid = figure.subplots(ways, ways, squeeze=False)
    reach = 1.08 * float(np.abs(table).max()) or 1.0
    pearson = _pearson(table)
    for row in range(ways):
        for column in range(ways):
            axes = grid[row][column]
            axes.set_xticks([])
            axes.set_yticks([])
            if row == column:
                axes.text(0.5, 0.5, _broken(names[row]), ha="center", va="center", fontsize=9)
                axes.set_facecolor("#f2f2f2")
            elif row < column:
                _scatter(axes, table[:, column], table[:, row], reach)
            else:
                _number(axes, pearson[row, column])
    what = f"prediction - truth ({unit})" if unit else "prediction - truth"
    figure.supxlabel(
        f"above: {what}, column against row, from -{reach:.2g} to {reach:.2g}\n"
        "below: Pearson's correlation of the two",
        fontsize=9,
    )
    if title:
        figure.suptitle(title, fontsize=11)
    return picture(figure)


def _pearson(table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    away = table - table.mean(0)
    length = np.sqrt((away**2).sum(0))
    scaled = away / np.where(length > 0, length, np.inf)
    matrix: npt.NDArray[np.float64] = scaled.T @ scaled
    return matrix


def _scatter(axes: Any, across: Any, up: Any, reach: float) -> None:
    axes.axhline(0, color="0.8", linewidth=0.7)
    axes.axvline(0, color="0.8", linewidth=0.7)
    axes.plot([-reach, reach], [-reach, reach], color="0.8", linewidth=0.7)
    axes.scatter(across, up, s=9, color=COLOURS[0], alpha=0.7, linewidths=0)
    axes.set_xlim(-reach, reach)
    axes.set_ylim(-reach, reach)


def _number(axes: Any, value: float) -> None:
    axes.imshow([[value]], cmap=DIVERGING, vmin=-1, vmax=1, aspect="auto")
    colour = ink(axes, value, -1, 1, DIVERGING)
    axes.text(0, 0, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=10)


def _broken(name: str) -> str:
    """Return a name on several lines, so that it fits its square."""
    return name.replace(" ", "\n").replace("-", "-\n")
