"""Every object cut at a share of its own contrast and parted, look after look.

Pixels and a first find come in, labels go out. A blurred edge is steepest near half of the
contrast, whatever lies below an object. Means and backgrounds are found anew in every look,
from the objects of the one before. Lengths are in object diameters. Must not know methods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bioimage_tasks.checks import Labels, Mask
from bioimage_tasks.segmentation import masks, objects
from bioimage_tasks.segmentation.masks import Floats

#: Depth of a neck at which a first find is parted, in diameters.
NECK = 0.06


@dataclass(frozen=True)
class Cut:
    """Where outlines lie.

    Attributes
    ----------
    fraction : float
        Between the local background and the object's mean, in [0, 1].
    margin : float
        How far outside of that, in diameters.
    window : float
        Side of the window in which the background is sought, in diameters.
    looks : int
        How often objects are cut and parted.
    split : float
        Depth of a neck at which touching objects are parted, in diameters; 0 for never.
    fill : bool
        Whether enclosed holes belong to the object.
    reach : float
        The first look may go so far outside of the first find, in diameters; at least a
        pixel.
    """

    fraction: float
    margin: float
    window: float
    looks: int
    split: float
    fill: bool
    reach: float

    def side(self, length: float) -> int:
        """Return the side of the window in pixels, for a diameter in pixels."""
        return masks.odd(self.window * length)

    def steps(self, length: float) -> int:
        """Return by how many whole pixels objects are to be grown; the rest is cut."""
        return divided(self.margin * length)[0]

    def looked(
        self, pixels: Floats, first: Mask, length: float, taken: Mask | None = None
    ) -> Labels:
        """Return the objects of a first find, cut and parted as often as asked.

        Parameters
        ----------
        pixels : numpy.ndarray of float32
            Darkest about 0.
        first : numpy.ndarray of bool
        length : float
            Usual diameter of an object, pixels.
        taken : numpy.ndarray of bool, optional
            What belongs to other objects.
        """
        labels = objects.parted(first, length, NECK, fill=True)
        rest = divided(self.margin * length)[1]
        for look in range(self.looks):
            zone = labels if look else _reached(labels, pixels, max(1, round(self.reach * length)))
            cut = own_cut(pixels, labels, zone, self.side(length), self.fraction, rest, taken)
            labels = objects.parted(cut, length, self.split, fill=self.fill)
        return labels


def _reached(labels: Labels, pixels: Floats, steps: int) -> Labels:
    """Return labels grown by a number of pixels; where two meet, the brighter one goes on.

    Numbers would decide otherwise, and they follow the rows: a mirrored image would be
    another one.
    """
    area = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), weights=pixels.ravel())
    dim_first = np.argsort(total[1:] / np.maximum(area[1:], 1), kind="stable").astype(np.int32)
    rank = np.zeros(len(area), dtype=np.int32)
    rank[dim_first + 1] = np.arange(1, len(area), dtype=np.int32)
    grown: Labels = np.append(np.int32(0), dim_first + 1)[objects.grown(rank[labels], steps)]
    return grown


def divided(length: float) -> tuple[int, float]:
    """Return a length as the nearest whole number of pixels and the rest, at most a half."""
    steps = math.floor(length + 0.5)
    return steps, length - steps


def own_cut(
    pixels: Floats,
    labels: Labels,
    zone: Labels,
    window: int,
    fraction: float,
    further: float = 0.0,
    taken: Mask | None = None,
) -> Mask:
    """Keep of each object's zone what lies above a fraction of its own contrast.

    Parameters
    ----------
    pixels : numpy.ndarray of float32
        Darkest pixel at 0.
    labels : numpy.ndarray of int32
        Objects; their means are the bright end.
    zone : numpy.ndarray of int32
        The same objects or grown ones: what may belong to each; outside is background.
    window : int
        Side in pixels of the window around each pixel in which the background's mean, the
        dark end, is taken.
    fraction : float
        In [0, 1].
    further : float
        By how many pixels the outline lies further out, at most a half or so: the slope
        tells how much darker it is there.
    taken : numpy.ndarray of bool, optional
        What belongs to other objects: neither kept nor background.
    """
    if taken is not None:
        zone = np.where(taken, 0, zone)
    standing = zone > 0 if taken is None else taken | (zone > 0)
    low = masks.background(pixels, standing, window)
    level = objects.own_level(pixels, labels, zone, low, fraction)
    if further:
        level -= np.float32(further) * slope(pixels)
    cut: Mask = (zone > 0) & (pixels > level)
    return cut


def slope(pixels: Floats) -> Floats:
    """Return the length of the gradient, per pixel; 0 along a side of one pixel."""
    sides = [axis for axis, size in enumerate(pixels.shape) if size > 1]
    squares = [np.square(np.gradient(pixels, axis=axis)) for axis in sides]
    steep: Floats = np.sqrt(sum(squares, np.zeros_like(pixels)))
    return steep
