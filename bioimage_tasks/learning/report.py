"""Tables of predictions: scores with their intervals, leaks, the limits of what was done.

Out-of-fold predictions come in, rows (plain dicts) and text go out. A row never hides how
images were left out: where not by group, it says so. Must not know files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bioimage_tasks.learning.results import OutOfFold, leak
from bioimage_tasks.learning.schedules import leave_one_group_out
from bioimage_tasks.learning.uncertainty import bootstrap

Row = dict[str, str | float]
#: Printed under a table of which no row is by group.
BY_IMAGE = (
    "Images were left out one by one or at random: no groups (slide, patient, day) are known, so "
    "these scores may not hold for the next experiment."
)
REGRESSION = ("q2_fold", "q2")
CLASSIFICATION = ("accuracy", "balanced_accuracy")


def agreement(
    first: Sequence[float], second: Sequence[float], groups: Sequence[Any] | None, name: str
) -> OutOfFold:
    """Return one annotator as the truth and another as its prediction.

    The baseline of a human, by the functions that score models. Where groups are known, the
    "training mean" is the first annotator's over all other groups, as it would be a model's.

    Raises
    ------
    ValueError
        The two are not about the same images.
    """
    truth, guess = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if truth.shape != guess.shape or truth.ndim != 1:
        raise ValueError(
            f"agreement: both must be about the same images; got {truth.shape}, {guess.shape}"
        )
    names = ("",) * len(truth) if groups is None else tuple(map(str, groups))
    means = np.full(len(truth), np.nan)
    if groups is not None:
        for fold in leave_one_group_out(names):
            means[list(fold.test)] = truth[list(fold.train)].mean()
    return OutOfFold(truth, guess, names, names, means, groups is not None, name)


def score_row(
    found: OutOfFold,
    by_image: OutOfFold | None = None,
    *,
    kind: str = "regression",
    resamples: int = 1000,
    seed: int = 0,
) -> Row:
    """Return scores, bootstrap intervals and the leak of one way as a row.

    Parameters
    ----------
    found : OutOfFold
    by_image : OutOfFold, optional
        The same way when images are left out instead: its score stands beside, with the
        leak in points (0.01 of Q2 around the mean of all, or of accuracy).
    kind : str
        "regression" or "classification".
    resamples : int
        Of the bootstrap, over groups; over images where groups were not kept whole.
    seed : int
    """
    row: Row = {"way": found.name, "images": len(found), "groups": len(set(found.groups))}
    scores = found.regression() if kind == "regression" else found.classification()
    shown = REGRESSION if kind == "regression" else CLASSIFICATION
    row["left out"] = "group" if found.whole_groups else "image"
    for name, value in scores.as_dict().items():
        if name == "n" or np.isnan(value):
            continue
        row[name] = float(value)
        if name in shown:
            interval = bootstrap(
                found, name, resamples=resamples, seed=seed, by_image=not found.whole_groups
            )
            row[f"{name} from"], row[f"{name} to"] = interval.low, interval.high
    if by_image is not None:
        row[f"{shown[-1] if kind == 'regression' else shown[0]} by image"] = (
            by_image.regression().q2 if kind == "regression" else by_image.classification().accuracy
        )
        row["leak, points"] = leak(by_image, found)
    return row


def text(rows: Sequence[Mapping[str, str | float]], notes: Sequence[str] = ()) -> str:
    """Return rows as an aligned table, three decimals, columns of all rows, notes below.

    Raises
    ------
    ValueError
        There are no rows.
    """
    columns = columns_of(rows)
    cells = [list(columns), *([_cell(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in cells
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, *(f"\n{note}" for note in notes)]) + "\n"


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of all columns, in order of appearance."""
    if not rows:
        raise ValueError("text: needs at least one row; got none")
    return list(dict.fromkeys(name for row in rows for name in row))


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) else f"{value:.3f}"
