"""Metrics that ask of every *pair of pixels* whether both images keep it together.

A :class:`Contingency` comes in, numbers go out. Background counts as one more region,
as it does for scikit-learn's functions of the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from bioimage_tasks.metrics.contingency import Contingency


@dataclass(frozen=True)
class PairCounts:
    """Numbers of pixel pairs, in Coelho's letters (exact integers).

    Attributes
    ----------
    together : int
        a: together in labels and in gold.
    only_gold : int
        b: together in gold only.
    only_labels : int
        c: together in labels only.
    apart : int
        d: apart in both.
    """

    together: int
    only_gold: int
    only_labels: int
    apart: int


def pair_counts(table: Contingency) -> PairCounts:
    """Count pixel pairs by the table: ``pair_counts(contingency(labels, gold))``."""
    together = _pairs(table.shared)
    in_gold = _pairs(table.gold_area)
    in_labels = _pairs(table.label_area)
    every = comb(table.pixels, 2)
    return PairCounts(
        together=together,
        only_gold=in_gold - together,
        only_labels=in_labels - together,
        apart=every - in_gold - in_labels + together,
    )


def _pairs(sizes: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    # Python integers: a billion-pixel volume squared does not fit 64 bits.
    return sum(comb(int(size), 2) for size in sizes)


def rand_index(table: Contingency) -> float:
    """Return the Rand index (a + d) / (a + b + c + d), 1 for equal images.

    Rand 1971, doi:10.1080/01621459.1971.10482356. One single pixel: 1 by convention.
    """
    counts = pair_counts(table)
    every = comb(table.pixels, 2)
    return (counts.together + counts.apart) / every if every else 1.0


def adjusted_rand_index(table: Contingency) -> float:
    """Return the Rand index corrected for chance: 1 for equal images, about 0 for random ones.

    Hubert and Arabie 1985, doi:10.1007/BF01908075. Two images that are one region each,
    or all pixels apart: 1 by convention.
    """
    n = pair_counts(table)
    top = 2 * (n.together * n.apart - n.only_gold * n.only_labels)
    bottom = (n.together + n.only_gold) * (n.only_gold + n.apart)
    bottom += (n.together + n.only_labels) * (n.only_labels + n.apart)
    return top / bottom if bottom else 1.0


def pair_jaccard(table: Contingency) -> float:
    """Return (a + d) / (b + c + d), which Coelho 2009 prints as "Jaccard".

    It has no upper bound and is not comparable with any other Jaccard index; it is here
    for the published table only (doi:10.1109/ISBI.2009.5193098). Infinite when the
    denominator is 0.
    """
    counts = pair_counts(table)
    bottom = counts.only_gold + counts.only_labels + counts.apart
    return (counts.together + counts.apart) / bottom if bottom else float("inf")


def pixel_jaccard(table: Contingency) -> float:
    """Return the Jaccard index of the foregrounds: shared / either, in [0, 1].

    Two empty foregrounds agree: 1 by convention.
    """
    both = int(table.shared[(table.gold > 0) & (table.label > 0)].sum())
    either = int(table.shared[(table.gold > 0) | (table.label > 0)].sum())
    return both / either if either else 1.0
