"""Threshold adjacency statistics: how bright pixels touch each other.

An image and labels come in, 54 shares an object go out (162 for a volume): of the pixels
that are not between two limits, above the lower one, or above the mean of the bright ones,
how many have 0-8 neighbours that are; and the same of the negatives. As in mahotas on
masked crops, for all objects at once.

Hamilton et al. 2007, doi:10.1186/1471-2105-8-110; the form without parameters: Coelho et
al. 2010, doi:10.1007/978-3-642-13131-8_4.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_choice
from bioimage_tasks.features.grey import grey_levels
from bioimage_tasks.features.grouped import ratio
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.runs import Runs
from bioimage_tasks.features.surroundings import WIDTH, Surroundings
from bioimage_tasks.features.table import FeatureTable, Values

#: Where threshold and width of the band come from.
KINDS = ("pftas", "tas")
MASKS = ("band", "above_band", "above_mean")
#: Threshold and half width of the band as published, of 256 levels.
PUBLISHED = 30
#: Objects whose histograms are held at once.
BLOCK = 4096


@register("tas", dimensions=(2, 3))
def tas(
    image: Array,
    labels: Labels | None,
    *,
    kind: str = "pftas",
    value_range: tuple[float, float] | None = None,
) -> FeatureTable:
    """Threshold adjacency statistics of every object.

    Parameters
    ----------
    image : numpy.ndarray
        2D or 3D; taken in 256 grey levels.
    labels : numpy.ndarray of int32, optional
    kind : str
        ``"pftas"``: Otsu's threshold of the crop, band as wide as the deviation above it.
        ``"tas"``: threshold and half width 30, as published for 8 bits.
    value_range : (float, float), optional
        See :func:`bioimage_tasks.features.grey.grey_levels`.

    Raises
    ------
    ValueError
        A value out of range.
    """
    check_choice("tas", "kind", kind, KINDS)
    grey = grey_levels("tas", image, 256, value_range).astype(np.uint8)
    touching = 9 if image.ndim == 2 else 27
    if labels is None:
        import mahotas

        found = np.atleast_2d(getattr(mahotas.features, kind)(grey))
    else:
        found = _of_objects(grey, labels, kind, touching)
    names = [
        f"{sign}{mask}_{neighbours}"
        for sign in ("", "not_")
        for mask in MASKS
        for neighbours in range(touching)
    ]
    return FeatureTable.of({name: ("1", found[:, i]) for i, name in enumerate(names)})


def _of_objects(grey: Array, labels: Labels, kind: str, touching: int) -> Values:
    runs = Runs.of(labels)
    around = Surroundings(runs)
    level = np.pad(grey, 1).ravel()[around.inside]
    owner = runs.flat[around.inside] - 1
    mean, margin = _bright(level, owner, runs, kind)
    # What the three masks say of a pixel outside of the object, whose level is 0.
    of_zero = np.stack(_masks(np.zeros(runs.count), mean, margin))
    apart = np.stack(_masks(level, mean[owner], margin[owner])) != of_zero[:, owner]
    packed = sum(own.astype(np.int32) << (WIDTH * place) for place, own in enumerate(apart))
    counts = around.counts(packed)
    found = np.zeros((runs.count, 2, len(MASKS), touching))
    for place, own in enumerate(apart):
        times = counts >> (WIDTH * place) & ((1 << WIDTH) - 1)
        # In the second half: pixels of the set, by how many around them are not in it.
        times[: len(own)] = np.where(own, 2 * touching - 1 - times[: len(own)], times[: len(own)])
        keys = (around.owners - 1).astype(np.int64) * (2 * touching) + times
        table = np.bincount(keys, minlength=2 * touching * runs.count)
        other, same = table.reshape(runs.count, 2, touching).astype(np.float64).swapaxes(0, 1)
        other[:, 0] += runs.box_sizes - other.sum(1) - same.sum(1)
        # Off pixels by their neighbours that are on: which are which, the zeros tell.
        lit = of_zero[place][:, None]
        found[:, 0, place] = np.where(lit, same, other)
        found[:, 1, place] = np.where(lit, other, same)
    shares: Values = ratio(found, found.sum(-1, keepdims=True))
    return shares.reshape(runs.count, 2 * len(MASKS) * touching)


def _masks(level: Array, mean: Values, margin: Values) -> tuple[npt.NDArray[np.bool_], ...]:
    above = level > mean - margin
    return above & (level < mean + margin), above, level > mean


# -- thresholds -----------------------------------------------------------------------


def _bright(level: Array, owner: Array, runs: Runs, kind: str) -> tuple[Values, Values]:
    """Return the mean of the pixels above the threshold, and the half width of the band."""
    order = np.argsort(owner, kind="stable")
    ends = np.append(0, np.cumsum(runs.sizes))
    parts = []
    for first in range(0, runs.count, BLOCK):
        last = min(first + BLOCK, runs.count)
        own = order[ends[first] : ends[last]]
        keys = (owner[own] - first).astype(np.int64) * 256 + level[own]
        table = np.bincount(keys, minlength=(last - first) * 256).reshape(-1, 256)
        table[:, 0] += runs.box_sizes[first:last] - runs.sizes[first:last]
        parts.append(_of_table(table.astype(np.float64), kind))
    mean, margin = np.concatenate([np.zeros((2, 0)), *parts], axis=1)
    return mean, margin


def _of_table(table: Values, kind: str) -> Values:
    """Return the same, shape (2, n), from the number of pixels of every level."""
    levels = np.arange(256.0)
    threshold = otsu(table) if kind == "pftas" else np.full(len(table), PUBLISHED)
    bright = table * (levels > threshold[:, None])
    size, first, second = bright.sum(1), bright @ levels, bright @ levels**2
    mean = first / (size + 1e-8)  # as mahotas has it: what is as bright as the mean is above
    if kind == "tas":
        return np.stack([mean, np.full(len(table), float(PUBLISHED))])
    return np.stack([mean, ratio(np.sqrt(np.maximum(size * second - first**2, 0)), size)])


def otsu(table: Values) -> npt.NDArray[np.int64]:
    """Return Otsu's threshold of every row of a table (n, levels) of counts, all at once.

    Step by step as in mahotas, so that equal maxima are told apart alike. Otsu 1979,
    doi:10.1109/TSMC.1979.4310076.
    """
    counts = np.ascontiguousarray(table.T)
    moved = np.arange(len(counts))[:, None] * counts
    below = np.cumsum(counts, axis=0)
    above = below[-1] - below
    low, high = np.maximum(below, 1), np.maximum(above, 1)
    dark = np.zeros(len(table))
    light = ratio(moved.sum(0), counts[1:].sum(0))
    best = below[0] * above[0] * (dark - light) * (dark - light)
    found = np.zeros(len(table), dtype=np.int64)
    for level in range(1, len(counts)):
        dark = (dark * below[level - 1] + moved[level]) / low[level]
        light = (light * above[level - 1] - moved[level]) / high[level]
        between = below[level] * above[level] * (dark - light) * (dark - light)
        better = between > best
        np.copyto(best, between, where=better)
        np.copyto(found, level, where=better)
    return found
