"""Bernsen's local threshold: halfway between the darkest and the brightest of a window.

An image with bright objects comes in, labels go out. Lengths are in object diameters.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_choice,
    check_range,
)
from bioimage_tasks.segmentation import masks, objects
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scene import prepared


@register("bernsen", dimensions=(2, 3))
def bernsen(
    image: Array,
    *,
    window: float = 1.5,
    contrast: float = 0.35,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    smoothing: float = 0.04,
    fill: bool = True,
    split: float = 0.06,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label what is above the middle of its window's extremes: ``bernsen(image)``.

    Bernsen 1986, Proc. 8th Int. Conf. on Pattern Recognition, 1251-1255. Where the window
    has little contrast, a pixel counts by the global Otsu threshold. Extremes are taken of
    the square root, after smoothing: one hot pixel would set the threshold of its window.

    Parameters
    ----------
    image : array_like
        Shape (height, width) or (depth, height, width), bright objects on a darker
        background, any real dtype.
    window : float
        Side of the window, in diameters; wide enough to hold background and object.
    contrast : float
        A window whose extremes differ by less than this share of the image's span (from
        the 5th to the 99.5th percentile) has little contrast.
    spacing, diameter, smoothing, fill, split, min_size, min_contrast, border
        As for :func:`bioimage_tasks.segmentation.threshold.global_threshold`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D or 3D, is empty, constant or not finite, or a value is out of range.
    """
    name = "bernsen"
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "contrast", contrast, 0, 1)
    check_range(name, "split", split, 0, 5)
    check_range(name, "window", window, 0.1, 100)
    scene = prepared(name, image, diameter, smoothing, spacing)
    mask = bernsen_mask(masks.root(scene.pixels), scene.box(window), contrast)
    labels = scene.parted(mask, split, fill=fill)
    return scene.clean(name, labels, min_size, min_contrast, border)


def bernsen_mask(level: Floats, window: int | tuple[int, ...], contrast: float) -> Mask:
    """Return the pixels above the middle of their window's extremes.

    Parameters
    ----------
    level : numpy.ndarray of float32
    window : int or tuple of int
        Side, pixels; one for all axes, or one an axis.
    contrast : float
        Least difference of the extremes, as a share of the image's span.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    high, low = maximum_filter(level, window), minimum_filter(level, window)
    dark, bright = np.percentile(level, (5, 99.5))
    told = high - low >= np.float32(contrast * (bright - dark))
    mask: Mask = level > np.where(told, (high + low) / 2, np.float32(masks.otsu(level.ravel())))
    return mask
