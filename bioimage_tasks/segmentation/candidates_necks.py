"""The tree of necks: how the connected parts of a mask come apart, the narrowest neck first.

A mask comes in; regions that form a tree go out: connected parts, then the two halves of
each at its narrowest neck, and so on. Necks are the passes between the peaks of the
smoothed distance map. Must not know images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.objects import distance_map

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

#: A neck wider than this share of the lesser part is none: a disc seen on pixels has such.
OPEN_NECK = 0.95


@dataclass(frozen=True)
class Necks:
    """Rows of regions, see :class:`.candidates.Regions`; parents count within these rows."""

    pixels: Integers
    start: Integers
    stop: Integers
    parent: Integers
    neck: Doubles
    facing: Doubles


def neck_tree(
    mask: Mask, smoothing: float, min_area: float, sampling: Sequence[float] | None = None
) -> Necks:
    """Break the parts of a mask at their necks.

    Parameters
    ----------
    mask : numpy.ndarray of bool
        2D or 3D.
    smoothing : float
        Sigma of the Gaussian on the distance map, pixels (of the last axis).
    min_area : float
        Regions of fewer pixels are left out.
    sampling : sequence of float, optional
        Distance between pixels along each axis, in units of the last.
    """
    basins, heights = _basins(mask, smoothing, sampling)
    links = _links(basins, heights)
    peaks = _peaks(basins, heights)
    number, peaks, links = _without_ripples(peaks, links)
    joined: Integers = number[basins]
    tree = _Merging(peaks, np.bincount(joined.ravel(), minlength=len(peaks)))
    for low, high, saddle, length in zip(*links, strict=True):
        tree.join(int(low), int(high), float(saddle), float(length))
    return tree.rows(joined, min_area)


def _basins(
    mask: Mask, smoothing: float, sampling: Sequence[float] | None
) -> tuple[Labels, Floats]:
    from scipy.ndimage import gaussian_filter, label
    from skimage.morphology import local_maxima
    from skimage.segmentation import watershed

    heights = distance_map(mask, sampling)
    sigma = [smoothing / step for step in sampling] if sampling else smoothing
    heights = gaussian_filter(heights, sigma, truncate=3.0) * mask
    cross = np.ones((3,) * mask.ndim)
    seeds, _ = label(local_maxima(heights) & mask, cross)
    # Smoothing can flatten a speck so that it has no peak of its own; the flood goes by parts.
    basins: Labels = watershed(-heights, seeds, mask=mask).astype(np.int32)
    left = mask & (basins == 0)
    if left.any():
        basins[left] = label(left)[0][left] + basins.max()
    return basins, heights


def _links(basins: Labels, heights: Floats) -> tuple[Integers, Integers, Doubles, Doubles]:
    """Return lower and higher basin, pass and length of contact of every touching pair."""
    lows, highs, passes = [], [], []
    for axis in range(basins.ndim):
        one = basins.take(range(basins.shape[axis] - 1), axis)
        two = basins.take(range(1, basins.shape[axis]), axis)
        touch = (one != two) & (one > 0) & (two > 0)
        lows.append(np.minimum(one[touch], two[touch]))
        highs.append(np.maximum(one[touch], two[touch]))
        first = heights.take(range(basins.shape[axis] - 1), axis)[touch]
        passes.append(np.minimum(first, heights.take(range(1, basins.shape[axis]), axis)[touch]))
    low, high = np.concatenate(lows).astype(np.int64), np.concatenate(highs).astype(np.int64)
    return _strongest(low, high, np.concatenate(passes).astype(np.float64), np.ones(len(low)))


def _strongest(
    low: Integers, high: Integers, saddle: Doubles, length: Doubles
) -> tuple[Integers, Integers, Doubles, Doubles]:
    """Make one link of all between two basins: the highest pass, the whole length."""
    if not len(low):
        return low, high, saddle, length
    order = np.lexsort((-saddle, high, low))
    low, high, saddle, length = low[order], high[order], saddle[order], length[order]
    new = np.flatnonzero(np.r_[True, (np.diff(low) != 0) | (np.diff(high) != 0)])
    low, high, saddle, length = low[new], high[new], saddle[new], np.add.reduceat(length, new)
    order = np.lexsort((high, low, -saddle))
    return low[order], high[order], saddle[order], length[order]


def _peaks(basins: Labels, heights: Floats) -> Doubles:
    peaks = np.zeros(int(basins.max()) + 1)
    inside = basins > 0
    np.maximum.at(peaks, basins[inside], heights[inside])
    peaks[0] = 0
    return peaks


def _without_ripples(
    peaks: Doubles, links: tuple[Integers, Integers, Doubles, Doubles]
) -> tuple[Integers, Doubles, tuple[Integers, Integers, Doubles, Doubles]]:
    """Join basins whose neck is open; return new numbers, peaks and links."""
    low, high, saddle, length = links
    root = np.arange(len(peaks))

    def find(basin: int) -> int:
        while root[basin] != basin:
            root[basin] = root[root[basin]]
            basin = int(root[basin])
        return basin

    for one, two, level in zip(low, high, saddle, strict=True):
        a, b = find(int(one)), find(int(two))
        if a != b and level >= OPEN_NECK * min(peaks[a], peaks[b]):
            lesser, greater = (a, b) if peaks[a] < peaks[b] else (b, a)
            root[lesser] = greater
    owner = np.array([find(basin) for basin in range(len(peaks))])
    kept, number = np.unique(owner, return_inverse=True)
    one, two = number[low], number[high]
    apart = one != two
    smaller, larger = np.minimum(one, two)[apart], np.maximum(one, two)[apart]
    return number, peaks[kept], _strongest(smaller, larger, saddle[apart], length[apart])


class _Merging:
    """Basins joined one by one, the widest neck first; each join is a region with two parts."""

    def __init__(self, peaks: Doubles, area: Integers) -> None:
        self.top = list(range(len(peaks)))  # basin -> its region so far, followed by joins
        self.parts: list[tuple[int, int] | None] = [None] * len(peaks)
        self.peak = [float(peak) for peak in peaks]
        self.area = [int(size) for size in area]
        self.neck = [1.0] * len(peaks)
        self.inner = [0.0] * len(peaks)
        self.outer = [0.0] * len(peaks)
        self.basins = len(peaks)

    def _find(self, region: int) -> int:
        while self.top[region] != region:
            self.top[region] = self.top[self.top[region]]
            region = self.top[region]
        return region

    def join(self, low: int, high: int, saddle: float, length: float) -> None:
        """Join the regions of two basins across their pass."""
        self.outer[low] += length
        self.outer[high] += length
        a, b = self._find(low), self._find(high)
        if a == b:
            self.inner[a] += length
            return
        new = len(self.top)
        self.top.append(new)
        self.top[a] = self.top[b] = new
        self.parts.append((a, b))
        width = saddle / max(min(self.peak[a], self.peak[b]), 1e-6)
        self.peak.append(max(self.peak[a], self.peak[b]))
        self.area.append(self.area[a] + self.area[b])
        self.neck.append(min(width, self.neck[a], self.neck[b], 1.0))
        self.inner.append(self.inner[a] + self.inner[b] + length)

    def rows(self, basins: Integers, min_area: float) -> Necks:
        """Return regions and parts as rows, pixels sorted so that each is one stretch."""
        order: list[int] = []  # basins in the order of the rows
        found: list[tuple[int, int, int, int]] = []  # region, parent row, first, last basin
        roots = [region for region in range(1, len(self.top)) if self.top[region] == region]
        for root in sorted(roots, key=self._first):
            self._walk(root, min_area, order, found)
        rank = np.zeros(self.basins, dtype=np.int64)
        rank[order] = np.arange(1, len(order) + 1)
        ranks = rank[basins].ravel()
        inside = np.flatnonzero(ranks)
        pixels = inside[np.argsort(ranks[inside], kind="stable")]
        ends = np.concatenate(([0], np.cumsum(np.bincount(ranks, minlength=len(order) + 1)[1:])))
        table = np.array(found, dtype=np.int64).reshape(-1, 4)
        region = table[:, 0]
        total = np.concatenate(([0.0], np.cumsum(np.array(self.outer)[order])))
        facing = total[table[:, 3]] - total[table[:, 2]] - 2 * np.array(self.inner)[region]
        return Necks(
            pixels,
            ends[table[:, 2]],
            ends[table[:, 3]],
            table[:, 1],
            np.array(self.neck)[region],
            np.maximum(facing, 0),
        )

    def _first(self, region: int) -> int:
        while (parts := self.parts[region]) is not None:
            region = min(parts)
        return region

    def _walk(
        self,
        root: int,
        min_area: float,
        order: list[int],
        found: list[tuple[int, int, int, int]],
    ) -> None:
        """Put a region and its parts into ``found``, its basins into ``order``."""
        if self.area[root] < min_area:
            return
        waiting = [(root, -1)]
        while waiting:
            region, parent = waiting.pop()
            first = len(order)
            parts = self.parts[region]
            row = parent
            if self.area[region] >= min_area:
                row = len(found)
                found.append((region, parent, first, first + self._basins_in(region)))
            if parts is None:
                order.append(region)
            else:
                waiting += [(parts[1], row), (parts[0], row)]

    def _basins_in(self, region: int) -> int:
        count, waiting = 0, [region]
        while waiting:
            parts = self.parts[waiting.pop()]
            if parts is None:
                count += 1
            else:
                waiting += parts
        return count
