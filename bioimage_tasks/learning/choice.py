"""A model chosen inside the fold: nested cross-validation.

Candidate recipes, images and an outer fold come in; the candidate that is best in folds
*inside* the outer fold's training part predicts the images that the outer fold leaves out.
A choice made on the same predictions that are reported would be a leak.

Varma and Simon 2006, doi:10.1186/1471-2105-7-91.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array, check_choice
from bioimage_tasks.learning.folds import FoldResult, cross_predict, fit_predict
from bioimage_tasks.learning.schedules import Fold, check_folds, without
from bioimage_tasks.metrics.classification import classification_scores
from bioimage_tasks.metrics.regression import mae, rmse

#: What a candidate is judged by, out-of-fold, inside the outer fold.
JUDGES = ("rmse", "mae", "accuracy", "balanced_accuracy", "macro_f1")


@dataclass(frozen=True)
class Chosen:
    """The result of an outer fold and how its model was chosen.

    Attributes
    ----------
    result : FoldResult
    name : str
        Of the candidate.
    scores : tuple of (str, float)
        Of every candidate, inside the outer fold's training part.
    """

    result: FoldResult
    name: str
    scores: tuple[tuple[str, float], ...]


def choose(
    candidates: Mapping[str, Any],
    images: Any,
    targets: Sequence[Any] | Array,
    outer: Fold,
    folds: Sequence[Fold],
    *,
    by: str = "rmse",
    **how: Any,
) -> Chosen:
    """Choose inside an outer fold, then predict it: one task of a nested cross-validation.

    Parameters
    ----------
    candidates : mapping of str to recipe
        The first of equals wins.
    images, targets
        See :func:`~bioimage_tasks.learning.folds.fit_predict`.
    outer : Fold
        One of ``folds``.
    folds : sequence of Fold
        The schedule; without ``outer``'s images it is the inner one.
    by : str
        One of :data:`JUDGES`.
    **how
        Passed to :func:`~bioimage_tasks.learning.folds.fit_predict`.

    Raises
    ------
    ValueError
        No candidates, an unknown judge, or fewer than two inner folds.
    """
    check_choice("choose", "by", by, JUDGES)
    inner = without(folds, outer)
    if not candidates or len(inner) < 2:
        raise ValueError(
            f"choose: needs a candidate and two folds inside the outer one; "
            f"got {len(candidates)} and {len(inner)}"
        )
    check_folds(inner)
    truth = np.asarray(targets)
    scores = {}
    for name, candidate in candidates.items():
        results = cross_predict(candidate, images, targets, inner, **how)
        places = [place for result in results for place in result.fold.test]
        guess = np.concatenate([result.predicted for result in results])
        scores[name] = _judged(by, guess, truth[places])
    best = max(scores, key=lambda name: (-1 if by in ("rmse", "mae") else 1) * scores[name])
    result = fit_predict(candidates[best], images, targets, outer, **how)
    return Chosen(result, best, tuple(scores.items()))


def _judged(by: str, guess: Array, truth: Array) -> float:
    if by == "rmse":
        return rmse(guess, truth)
    if by == "mae":
        return mae(guess, truth)
    return float(classification_scores(guess, truth).as_dict()[by])
