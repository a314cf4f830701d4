"""Objects matched one to one at an intersection over union (IoU) of at least tau.

A :class:`Contingency` comes in, counts and their ratios go out. Conventions, the same as
``stardist.matching``: IoU >= tau (not >); of all one-to-one matchings one with the most
pairs is taken, and among those the one with the greatest sum of IoU. "AP" is
TP / (TP + FP + FN) of one image (Caicedo 2019, doi:10.1038/s41592-019-0612-7), NOT the
area under a precision-recall curve. No object in either image: all ratios are 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bioimage_tasks.checks import check_range
from bioimage_tasks.metrics.contingency import Contingency, Floats, Integers

#: The thresholds of the Data Science Bowl: .50, .55, ... .95.
DSB_THRESHOLDS: tuple[float, ...] = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))


@dataclass(frozen=True)
class Matching:
    """True positives, false positives and false negatives at IoU >= ``tau``."""

    tau: float
    tp: int
    fp: int
    fn: int
    iou_sum: float  #: sum of the IoU of the matched pairs

    @property
    def precision(self) -> float:
        """TP / (TP + FP): how many of the found objects are right."""
        return _ratio(self.tp, self.tp + self.fp, empty=self.fn == 0)

    @property
    def recall(self) -> float:
        """TP / (TP + FN): how many of the gold objects were found."""
        return _ratio(self.tp, self.tp + self.fn, empty=self.fp == 0)

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN)."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn, empty=True)

    @property
    def ap(self) -> float:
        """TP / (TP + FP + FN)."""
        return _ratio(self.tp, self.tp + self.fp + self.fn, empty=True)

    @property
    def panoptic_quality(self) -> float:
        """Sum of IoU / (TP + FP/2 + FN/2), Kirillov 2019, doi:10.1109/CVPR.2019.00963."""
        return _ratio(self.iou_sum, self.tp + (self.fp + self.fn) / 2, empty=True)


def _ratio(top: float, bottom: float, *, empty: bool) -> float:
    # Nothing to divide by: right (1) when nothing was there to find or to invent.
    return top / bottom if bottom else float(empty)


def match(table: Contingency, tau: float = 0.5) -> Matching:
    """Match objects of IoU at least ``tau``: ``match(contingency(labels, gold), 0.5).f1``.

    Parameters
    ----------
    table : Contingency
    tau : float
        In (0, 1].

    Raises
    ------
    ValueError
        ``tau`` lies outside.
    """
    check_range("match", "tau", tau, np.nextafter(0.0, 1.0), 1.0)
    gold, label, iou = table.objects()
    near = iou >= tau
    gold, label, iou = gold[near], label[near], iou[near]
    if tau <= 0.5 and not (_distinct(gold) and _distinct(label)):
        # Above one half an object can match only one other; at or below it may match more.
        iou = iou[_assign(gold, label, iou)]
    count = len(iou)
    return Matching(tau, count, table.n_labels - count, table.n_gold - count, float(iou.sum()))


def average_precision(
    table: Contingency, thresholds: Sequence[float] = DSB_THRESHOLDS
) -> dict[float, float]:
    """Return AP at each threshold; their mean is the "mean AP" of the Data Science Bowl."""
    return {tau: match(table, tau).ap for tau in thresholds}


def _distinct(numbers: Integers) -> bool:
    return len(np.unique(numbers)) == len(numbers)


def _assign(gold: Integers, label: Integers, iou: Floats) -> Integers:
    """Return the indices of the pairs in a best one-to-one matching."""
    from scipy.optimize import linear_sum_assignment

    rows, row = np.unique(gold, return_inverse=True)
    columns, column = np.unique(label, return_inverse=True)
    gain = np.zeros((len(rows), len(columns)))
    # 1 a pair, plus less than 1 in all for quality: the number of pairs counts first.
    gain[row, column] = 1.0 + iou / (2 * min(gain.shape) + 1)
    index = np.full(gain.shape, -1)
    index[row, column] = np.arange(len(iou))
    chosen = index[linear_sum_assignment(gain, maximize=True)]
    picked: Integers = chosen[chosen >= 0]
    return picked
