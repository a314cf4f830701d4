"""Predicted against true with the identity line; and values by group as strips.

Vectors come in, a picture goes out. Groups have colours and marks of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_numbers
from bioimage_tasks.plots.canvas import COLOURS, MARKERS, picture, plain, sheet
from bioimage_tasks.plots.overlays import Picture

#: More groups than this are not named beside the figure.
NAMED = 24


def predicted_vs_true(
    predicted: npt.ArrayLike,
    truth: npt.ArrayLike,
    groups: Sequence[str] | None = None,
    *,
    quantity: str,
    title: str = "",
) -> Picture:
    """Draw predictions over truths: ``predicted_vs_true(p, y, groups, quantity="cells")``.

    Parameters
    ----------
    predicted, truth : array_like of float
        Shape (n,).
    groups : sequence of str, optional
        Colour and mark of every point.
    quantity : str
        What is predicted, with its unit.
    title : str

    Raises
    ------
    ValueError
        Not finite vectors of one length, or empty.
    """
    guess = check_numbers("predicted_vs_true", "predicted", predicted)
    true = check_numbers("predicted_vs_true", "truth", truth)
    _check("predicted_vs_true", guess, true)
    figure = sheet(5.6, 4.6)
    axes = figure.subplots()
    low, high = float(min(guess.min(), true.min())), float(max(guess.max(), true.max()))
    room = 0.04 * (high - low) or 0.5
    ends = [low - room, high + room]
    axes.plot(ends, ends, color="0.55", linewidth=1, linestyle="--", zorder=1)
    names = [""] * len(true) if groups is None else list(map(str, groups))
    for place, name in enumerate(dict.fromkeys(names)):
        own = np.array([other == name for other in names])
        axes.scatter(
            true[own],
            guess[own],
            s=26,
            alpha=0.85,
            label=name,
            zorder=2,
            color=COLOURS[place % len(COLOURS)],
            marker=MARKERS[place // len(COLOURS) % len(MARKERS)],
            linewidths=0,
        )
    axes.set_xlim(*ends)
    axes.set_ylim(*ends)
    axes.set_aspect("equal")
    axes.set_xlabel(f"true {quantity}")
    axes.set_ylabel(f"predicted {quantity}")
    plain(axes)
    if groups is not None and 1 < len(set(names)) <= NAMED:
        columns = 1 + (len(set(names)) > 14)
        figure.legend(loc="outside right upper", fontsize=8, ncols=columns, title="group")
    if title:
        axes.set_title(title, fontsize=11)
    return picture(figure)


def group_strips(
    values: Mapping[str, npt.ArrayLike],
    groups: Sequence[str],
    *,
    quantity: str,
    title: str = "",
    seed: int = 0,
) -> Picture:
    """Draw values of each group as a strip of points, ways side by side, with their means.

    Parameters
    ----------
    values : mapping of str to array_like of float
        Name of a way -> shape (n,), residuals for example.
    groups : sequence of str
        Shape (n,).
    quantity : str
        What the values are, with the unit.
    title : str
    seed : int
        Of the sideways shift of points.

    Raises
    ------
    ValueError
        Values and groups are not as many, or there are none.
    """
    names = list(dict.fromkeys(map(str, groups)))
    tables = {way: np.asarray(own, np.float64) for way, own in values.items()}
    wrong = [way for way, own in tables.items() if own.shape != (len(groups),)]
    if not tables or not names or wrong:
        raise ValueError(
            f"group_strips: needs ways with one value for each of {len(groups)} groups; "
            f"got {wrong or 'none'}"
        )
    figure = sheet(max(5.0, (0.3 + 0.16 * len(tables)) * len(names) + 1.6), 3.8)
    axes = figure.subplots()
    rng = np.random.default_rng(seed)
    owner = np.array([names.index(str(group)) for group in groups])
    axes.axhline(0, color="0.55", linewidth=0.9)
    for place, (way, own) in enumerate(tables.items()):
        shift = (place - (len(tables) - 1) / 2) * 0.7 / len(tables)
        spread = rng.uniform(-0.18, 0.18, len(owner)) / len(tables)
        colour = COLOURS[place % len(COLOURS)]
        axes.scatter(
            owner + shift + spread,
            own,
            s=13,
            color=colour,
            alpha=0.65,
            linewidths=0,
            marker=MARKERS[place % len(MARKERS)],
            label=way,
        )
        _means(axes, owner, own, shift, 0.3 / len(tables), colour)
    axes.set_xticks(range(len(names)), names, rotation=0 if max(map(len, names)) < 5 else 40)
    axes.set_xlabel("group")
    axes.set_ylabel(quantity)
    plain(axes)
    if len(tables) > 1:
        figure.legend(loc="outside lower center", fontsize=8, ncols=min(5, len(tables)))
    if title:
        axes.set_title(title, fontsize=11)
    return picture(figure)


def _means(axes: Any, owner: Any, values: Any, shift: float, reach: float, colour: str) -> None:
    for place in np.unique(owner):
        middle = float(values[owner == place].mean())
        axes.plot(
            [place + shift - reach, place + shift + reach], [middle] * 2, color=colour, linewidth=2
        )


def _check(function: str, guess: Any, true: Any) -> None:
    if guess.ndim != 1 or guess.shape != true.shape or not guess.size:
        raise ValueError(
            f"{function}: needs two vectors of one length, not empty; "
            f"got shapes {guess.shape} and {true.shape}"
        )
    if not (np.isfinite(guess).all() and np.isfinite(true).all()):
        raise ValueError(f"{function}: every value must be finite; got NaN or infinity")
