"""Nuclei without a parameter: every object gets a threshold of its own, on the root's scale.

An image with bright objects comes in, labels go out. The square root evens out shot noise,
so that a blurred outline lies near half of the way from the background to the object in
it: over a dark background that is low in the object's foot, over haze near half of its
contrast. Background and neighbours are found anew in a second look, between the objects of
the first. Lengths are in object diameters, which the image tells.
"""

from __future__ import annotations

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


@register("root-contrast")
def root_contrast(
    image: Array,
    *,
    fraction: float = 0.5,
    window: float = 3.0,
    looks: int = 1,
    split: float = 0.05,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label bright objects, each cut at its own contrast: ``root_contrast(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), bright objects on a darker background, any real dtype.
    fraction : float
        Where an outline lies between the square roots of the local background and of its
        object's mean, in [0, 1].
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
        Least area of an object, as a share of a disc of one diameter.
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
    length = diameter_or_estimate(name, diameter, ground)
    light = masks.smooth(pixels, check_range(name, "smoothing", smoothing, 0, 5) * length)
    side = masks.odd(check_range(name, "window", window, 0.1, 100) * length)
    clear = light if ground is pixels else masks.smooth(ground, smoothing * length)
    labels = objects.parted(masks.bright(clear), length, 0.06, fill=True)
    for _ in range(looks):
        cut = own_cut(light, labels, side, fraction)
        labels = objects.parted(cut, length, split, fill=fill)
    return objects.clean(
        name,
        labels,
        clear,
        length,
        min_size=min_size,
        min_contrast=min_contrast,
        border=border,
    )


def own_cut(pixels: Floats, labels: Labels, window: int, fraction: float) -> Mask:
    """Keep of each object what lies above a fraction of its own contrast, in square roots.

    Parameters
    ----------
    pixels : numpy.ndarray of float32
        Darkest pixel at 0.
    labels : numpy.ndarray of int32
        Objects; their means are the bright end.
    window : int
        Side in pixels of the window around each pixel in which the background's mean, the
        dark end, is taken.
    fraction : float
        In [0, 1].
    """
    area = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), weights=pixels.ravel())
    mean = np.maximum(total / np.maximum(area, 1), 0)
    high = np.sqrt(mean).astype(np.float32)[labels]
    low = np.sqrt(np.maximum(masks.background(pixels, labels > 0, window), 0))
    cut: Mask = (labels > 0) & (pixels > np.square(low + np.float32(fraction) * (high - low)))
    return cut
