"""Out-of-fold predictions: what each image was predicted as by a model that never saw it.

Results of folds come in, one table of predictions goes out: truth, prediction, fold, group,
mean of the training fold. Scores are made of it, of all images or of each group. Must not
know estimators.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.learning.folds import FoldResult
from bioimage_tasks.learning.schedules import GroupLeak, check_folds
from bioimage_tasks.metrics.classification import ClassificationScores, classification_scores
from bioimage_tasks.metrics.regression import RegressionScores, regression_scores

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Predictions of n images, each by a model that never saw it.

    Attributes
    ----------
    truth, predicted : numpy.ndarray
        Shape (n,), numbers or classes.
    folds : tuple of str
        Name of the fold that left each image out.
    groups : tuple of str
        Group of each image; "" where it is unknown.
    fold_means : numpy.ndarray of float64
        Shape (n,): mean target of the training fold; NaN for classes.
    whole_groups : bool
        Whether every model was kept from all images of the group it was tested on. Only
        then do scores speak of the next experiment.
    name : str
        How tables call it.
    """

    truth: Array = field(repr=False)
    predicted: Array = field(repr=False)
    folds: tuple[str, ...] = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    fold_means: Values = field(repr=False)
    whole_groups: bool = True
    name: str = ""

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.truth)

    def named(self, name: str) -> OutOfFold:
        """Return the same under another name."""
        return replace(self, name=name)

    def with_predicted(self, predicted: Any, name: str = "") -> OutOfFold:
        """Return other predictions of the same images in the same folds."""
        values = np.asarray(predicted)
        if values.shape != self.truth.shape:
            raise ValueError(
                f"with_predicted: needs one prediction an image, {len(self)}; got {values.shape}"
            )
        return replace(self, predicted=values, name=name or self.name)

    def some(self, chosen: Any) -> OutOfFold:
        """Return those of a mask or of indices."""
        wanted = np.asarray(chosen)
        places = np.arange(len(self))[wanted if wanted.size else wanted.astype(np.int64)]
        return replace(
            self,
            truth=self.truth[places],
            predicted=self.predicted[places],
            folds=tuple(self.folds[place] for place in places),
            groups=tuple(self.groups[place] for place in places),
            fold_means=self.fold_means[places],
        )

    def regression(self) -> RegressionScores:
        """Return the scores of numbers: Q2 in both forms, R2, MAE, RMSE, bias."""
        means = self.fold_means if np.isfinite(self.fold_means).all() else None
        return regression_scores(self.predicted, self.truth, means)

    def classification(self) -> ClassificationScores:
        """Return the scores of classes."""
        return classification_scores(self.predicted, self.truth)

    def by_group(self) -> dict[str, OutOfFold]:
        """Return the predictions of each group, in order of appearance."""
        names = np.asarray(self.groups, dtype=object)
        return {name: self.some(names == name) for name in dict.fromkeys(self.groups)}


def gather(
    results: Sequence[FoldResult],
    targets: Sequence[Any] | Array,
    groups: Sequence[Any] | None = None,
    *,
    by_image: bool = False,
    name: str = "",
) -> OutOfFold:
    """Put the results of folds together: ``gather(results, y, groups)``.

    Parameters
    ----------
    results : sequence of FoldResult
        That leave out every image once.
    targets : sequence
        Shape (n,).
    groups : sequence of str, optional
        Shape (n,).
    by_image : bool
        Whether images, not groups, were left out. Without it every fold is looked at, and a
        group on both sides is an error.
    name : str
        How tables call it.

    Raises
    ------
    GroupLeak
        A model was trained on the group that it was tested on.
    ValueError
        An image was left out by no fold or by several; groups are missing.
    """
    truth = np.asarray(targets)
    folds = [result.fold for result in results]
    if groups is None and not by_image:
        raise ValueError("gather: needs the group of every image, or by_image=True; got None")
    names = ("",) * len(truth) if groups is None else tuple(map(str, groups))
    top = max((place for fold in folds for place in (*fold.train, *fold.test)), default=-1)
    if len(names) != len(truth) or top >= len(truth):
        raise ValueError(
            f"gather: folds, targets and groups must be of the same images; got {len(truth)} "
            f"targets, {len(names)} groups, indices up to {top}"
        )
    check_folds(folds, None if by_image else names)
    tested = np.zeros(len(truth), dtype=int)
    np.add.at(tested, [place for fold in folds for place in fold.test], 1)
    if (tested != 1).any():
        wrong = int(np.flatnonzero(tested != 1)[0])
        raise ValueError(
            f"gather: every image must be left out by one fold; got image {wrong} left out by "
            f"{tested[wrong]}"
        )
    order = np.argsort([place for fold in folds for place in fold.test])
    predicted = np.concatenate([np.asarray(result.predicted) for result in results])[order]
    places = np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds])[order]
    means = np.array([result.train_mean for result in results])[places]
    labels = tuple(folds[place].name for place in places)
    whole = groups is not None and _whole(results, names)
    return OutOfFold(truth, predicted, labels, names, means, whole, name)


def leak(by_image: OutOfFold, by_group: OutOfFold) -> float:
    """Return how much better leaving out images looks than leaving out groups, in points.

    A point is 0.01 of Q2 around the mean of all (numbers) or of accuracy (classes). The
    mean of all is taken for both, as that of the training fold differs between the two.

    Raises
    ------
    ValueError
        The two are not about the same images.
    """
    if by_image.truth.shape != by_group.truth.shape or (by_image.truth != by_group.truth).any():
        raise ValueError("leak: both must be about the same images in the same order")
    return 100 * (_headline(by_image) - _headline(by_group))


def _headline(found: OutOfFold) -> float:
    if found.truth.dtype.kind in "fiu" and np.isfinite(found.fold_means).any():
        return found.regression().q2
    return found.classification().accuracy


def _whole(results: Sequence[FoldResult], groups: Sequence[str]) -> bool:
    try:
        check_folds([result.fold for result in results], groups)
    except GroupLeak:
        return False
    return True
