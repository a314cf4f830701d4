"""A mask parted into the hills of a surface: one for each top that stands high enough.

A surface and a mask come in, labels go out. A top stands by its depth: how far one has to
go down from it to get to a higher one (the h-maxima of Soille, Morphological Image
Analysis, 2nd ed., section 6.3, 2004). Every pixel climbs to the highest of its neighbours
until it is on a top; then hills merge over their highest passes first, as long as the lower
top stands less than the depth above the pass. Neither a reconstruction nor a queue: whole
arrays only, in a tenth of their time. Must not know how the mask was made.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask
from bioimage_tasks.segmentation.masks import Floats

Numbers = npt.NDArray[np.int32]
Passes = tuple[Numbers, Numbers, Floats]

#: Steps to a neighbour in raster order, the pixel itself between: of equals the last wins.
STEPS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1))
#: Steps to the neighbours that come later: every pair of neighbours once.
LATER = STEPS[5:]


def hills(surface: Floats, mask: Mask, depth: float) -> Labels:
    """Return the parts of a mask, one for each top more than ``depth`` above its passes.

    Parameters
    ----------
    surface : numpy.ndarray of float32
        Shape (height, width).
    mask : numpy.ndarray of bool
        Every part of it connected by edges has at least one hill.
    depth : float
        In the surface's unit.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N within the mask, 0 outside.
    """
    inside = np.pad(mask, 1)
    heights = np.pad(surface.astype(np.float32, copy=False), 1)
    heights[~inside] = -np.inf
    tops = _climbed(heights, inside)
    found = np.flatnonzero((tops == np.arange(tops.size)) & inside.ravel())
    number = np.zeros(tops.size, dtype=np.int32)
    number[found] = np.arange(1, len(found) + 1)
    labels = number[tops].reshape(inside.shape)
    peaks = np.concatenate([[np.inf], heights.ravel()[found]]).astype(np.float32)
    merged = _merged(_passes(labels, heights, inside), peaks, depth)
    numbered: Labels = np.ascontiguousarray(merged[labels[1:-1, 1:-1]])
    return numbered


def _climbed(heights: Floats, inside: Mask) -> Numbers:
    """Return for each pixel, flat, the place of the top that it climbs to; outside itself."""
    width = heights.shape[1]
    core = np.s_[1:-1, 1:-1]
    best = np.full(heights[core].shape, -np.inf, dtype=np.float32)
    step = np.zeros(best.shape, dtype=np.int8)
    for code, (row, column) in enumerate(STEPS):
        there = _moved(heights, row, column)
        better = there >= best
        if row and column:
            better &= _moved(inside, row, 0) | _moved(inside, 0, column)
        np.copyto(best, there, where=better)
        np.copyto(step, np.int8(code), where=better)
    away = np.array([row * width + column for row, column in STEPS], dtype=np.int32)
    place = np.arange(heights.size, dtype=np.int32)
    place.reshape(heights.shape)[core] += np.where(inside[core], away[step], 0)
    while True:
        higher = place[place]
        if np.array_equal(higher, place):
            return place
        place = higher


def _passes(labels: Labels, heights: Floats, inside: Mask) -> Passes:
    """Return pairs of hills that touch, the lower number first, and their highest passes."""
    here = labels[1:-1, 1:-1]
    low, high, passes = [], [], []
    for row, column in LATER:
        there = _moved(labels, row, column)
        rows, columns = np.nonzero((here != there) & (here > 0) & (there > 0))
        rows, columns = rows + 1, columns + 1
        joined = inside[rows + row, columns] | inside[rows, columns + column]
        rows, columns = rows[joined], columns[joined]
        one, two = labels[rows, columns], labels[rows + row, columns + column]
        low.append(np.minimum(one, two))
        high.append(np.maximum(one, two))
        passes.append(np.minimum(heights[rows, columns], heights[rows + row, columns + column]))
    return np.concatenate(low), np.concatenate(high), np.concatenate(passes)


def _merged(passes: Passes, peaks: Floats, depth: float) -> Numbers:
    """Return the new number of each hill, 1..N, after merging over the highest passes first."""
    low, high, level = passes
    order = np.argsort(-level, kind="stable")
    pairs = np.unique(low[order].astype(np.int64) * len(peaks) + high[order], return_index=True)[1]
    into = list(range(len(peaks)))
    tops = peaks.tolist()
    for index in order[np.sort(pairs)].tolist():
        one, two = _end(into, int(low[index])), _end(into, int(high[index]))
        if tops[one] < tops[two]:
            one, two = two, one
        above = tops[two] - float(level[index])
        # Plateaus hang together whatever the depth.
        if one != two and (above < depth or above == 0):
            into[two] = one
    ends = np.array([_end(into, number) for number in range(len(peaks))])
    merged: Numbers = np.unique(ends, return_inverse=True)[1].astype(np.int32)
    return merged


def _end(into: list[int], number: int) -> int:
    while into[number] != number:
        into[number] = into[into[number]]
        number = into[number]
    return number


def _moved(array: npt.NDArray[Any], row: int, column: int) -> npt.NDArray[Any]:
    """Return what lies a step away from each pixel of the core of a padded array."""
    height, width = array.shape
    return array[1 + row : height - 1 + row, 1 + column : width - 1 + column]
