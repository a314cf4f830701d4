"""The best choice of regions that do not overlap, exactly, by dynamic programming.

A tree of regions and a gain for each come in, the rows of the chosen regions go out. A
region can be taken whole, or replaced by what is best among its parts at its neck, or by
what is best among those of the next higher threshold. Must not know images.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from bioimage_tasks.segmentation.candidates import Doubles, Integers

Flags = npt.NDArray[np.bool_]


class Tree(Protocol):
    """How regions lie in each other, as :class:`.candidates.Regions` tells."""

    @property
    def parent(self) -> Integers:
        """The region each was cut from, -1 for none; always a lower row."""
        ...

    @property
    def cut(self) -> Flags:
        """Whether each was cut from its parent at a neck."""
        ...


def choose(regions: Tree, gain: Doubles) -> Integers:
    """Return the rows of the regions with the greatest sum of gains: ``choose(r, score - 0.5)``.

    Parameters
    ----------
    regions : Tree
    gain : numpy.ndarray of float, shape (regions,)
        What taking a region adds; one that adds nothing (0 or less) is not taken.

    Returns
    -------
    numpy.ndarray of int64
        Ascending rows; no two of these regions share a pixel.
    """
    _, take, by_cut = best_sums(regions, gain)
    state = np.zeros(len(regions.parent), dtype=np.int8)  # 1: looked into, 2: taken
    for row in range(len(regions.parent)):
        parent = int(regions.parent[row])
        if parent < 0:
            open_ = True
        else:
            open_ = state[parent] == 1 and bool(regions.cut[row]) == bool(by_cut[parent])
        if open_:
            state[row] = 2 if take[row] else 1
    return np.flatnonzero(state == 2)


def best_sums(regions: Tree, gain: Doubles) -> tuple[Doubles, Flags, Flags]:
    """Return each region's greatest sum, whether it is taken, and else whether it is cut."""
    count = len(regions.parent)
    best = np.zeros(count)
    parts = np.zeros((2, count))  # sums over the parts of a higher threshold, of a cut
    take = np.zeros(count, dtype=bool)
    by_cut = np.zeros(count, dtype=bool)
    for row in range(count - 1, -1, -1):
        higher, cut = parts[0, row], parts[1, row]
        by_cut[row] = cut > higher
        inner = max(higher, cut, 0.0)
        take[row] = gain[row] > 0 and gain[row] >= inner
        best[row] = gain[row] if take[row] else inner
        parent = regions.parent[row]
        if parent >= 0:
            parts[int(regions.cut[row]), parent] += best[row]
    return best, take, by_cut
