"""Candidates for objects: the parts of an image at many thresholds, and their parts at necks.

An image comes in, regions that form a tree go out. Raising the threshold breaks a region
into those inside it; at any threshold a region also breaks at its necks, the narrowest
first. Every two regions of the tree are nested or apart, so that the best choice of regions
that do not overlap can be found exactly (:mod:`.candidates_choice`). In the spirit of
Arteta et al. 2012, doi:10.1007/978-3-642-33415-3_43.

Must not know what a good region is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask
from bioimage_tasks.segmentation.candidates_necks import Necks, neck_tree
from bioimage_tasks.segmentation.masks import Floats

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Regions:
    """Regions of one image that form a tree; row k of every array is region k.

    Attributes
    ----------
    shape : tuple of int
        Of the image.
    pixels : numpy.ndarray of int64
        Flat positions; those of region k are ``pixels[start[k]:stop[k]]``.
    start, stop : numpy.ndarray of int64, shape (regions,)
    parent : numpy.ndarray of int64, shape (regions,)
        The region it was cut from, or the component one threshold lower; -1 for none.
        Always a lower row.
    cut : numpy.ndarray of bool, shape (regions,)
        Whether it was cut from its parent at a neck; else a higher threshold made it.
    level : numpy.ndarray of float64, shape (regions,)
        The threshold.
    neck : numpy.ndarray of float64, shape (regions,)
        Width of its narrowest inner neck over the width of the lesser part, 1 without.
    facing : numpy.ndarray of float64, shape (regions,)
        Length of its outline that faces other parts of the same component, pixels.
    """

    shape: tuple[int, ...]
    pixels: Integers
    start: Integers
    stop: Integers
    parent: Integers
    cut: npt.NDArray[np.bool_]
    level: Doubles
    neck: Doubles
    facing: Doubles

    def __len__(self) -> int:
        return len(self.start)

    @property
    def area(self) -> Integers:
        """Pixels of each region."""
        return self.stop - self.start

    def members(self, region: int) -> Integers:
        """Return the flat positions of a region's pixels."""
        return self.pixels[self.start[region] : self.stop[region]]

    def render(self, chosen: Sequence[int] | Integers) -> Labels:
        """Return int32 labels in which the chosen regions are 1..N, in that order."""
        labels = np.zeros(int(np.prod(self.shape)), dtype=np.int32)
        for number, region in enumerate(chosen, 1):
            labels[self.members(region)] = number
        return labels.reshape(self.shape)


def regions_of(
    image: Floats,
    thresholds: Sequence[float] | Doubles,
    *,
    neck_smoothing: float,
    min_area: float,
    max_hole: float,
    sampling: Sequence[float] | None = None,
) -> Regions:
    """Break an image into the tree of its regions.

    Parameters
    ----------
    image : numpy.ndarray of float32
        2D or 3D.
    thresholds : sequence of float
        Ascending.
    neck_smoothing : float
        Sigma of the Gaussian on the distance map, pixels.
    min_area : float
        Regions of fewer pixels are left out, with all that they hold.
    max_hole : float
        Enclosed holes up to this many pixels are filled.
    sampling : sequence of float, optional
        Distance between pixels along each axis, in units of the last.

    Returns
    -------
    Regions
        In the order of the thresholds, each region before its parts.
    """
    rows = _Rows(image.shape)
    above = np.full(image.size, -1, dtype=np.int64)
    previous = -1
    for threshold in thresholds:
        mask = _solid(image > threshold, max_hole)
        count = int(np.count_nonzero(mask))
        if count == 0:
            break
        if count == previous:  # the same pixels as one step below: nothing new
            continue
        previous = count
        above = rows.add(neck_tree(mask, neck_smoothing, min_area, sampling), threshold, above)
    return rows.regions()


def _solid(mask: Mask, max_hole: float) -> Mask:
    """Fill enclosed holes of at most ``max_hole`` pixels."""
    from scipy.ndimage import label

    if max_hole <= 0:
        return mask
    holes, count = label(~mask)
    if count <= 1:
        return mask
    small = np.bincount(holes.ravel()) <= max_hole
    for axis in range(mask.ndim):
        for end in (0, -1):
            small[holes.take(end, axis)] = False
    small[0] = False
    filled: Mask = mask | small[holes]
    return filled


class _Rows:
    """Regions as they come, one threshold after the other."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.count = 0
        self.filled = 0
        self.parts: list[tuple[npt.NDArray[np.generic], ...]] = []

    def add(self, necks: Necks, threshold: float, above: Integers) -> Integers:
        """Add the regions of one threshold; return for every pixel its component."""
        inside: Integers = np.full(len(above), -1, dtype=np.int64)
        if not len(necks.start):
            return inside
        parent = np.where(necks.parent >= 0, necks.parent + self.count, -1)
        whole = necks.parent < 0
        # One pixel tells the parent: regions of two thresholds are nested or apart.
        parent[whole] = above[necks.pixels[necks.start[whole]]]
        for row in np.flatnonzero(whole):
            inside[necks.pixels[necks.start[row] : necks.stop[row]]] = row + self.count
        self.parts.append(
            (
                necks.pixels,
                necks.start + self.filled,
                necks.stop + self.filled,
                parent,
                ~whole,
                np.full(len(parent), threshold),
                necks.neck,
                necks.facing,
            )
        )
        self.count += len(parent)
        self.filled += len(necks.pixels)
        return inside

    def regions(self) -> Regions:
        """Return all of them."""
        if not self.parts:
            none, nothing = np.zeros(0, dtype=np.int64), np.zeros(0)
            flags = np.zeros(0, dtype=bool)
            return Regions(self.shape, none, none, none, none, flags, nothing, nothing, nothing)
        columns = [np.concatenate(column) for column in zip(*self.parts, strict=True)]
        return Regions(self.shape, *columns)


def overlaps(regions: Regions, labels: Labels) -> tuple[Doubles, Integers]:
    """Return each region's greatest IoU with an object, and which; 0 and 0 with none.

    Parameters
    ----------
    regions : Regions
    labels : numpy.ndarray of int32
        1..N, of the regions' shape.
    """
    flat = labels.ravel()
    area = np.bincount(flat)
    best, which = np.zeros(len(regions)), np.zeros(len(regions), dtype=np.int64)
    for row, size in enumerate(regions.area):
        shared = np.bincount(flat[regions.members(row)], minlength=len(area))
        shared[0] = 0
        iou = shared / (area + size - shared)
        which[row] = iou.argmax()
        best[row] = iou[which[row]]
    return best, np.where(best > 0, which, 0)
