"""One fold: fit on the training images, predict those left out. A plain function, so a task.

Images (rows of features, or bags of parts) and a fold come in, the predictions of the
images left out go out together with whom the model was trained on: later stages *check*
what they combine instead of trusting it. Everything that is fitted is fitted here.

Must not know how folds were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_choice
from bioimage_tasks.learning.estimators import build
from bioimage_tasks.learning.schedules import Fold, check_folds

Values = npt.NDArray[np.float64]
#: What is predicted: numbers or classes.
KINDS = ("regression", "classification")


class Bag(Protocol):
    """Parts of an image: ``values`` (m, features), ``areas`` (m,), ``targets`` (m,) or None."""

    values: Any
    areas: Any
    targets: Any


@dataclass(frozen=True, eq=False)
class FoldResult:
    """Predictions of the images that one fold left out.

    Attributes
    ----------
    fold : Fold
        With whom the model was trained on.
    predicted : numpy.ndarray
        Shape (test,), in the order of ``fold.test``: numbers or classes.
    train_mean : float
        Mean target of the training images; NaN for classes.
    """

    fold: Fold
    predicted: Array = field(repr=False)
    train_mean: float = float("nan")


def fit_predict(
    recipe: Any,
    images: Any,
    targets: Sequence[Any] | Array,
    fold: Fold,
    *,
    kind: str = "regression",
    parts: bool | None = None,
    max_parts: int | None = None,
    limits: tuple[float, float] | None = None,
    seed: int = 0,
) -> FoldResult:
    """Fit on ``fold.train``, predict ``fold.test``: ``fit_predict("ridge", X, y, fold)``.

    Parameters
    ----------
    recipe : str, Recipe or scikit-learn estimator
        See :func:`~bioimage_tasks.learning.estimators.build`.
    images : array_like or sequence
        Shape (n, features); or one bag an image, an array (m, features) or an object with
        ``values``, ``areas`` and ``targets``.
    targets : sequence
        Shape (n,): numbers or classes.
    fold : Fold
    kind : str
        One of :data:`KINDS`.
    parts : bool, optional
        With bags. True (the default for bags that have areas): the estimator learns parts,
        each with its own target or else its image's, and the predictions of an image's
        parts are averaged by area (for classes: probabilities). False: the estimator takes
        the bags themselves, as one does that begins with a code book.
    max_parts : int, optional
        At most this many parts of each image are trained on, drawn with ``seed``.
    limits : (float, float), optional
        Predictions are clipped to these, as shares are to 0 and 1.
    seed : int
        Of the estimator and of the draw.

    Raises
    ------
    ValueError
        The fold leaks or does not fit the images; targets are not finite, or of one class;
        features are missing and the learner takes none such; or the recipe is none.
    """
    check_choice("fit_predict", "kind", kind, KINDS)
    check_folds([fold])
    y = _check_targets(targets, fold, len(images), kind)
    train = [images[place] for place in fold.train]
    test = [images[place] for place in fold.test]
    estimator = build(recipe, seed)
    if parts is None:
        parts = all(hasattr(image, "areas") for image in train)
    if parts:
        predicted = _by_parts(estimator, train, y[list(fold.train)], test, kind, max_parts, seed)
    else:
        rows = _rows(train) if _plain(train) else train
        with _missing_told(rows):
            estimator.fit(rows, y[list(fold.train)])
        rows = _rows(test) if _plain(test) else test
        with _missing_told(rows):
            predicted = np.asarray(estimator.predict(rows))
    if limits is not None:
        predicted = np.clip(predicted, *limits)
    mean = float(y[list(fold.train)].mean()) if kind == "regression" else float("nan")
    return FoldResult(fold, predicted, mean)


def cross_predict(
    recipe: Any, images: Any, targets: Sequence[Any] | Array, folds: Sequence[Fold], **how: Any
) -> list[FoldResult]:
    """Run :func:`fit_predict` on fold after fold, for those who need no tasks."""
    return [fit_predict(recipe, images, targets, fold, **how) for fold in folds]


def _check_targets(targets: Any, fold: Fold, n: int, kind: str) -> Array:
    y = np.asarray(targets)
    if y.shape != (n,) or max(*fold.train, *fold.test) >= n:
        raise ValueError(
            f"fit_predict: images, targets and fold must belong together; got {n} images, "
            f"targets of shape {y.shape}, indices up to {max(*fold.train, *fold.test)}"
        )
    if kind == "regression":
        y = y.astype(np.float64)
        if not np.isfinite(y).all():
            bad = np.flatnonzero(~np.isfinite(y))
            raise ValueError(f"fit_predict: targets must be finite; got {y[bad[0]]} at {bad[0]}")
    elif len(set(y[list(fold.train)].tolist())) < 2:
        raise ValueError(
            f"fit_predict: the training images must have two classes or more, else there is "
            f"nothing to tell apart; got {y.tolist()[fold.train[0]]!r} alone in fold {fold.name!r}"
        )
    return y


@contextmanager
def _missing_told(rows: Any) -> Iterator[None]:
    """Say what to do when a learner refuses features because some are not defined."""
    try:
        yield
    except ValueError as trouble:
        gone = ~np.isfinite(rows) if isinstance(rows, np.ndarray) else np.zeros((1, 1), bool)
        if not gone.any():
            raise
        raise ValueError(
            f"fit_predict: this learner takes no missing features; put recipe('impute') in front "
            f"of it or leave those features out; got NaN or infinity in {int(gone.any(1).sum())} "
            f"of {len(gone)} rows, first in column {int(np.flatnonzero(gone.any(0))[0])}"
        ) from trouble


def _plain(images: Sequence[Any]) -> bool:
    return all(
        isinstance(image, np.ndarray | list | tuple) and np.ndim(image) == 1 for image in images
    )


def _rows(images: Sequence[Any]) -> Values:
    rows = np.asarray(images, dtype=np.float64)
    return rows


def _by_parts(
    estimator: Any,
    train: Sequence[Any],
    y: Array,
    test: Sequence[Any],
    kind: str,
    max_parts: int | None,
    seed: int,
) -> Array:
    """Fit on parts of the training images; average the predictions of an image's by area."""
    rng = np.random.default_rng(seed)
    rows, targets = [], []
    for image, target in zip(train, y, strict=True):
        values, own = _values(image), getattr(image, "targets", None)
        chosen = np.arange(len(values))
        if max_parts is not None and len(values) > max_parts:
            chosen = np.sort(rng.choice(chosen, max_parts, replace=False))
        rows.append(values[chosen])
        alike = own is None or kind == "classification"
        targets.append(np.full(len(chosen), target) if alike else np.asarray(own)[chosen])
    every = np.concatenate(rows)
    with _missing_told(every):
        estimator.fit(every, np.concatenate(targets))
    if kind == "regression":
        found = [np.average(estimator.predict(_values(i)), weights=_areas(i)) for i in test]
        return np.array(found, dtype=np.float64)
    shares = [np.average(estimator.predict_proba(_values(i)), 0, _areas(i)) for i in test]
    return np.asarray(estimator.classes_[np.argmax(shares, axis=1)])


def _values(image: Any) -> Array:
    values = np.asarray(getattr(image, "values", image))
    if values.ndim != 2 or not len(values):
        raise ValueError(
            f"fit_predict: a bag must hold parts, shape (m, features); got shape {values.shape}"
        )
    return values


def _areas(image: Any) -> Array | None:
    areas = getattr(image, "areas", None)
    return None if areas is None else np.asarray(areas, dtype=np.float64)
