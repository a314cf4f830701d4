"""Several ways combined: their mean, or a regression on predictions that are out-of-fold.

Results of folds of several ways come in, combined out-of-fold predictions go out. The
regression of a stack is itself cross-validated: for a fold that is left out it learns from
predictions of the other images by models that saw neither those images' groups *nor* the
fold left out. Which models these are is read from the results, not believed.

Wolpert 1992, doi:10.1016/S0893-6080(05)80023-1; non-negative: Breiman 1996,
doi:10.1007/BF00117832; for NETs Coelho et al. 2015, doi:10.1093/bioinformatics/btv156.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_choice
from bioimage_tasks.learning.folds import FoldResult
from bioimage_tasks.learning.results import OutOfFold, gather
from bioimage_tasks.learning.schedules import Fold, check_folds

Values = npt.NDArray[np.float64]
#: How predictions are weighed. ``convex``: weights from 0 that sum to 1, no offset; ``line``:
#: their mean with one slope and offset; ``non-negative`` and ``linear``: a weight each, free
#: sum and offset. The last three recalibrate too, a single way among them.
WEIGHINGS = ("mean", "convex", "line", "non-negative", "linear")


class NotNested(ValueError):
    """A stack would learn from predictions of models that saw what is left out."""


@dataclass(frozen=True)
class Weights:
    """What a combination adds up.

    Attributes
    ----------
    of : tuple of float
        One a way.
    offset : float
        Added, in the unit of the target.
    """

    of: tuple[float, ...]
    offset: float = 0.0

    def apply(self, predictions: npt.ArrayLike) -> Values:
        """Return the combination of predictions, shape (n, ways)."""
        table = np.asarray(predictions, dtype=np.float64)
        combined: Values = table @ np.asarray(self.of) + self.offset
        return combined


def mean(ways: Sequence[OutOfFold], name: str = "mean") -> OutOfFold:
    """Return the plain mean of out-of-fold predictions; it learns nothing.

    Raises
    ------
    ValueError
        There are none, or they are not about the same images in the same folds.
    """
    table = _table("mean", ways)
    return ways[0].with_predicted(table.mean(1), name)


def weigh(predictions: npt.ArrayLike, truth: npt.ArrayLike, how: str = "convex") -> Weights:
    """Fit the weights of ways: ``weigh(out_of_fold, truth, "linear")``.

    Parameters
    ----------
    predictions : array_like of float
        Shape (n, ways), out-of-fold.
    truth : array_like of float
        Shape (n,).
    how : str
        One of :data:`WEIGHINGS`.

    Raises
    ------
    ValueError
        Shapes do not fit, or ``how`` is none.
    """
    check_choice("weigh", "how", how, WEIGHINGS)
    table, true = np.asarray(predictions, np.float64), np.asarray(truth, np.float64)
    if table.ndim != 2 or true.shape != table.shape[:1] or not table.size:
        raise ValueError(
            f"weigh: needs predictions (n, ways) and n targets; got {table.shape}, {true.shape}"
        )
    ways = table.shape[1]
    if how == "mean":
        return Weights((1 / ways,) * ways)
    if how == "convex":
        return Weights(_convex(table, true))
    from sklearn.linear_model import LinearRegression

    if how == "line":
        model = LinearRegression().fit(table.mean(1, keepdims=True), true)
        return Weights((float(model.coef_[0]) / ways,) * ways, float(model.intercept_))
    model = LinearRegression(positive=how == "non-negative").fit(table, true)
    return Weights(tuple(map(float, model.coef_)), float(model.intercept_))


def _convex(table: Values, true: Values) -> tuple[float, ...]:
    """Return least squares weights from 0 that sum to 1.

    A heavy row asks for the sum (Lawson and Hanson 1974, ch. 20), and the rest is scaled.
    """
    from scipy.optimize import nnls

    heavy = 1e4 * max(1.0, float(np.abs(table).max()))
    found, _ = nnls(np.vstack([table, np.full(table.shape[1], heavy)]), np.append(true, heavy))
    return tuple(map(float, found / found.sum()))


def pairs(folds: Sequence[Fold]) -> list[Fold]:
    """Return a fold for every two of ``folds``, both left out: what a nested stack needs.

    For a left-out fold ``a``, predictions of ``b`` come from the model without ``a`` and
    ``b``; it also serves the other way round, so n folds need n (n - 1) / 2 more fits.
    """
    return [
        Fold(
            f"{one.name}+{other.name}",
            tuple(sorted(set(one.train) & set(other.train))),
            tuple(sorted(set(one.test) | set(other.test))),
        )
        for one, other in combinations(folds, 2)
    ]


def stack(
    base: Sequence[Sequence[FoldResult]],
    inner: Sequence[Sequence[FoldResult]],
    targets: Sequence[float] | Values,
    groups: Sequence[Any] | None,
    how: str = "convex",
    *,
    by_image: bool = False,
    limits: tuple[float, float] | None = None,
    name: str = "",
) -> OutOfFold:
    """Combine ways by a nested regression: ``stack(base, inner, y, groups, "linear")``.

    Parameters
    ----------
    base : sequence of sequences of FoldResult
        Results of each way in the same folds.
    inner : sequence of sequences of FoldResult
        Results of each way with two folds left out, see :func:`pairs`; any other results
        will do that saw neither.
    targets : sequence of float
        Shape (n,).
    groups : sequence of str, optional
        Shape (n,).
    how : str
        One of :data:`WEIGHINGS`.
    by_image : bool
        See :func:`~bioimage_tasks.learning.results.gather`.
    limits : (float, float), optional
        The combination is clipped to these.
    name : str
        How tables call it.

    Raises
    ------
    NotNested
        Some image has no prediction by a model that saw neither it nor the fold left out.
    GroupLeak
        A model was trained on the group that it was tested on.
    ValueError
        Results are not of the same folds, or see :func:`weigh`.
    """
    ways = [gather(results, targets, groups, by_image=by_image) for results in base]
    table = _table("stack", ways)
    for results in inner:
        check_folds([result.fold for result in results], None if by_image else groups)
    combined = np.full(len(table), np.nan)
    for place, result in enumerate(base[0]):
        fold = result.fold
        if any(set(results[place].fold.train) != set(fold.train) for results in base):
            raise ValueError(f"stack: all ways must have the same folds; got others at {place}")
        weights = weigh(*_seen(inner, fold, targets), how)
        combined[list(fold.test)] = weights.apply(table[list(fold.test)])
    if limits is not None:
        combined = np.clip(combined, *limits)
    return ways[0].with_predicted(combined, name or how)


def _seen(
    inner: Sequence[Sequence[FoldResult]], fold: Fold, targets: Sequence[float] | Values
) -> tuple[Values, Values]:
    """Return out-of-fold predictions of a training fold by models that never saw ``fold``."""
    columns = []
    for way, results in enumerate(inner):
        known = _predictions(results, fold)
        missing = [place for place in fold.train if place not in known]
        if missing:
            raise NotNested(
                f"stack: what a stack learns from must be predicted by models that saw neither "
                f"the image nor the fold left out; make them with pairs(folds); got none for "
                f"image {missing[0]} without fold {fold.name!r} in way {way}"
            )
        columns.append([known[place] for place in fold.train])
    return np.array(columns).T, np.asarray(targets, np.float64)[list(fold.train)]


def _predictions(results: Sequence[FoldResult], fold: Fold) -> Mapping[int, float]:
    gone = set(fold.test)
    known: dict[int, float] = {}
    for result in results:
        if gone.isdisjoint(result.fold.train):
            known.update(zip(result.fold.test, result.predicted.tolist(), strict=True))
    return known


def residuals(ways: Sequence[OutOfFold]) -> Values:
    """Return prediction - truth of every way, shape (n, ways), in the unit of the truth."""
    found: Values = _table("residuals", ways) - ways[0].truth[:, None]
    return found


def residual_correlation(ways: Sequence[OutOfFold]) -> Values:
    """Return Pearson's correlation of the residuals of every two ways, shape (ways, ways).

    Ways that err together have little to give each other. 0 beside a way without spread.
    """
    away = residuals(ways)
    away = away - away.mean(0)
    length = np.sqrt((away**2).sum(0))
    scaled = away / np.where(length > 1e-12, length, np.inf)
    matrix: Values = np.clip(scaled.T @ scaled, -1, 1)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def _table(function: str, ways: Sequence[OutOfFold]) -> Values:
    if not ways:
        raise ValueError(f"{function}: needs one way or more; got none")
    for way in ways[1:]:
        same = np.array_equal(way.truth, ways[0].truth) and way.folds == ways[0].folds
        if not same:
            raise ValueError(
                f"{function}: ways must be about the same images in the same folds; "
                f"got {way.name!r} beside {ways[0].name!r}"
            )
    return np.array([way.predicted for way in ways], dtype=np.float64).T
