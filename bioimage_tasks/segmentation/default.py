"""Nuclei without a parameter: a first find on the root's scale, then each its own threshold.

An image with bright objects comes in, labels go out. A blurred edge is steepest near half
of the contrast, and there objects are cut and parted, whatever lies below them. Whoever
outlines by hand draws around that edge, the further out the larger the object is: 0.02 to
0.03 diameters from half of the contrast, whether a nucleus is 14 or 100 pixels wide. So
what was parted is grown by a margin that follows the diameter. Means and backgrounds are
found anew in a second look, from the objects of the first.
Lengths are in object diameters, which the image tells.
"""

from __future__ import annotations

import math

import numpy as np

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_choice,
    check_image,
    check_range,
    check_varied,
)
from bioimage_tasks.segmentation import bright, haze, masks, objects
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scale import diameter_or_estimate

#: Least size of an object cut by the border, as a share of a whole one's.
BORDER_SHARE = 0.15
#: The first look may go so far outside of the first find, in diameters; at least a pixel.
REACH = 0.03


@register("root-contrast")
def root_contrast(
    image: Array,
    *,
    fraction: float = 0.55,
    margin: float = 0.025,
    window: float = 3.0,
    looks: int = 2,
    split: float = 0.05,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.25,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label bright objects, each cut at its own contrast: ``root_contrast(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), bright objects on a darker background, any real dtype.
    fraction : float
        Where an edge lies between the local background and its object's mean, in [0, 1].
    margin : float
        How far outside of the edge the outline lies, in diameters; objects that touch stay
        parted where they were.
    window : float
        Side of the window in which the background is sought, in diameters.
    looks : int
        How often objects are cut and parted; from the second look on, the background is
        sought between the objects of the one before. 1 to 10.
    split : float
        Depth of a neck at which touching objects are parted, in diameters; 0 for never.
    diameter : float, optional
        Usual diameter of an object in pixels; estimated when not given.
    smoothing : float
        Sigma of the Gaussian before anything else, in diameters; 0 for none.
    fill : bool
        Whether enclosed holes belong to the object.
    min_size : float
        Least area of an object, as a share of a disc of one diameter; of one that the border
        cuts, :data:`BORDER_SHARE` of it.
    min_contrast : float
        Least brightness above background, as a share of the median object's.
    border : str
        ``keep`` or ``clear`` objects that touch the image's border.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    name = "root_contrast"
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "fraction", fraction, 0, 1)
    check_range(name, "looks", looks, 1, 10)
    check_range(name, "split", split, 0, 5)
    pixels = masks.prepare(check_varied(name, check_image(name, image)))
    usual = bright.dimmed(pixels)
    ground = haze.even(usual)
    length = diameter_or_estimate(name, diameter, ground, dim=False)
    light = masks.smooth(pixels, check_range(name, "smoothing", smoothing, 0, 5) * length)
    side = masks.odd(check_range(name, "window", window, 0.1, 100) * length)
    clear = light if ground is pixels else masks.smooth(ground, smoothing * length)
    labels = objects.parted(masks.bright(clear), length, 0.06, fill=True)
    steps, rest = divided(check_range(name, "margin", margin, 0, 5) * length)
    reach = max(1, round(REACH * length))
    for look in range(looks):
        zone = labels if look else objects.grown(labels, reach)
        cut = own_cut(light, labels, zone, side, fraction, rest)
        labels = objects.parted(cut, length, split, fill=fill)
    return objects.clean(
        name,
        objects.grown(labels, steps),
        clear,
        length,
        min_size=min_size,
        min_contrast=min_contrast,
        border=border,
        border_share=BORDER_SHARE,
    )


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
    """
    low = masks.background(pixels, zone > 0, window)
    level = objects.own_level(pixels, labels, zone, low, fraction)
    if further:
        level -= np.float32(further) * _slope(pixels)
    cut: Mask = (zone > 0) & (pixels > level)
    return cut


def _slope(pixels: Floats) -> Floats:
    """Return the length of the gradient, per pixel; 0 along a side of one pixel."""
    sides = [axis for axis, size in enumerate(pixels.shape) if size > 1]
    squares = [np.square(np.gradient(pixels, axis=axis)) for axis in sides]
    steep: Floats = np.sqrt(sum(squares, np.zeros_like(pixels)))
    return steep
