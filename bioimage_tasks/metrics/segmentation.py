"""All segmentation metrics of one image against its gold standard, from one table.

Two label images come in, one :class:`Scores` goes out; its fields are the columns of
every results table. Each convention stands in the module that computes it: pairs,
matching, coelho. Must not know files, methods or tasks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_labels, check_same_shape, sequential
from bioimage_tasks.metrics.coelho import assign, distances
from bioimage_tasks.metrics.contingency import table_of
from bioimage_tasks.metrics.matching import DSB_THRESHOLDS, match
from bioimage_tasks.metrics.pairs import adjusted_rand_index, pixel_jaccard, rand_index


@dataclass(frozen=True)
class Scores:
    """What one segmentation is worth. Distances are in pixels, all else has no unit."""

    rand: float  #: Rand index over pixel pairs, 1 is best
    adjusted_rand: float  #: corrected for chance, 1 is best
    jaccard: float  #: foreground pixels, 1 is best
    precision: float  #: of objects at IoU >= 0.5, 1 is best
    recall: float  #: of objects at IoU >= 0.5, 1 is best
    f1: float  #: of objects at IoU >= 0.5, 1 is best
    ap50: float  #: TP / (TP + FP + FN) at IoU >= 0.5, 1 is best
    ap75: float  #: the same at 0.75
    mean_ap: float  #: mean over IoU .50:.05:.95, 1 is best
    panoptic_quality: float  #: at IoU >= 0.5, 1 is best
    nsd: float  #: normalised sum of distances, 0 is best
    hausdorff: float  #: pixels, mean over objects, 0 is best
    split: float  #: objects, 0 is best
    merged: float  #: objects, 0 is best
    missing: float  #: objects, 0 is best
    spurious: float  #: objects, 0 is best
    n_gold: float  #: gold objects
    n_labels: float  #: labelled objects

    def as_dict(self) -> dict[str, float]:
        """Return the scores by name, in the order of the fields."""
        return asdict(self)


def score(labels: npt.ArrayLike, gold: npt.ArrayLike) -> Scores:
    """Score labels against the gold standard: ``score(labels, gold).f1``.

    Parameters
    ----------
    labels, gold : array_like of int
        Same shape, 2D or 3D; 0 is background. Numbering does not matter. Every object
        counts, also those that touch the border or are small.

    Returns
    -------
    Scores

    Raises
    ------
    ValueError
        Shapes differ, or a label image is empty, negative or not of integers.

    Examples
    --------
    >>> score([[0, 5], [0, 5]], [[0, 1], [0, 1]]).f1
    1.0
    """
    theirs = check_labels("score", "labels", labels)
    truth = check_labels("score", "gold", gold)
    check_same_shape("score", theirs, truth)
    ours, right = sequential(theirs), sequential(truth)
    table = table_of(ours, right)
    matchings = {tau: match(table, tau) for tau in DSB_THRESHOLDS}
    half = matchings[0.5]
    assignment = assign(table)
    far = distances(ours, right, assignment.labels_to_gold)
    return Scores(
        rand=rand_index(table),
        adjusted_rand=adjusted_rand_index(table),
        jaccard=pixel_jaccard(table),
        precision=half.precision,
        recall=half.recall,
        f1=half.f1,
        ap50=half.ap,
        ap75=matchings[0.75].ap,
        mean_ap=float(np.mean([matching.ap for matching in matchings.values()])),
        panoptic_quality=half.panoptic_quality,
        nsd=far.mean_nsd,
        hausdorff=far.mean_hausdorff,
        split=assignment.split,
        merged=assignment.merged,
        missing=assignment.missing,
        spurious=assignment.spurious,
        n_gold=table.n_gold,
        n_labels=table.n_labels,
    )


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Return the mean over images of every field (macro average: images weigh the same).

    Raises
    ------
    ValueError
        There is none to average.
    """
    every = list(scores)
    if not every:
        raise ValueError("mean_scores: needs the scores of at least one image; got none")
    return Scores(
        **{
            field.name: float(np.mean([getattr(one, field.name) for one in every]))
            for field in fields(Scores)
        }
    )
