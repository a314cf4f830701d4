"""Haze and uneven light taken away, where there is any: an even ground for a threshold.

Prepared pixels come in, pixels above a local ground go out. Haze is told by its outline:
what a threshold finds on it ends in a shallow slope, a nucleus ends in a steep one. The
ground is sought in windows of several sizes, wider than the objects found above it, and the
widest window is taken whose outlines, above its ground, are at least half as steep as those
of the best one; the widest of all is the whole image: then nothing is taken away. Must not
know methods.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Mask
from bioimage_tasks.segmentation.masks import Floats, bright, outline, reduced, reduction, root
from bioimage_tasks.segmentation.scale import typical_diameter

#: Sides of the windows in pixels of the reduced image, from the widest.
WINDOWS = (256, 128, 90, 64, 54, 45, 38, 32, 27, 23, 19, 16)
#: Outlines are told by their shallowest part, for haze may have a small share of them: this
#: many percent lie below the value.
SHALLOW = 5
#: Objects are at most so many times as wide as the window in which their ground is sought; a
#: little more than one, as the width of what a threshold finds is known to a tenth.
WITHIN = 1.1
#: Outlines this much less steep than the best are those of haze.
HALF = 0.5


def even(pixels: Floats) -> Floats:
    """Return the pixels above the local ground, or as they are where no haze is seen.

    Parameters
    ----------
    pixels : numpy.ndarray of float32
        Shape (height, width), darkest about 0.
    """
    from scipy.ndimage import gaussian_filter

    factor = reduction(pixels)
    if min(pixels.shape) < max(8, 2 * factor):
        return pixels
    small = gaussian_filter(reduced(pixels, factor), 0.7)
    ground = np.zeros_like(small)
    tried = [(_outline_slope(bright(small), small), ground)]
    for window in WINDOWS:
        low = _ground(small, window)
        above = np.maximum(small - low, 0)
        mask = bright(above)
        if (typical_diameter(mask, 5) or window) <= WITHIN * window:
            tried.append((_outline_slope(mask, above), low))
    least = HALF * max(steep for steep, _ in tried)
    ground = next(low for steep, low in tried if steep >= least)
    if not ground.any():
        return pixels
    evened: Floats = np.maximum(pixels - _enlarged(ground, factor, pixels.shape), 0)
    return evened


def _ground(pixels: Floats, window: int) -> Floats:
    """Return a smooth floor: an opening, even before and after.

    The darkest of each window alone would lie far below haze on its flanks; the brightest
    of the darkest follows a slope of any steepness, whatever the window.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter

    lowest = minimum_filter(gaussian_filter(pixels, max(1, window / 16), truncate=3.0), window)
    opened = maximum_filter(lowest, window)
    ground: Floats = gaussian_filter(opened, window / 4, truncate=3.0)
    return ground


def _outline_slope(mask: Mask, pixels: Floats) -> float:
    """Return how steep the root is in the shallowest part of a mask's outline."""
    rim = outline(mask)
    if not rim.any():
        return 0.0
    slope = np.hypot(*np.gradient(root(pixels)))
    return float(np.percentile(slope[rim], SHALLOW))


def _enlarged(ground: Floats, factor: int, shape: tuple[int, ...]) -> Floats:
    from scipy.ndimage import map_coordinates

    if factor == 1:
        return ground
    places = [(np.arange(size) - (factor - 1) / 2) / factor for size in shape]
    grid = np.meshgrid(*places, indexing="ij")
    large: Floats = map_coordinates(ground, grid, order=1, mode="nearest").astype(np.float32)
    return large
