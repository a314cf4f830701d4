"""What a candidate is among the others of its image, once all have been looked at.

The tree, measures and predicted IoU of a first look come in, further measures for a second
look go out: whether the regions that hold it or that it holds promise more, and how it
differs from the regions that the first look would choose, the usual objects of this image.
The idea of auto-context (Tu and Bai 2010, doi:10.1109/TPAMI.2009.186). Must not know images.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.segmentation.candidates import Doubles
from bioimage_tasks.segmentation.candidates_choice import Tree, best_sums, choose
from bioimage_tasks.segmentation.candidates_usual import FEW, differences

#: What an object must be worth at the first look.
COST = 0.55
#: Columns of :func:`context` beside the predictions and :data:`.candidates_usual.COMPARED`.
KINSHIP = ("over_holders", "over_parts", "parts", "parts_gain", "chosen", "usual_worth")


def context(tree: Tree, measures: Doubles, predicted: Doubles) -> Doubles:
    """Return the second look's measures: ``context(regions, measures, predicted)``.

    Parameters
    ----------
    tree : Tree
    measures : numpy.ndarray of float64, shape (regions, measures)
        The first columns are :data:`.candidates_measures.MEASURES`.
    predicted : numpy.ndarray of float64, shape (regions, outputs)
        Of a first look that did not learn from this image; IoU first.

    Returns
    -------
    numpy.ndarray of float64
        Shape (regions, outputs + 6 + 8): the predictions, :data:`KINSHIP`, and the
        differences to the median chosen region in :data:`.candidates_usual.COMPARED`.
    """
    worth = predicted[:, 0]
    gain = worth - COST
    over, below, parts = _kin(tree, worth, gain)
    chosen = choose(tree, gain)
    flags = np.zeros(len(worth))
    flags[chosen] = 1
    usual = chosen if len(chosen) >= FEW else np.argsort(-worth, kind="stable")[:FEW]
    kinship = (
        worth - over,
        worth - below,
        parts,
        parts - np.maximum(gain, 0),
        flags,
        np.full(len(worth), np.median(worth[usual])),
    )
    return np.column_stack([predicted, *kinship, differences(measures, usual)])


def _kin(tree: Tree, worth: Doubles, gain: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Return the greatest worth above and below each region, and the best sum of its parts."""
    count, parent = len(worth), tree.parent
    best, _, _ = best_sums(tree, gain)
    over, below, sums = np.zeros(count), np.zeros(count), np.zeros((2, count))
    for row in range(count):
        up = parent[row]
        if up >= 0:
            over[row] = max(over[up], worth[up])
    for row in range(count - 1, -1, -1):
        up = parent[row]
        if up >= 0:
            below[up] = max(below[up], below[row], worth[row])
            sums[int(tree.cut[row]), up] += best[row]
    return over, below, sums.max(0)
