"""Scores of membranes and of the cells between them, as electron microscopy counts them.

Masks of membrane and label images of cells come in, numbers go out. Adapted Rand F looks at
the pixels inside of gold cells only: how wide a membrane is drawn doesn't matter to it.
Must not know how membranes were found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Mask, check_labels, check_range, check_same_shape
from bioimage_tasks.metrics.contingency import contingency


@dataclass(frozen=True)
class MembraneScores:
    """What found membranes are worth; 1 is best for all."""

    dice: float  #: of membrane pixels
    tolerant_f1: float  #: of membrane pixels, those within 2 pixels of one count as found
    rand_f: float  #: adapted Rand F of the cells between membranes
    rand_split: float  #: its recall: falls when a cell is cut in pieces
    rand_merge: float  #: its precision: falls when cells run together

    def as_dict(self) -> dict[str, float]:
        """Return the scores by name, in the order of the fields."""
        return asdict(self)


def membrane_scores(
    membrane: npt.ArrayLike, cells: npt.ArrayLike, gold: npt.ArrayLike
) -> MembraneScores:
    """Score membranes and cells: ``membrane_scores(map > 0.5, cells, gold_membrane)``.

    Parameters
    ----------
    membrane : array_like of bool
        Found membrane, 2D or 3D.
    cells : array_like of int
        Found cells, 0 for none.
    gold : array_like of bool
        True membrane; true cells are what it leaves, connected by edges.

    Returns
    -------
    MembraneScores

    Raises
    ------
    ValueError
        Shapes differ, an array is empty, or the gold standard is membrane everywhere.
    """
    from scipy.ndimage import label

    truth = _mask("membrane_scores", "gold", gold)
    found = _mask("membrane_scores", "membrane", membrane)
    check_same_shape("membrane_scores", found, truth)
    f, split, merge = adapted_rand(cells, label(~truth)[0])
    return MembraneScores(dice(found, truth), tolerant_f1(found, truth), f, split, merge)


def dice(mask: npt.ArrayLike, gold: npt.ArrayLike) -> float:
    """Return 2 |A and B| / (|A| + |B|); two empty masks: 1 by convention.

    Dice 1945, doi:10.2307/1932409.
    """
    ours, truth = _mask("dice", "mask", mask), _mask("dice", "gold", gold)
    check_same_shape("dice", ours, truth)
    both = np.count_nonzero(ours) + np.count_nonzero(truth)
    return 2 * int(np.count_nonzero(ours & truth)) / both if both else 1.0


def tolerant_f1(mask: npt.ArrayLike, gold: npt.ArrayLike, tolerance: float = 2.0) -> float:
    """Return the F1 of mask pixels, those within ``tolerance`` pixels of the other one count.

    Both masks as they are, not thinned. Two empty masks: 1; one empty: 0.

    Raises
    ------
    ValueError
        Shapes differ, or the tolerance is negative.
    """
    from scipy.ndimage import distance_transform_edt

    ours, truth = _mask("tolerant_f1", "mask", mask), _mask("tolerant_f1", "gold", gold)
    check_same_shape("tolerant_f1", ours, truth)
    check_range("tolerant_f1", "tolerance (pixels)", tolerance, 0, float("inf"))
    if not ours.any() or not truth.any():
        return float(ours.any() == truth.any())
    precision = float((distance_transform_edt(~truth)[ours] <= tolerance).mean())
    recall = float((distance_transform_edt(~ours)[truth] <= tolerance).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def adapted_rand(labels: npt.ArrayLike, gold: npt.ArrayLike) -> tuple[float, float, float]:
    """Return the adapted Rand F, its recall (split) and its precision (merge).

    Arganda-Carreras et al. 2015, doi:10.3389/fnana.2015.00142. Counted over the pixels of
    gold objects, in pairs of different pixels. A pixel there that no label has is an object of
    its own, so that a wide membrane costs a little and is not one more region (the
    convention of SNEMI3D). No pair of one kind: 1.

    Parameters
    ----------
    labels, gold : array_like of int
        Same shape; 0 is background.

    Returns
    -------
    f, split, merge : float
        ``scikit-image``'s ``adapted_rand_error`` is 1 - f where every pixel has a label; it
        returns the other two in the order merge, split.

    Raises
    ------
    ValueError
        Shapes differ, or the gold standard has no object.
    """
    table = contingency(labels, gold)
    inside = table.gold > 0
    if not inside.any():
        raise ValueError("adapted_rand: the gold standard must have objects; got only background")
    known = inside & (table.label > 0)
    columns = np.bincount(table.label[known], weights=table.shared[known])
    together = _pairs(table.shared[known])
    in_labels, in_gold = _pairs(columns), _pairs(table.gold_area[1:])
    f = 2 * together / (in_gold + in_labels) if in_gold + in_labels else 1.0
    split = together / in_gold if in_gold else 1.0
    return f, split, together / in_labels if in_labels else 1.0


def _pairs(sizes: npt.NDArray[Any]) -> float:
    """Return the number of ordered pairs of different pixels."""
    exact = sizes.astype(np.float64)
    return float((exact * (exact - 1)).sum())


def _mask(function: str, name: str, mask: npt.ArrayLike) -> Mask:
    found: Mask = check_labels(function, name, mask) > 0
    return found
