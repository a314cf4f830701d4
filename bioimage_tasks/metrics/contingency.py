"""One table for all metrics: how many pixels each pair of gold and label object shares.

Two label images of one shape come in, a :class:`Contingency` goes out. It is sparse:
only pairs that touch are listed, so ten thousand objects against ten thousand cost
what the image costs. Background (label 0 in both) is row and column 0.

Must not know which metric will be made from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_labels, check_same_shape, sequential

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

#: A dense table of more cells than this many times the image is not made.
DENSE_CELLS = 4


@dataclass(frozen=True)
class Contingency:
    """Pixels shared by gold object ``gold[k]`` and label object ``label[k]``.

    Attributes
    ----------
    gold, label : numpy.ndarray of int64, shape (pairs,)
        Numbers of the objects after renumbering to 1..N, 0 for background; sorted by
        gold, then label. Only pairs with ``shared > 0`` are there.
    shared : numpy.ndarray of int64, shape (pairs,)
        Pixels that the two have in common.
    gold_area, label_area : numpy.ndarray of int64
        Pixels of each object, background first; lengths are number of objects + 1.
    """

    gold: Integers
    label: Integers
    shared: Integers
    gold_area: Integers
    label_area: Integers

    @property
    def n_gold(self) -> int:
        """Number of gold objects."""
        return len(self.gold_area) - 1

    @property
    def n_labels(self) -> int:
        """Number of labelled objects."""
        return len(self.label_area) - 1

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return int(self.gold_area.sum())

    def objects(self) -> tuple[Integers, Integers, Floats]:
        """Return gold number, label number and IoU of every pair without background."""
        inside = (self.gold > 0) & (self.label > 0)
        gold, label, shared = self.gold[inside], self.label[inside], self.shared[inside]
        union = self.gold_area[gold] + self.label_area[label] - shared
        return gold, label, shared / union


def contingency(labels: npt.ArrayLike, gold: npt.ArrayLike) -> Contingency:
    """Count shared pixels: ``table = contingency(labels, gold)``.

    Parameters
    ----------
    labels, gold : array_like of int
        Same shape, any number of dimensions; 0 is background. Numbers need not be
        sequential and may be as large as their dtype holds.

    Returns
    -------
    Contingency

    Raises
    ------
    ValueError
        Shapes differ, or a label image is empty, negative or not of integers.
    """
    theirs = check_labels("contingency", "labels", labels)
    truth = check_labels("contingency", "gold", gold)
    check_same_shape("contingency", theirs, truth)
    return table_of(sequential(theirs), sequential(truth))


def table_of(labels: Array, gold: Array) -> Contingency:
    """Count shared pixels of label images that are sequential already."""
    columns = int(labels.max()) + 1
    rows = int(gold.max()) + 1
    pair = gold.ravel().astype(np.int64) * columns + labels.ravel()
    if rows * columns <= DENSE_CELLS * pair.size + 4096:
        counts = np.bincount(pair, minlength=rows * columns)
        cells = np.flatnonzero(counts)
        shared = counts[cells]
    else:
        cells, shared = np.unique(pair, return_counts=True)
    row, column = np.divmod(cells, columns)
    return Contingency(
        gold=row.astype(np.int64),
        label=column.astype(np.int64),
        shared=shared.astype(np.int64),
        gold_area=_sums(row, shared, rows),
        label_area=_sums(column, shared, columns),
    )


def _sums(index: Integers, shared: Integers, size: int) -> Integers:
    return np.bincount(index, weights=shared, minlength=size).astype(np.int64)
