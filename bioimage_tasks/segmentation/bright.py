"""A few objects much brighter than the rest, brought down so that they hide nobody.

Prepared pixels come in, the same pixels with a ceiling go out. One threshold for an image
lies between its two largest steps: where a mitotic cell or debris shines 50 times as bright
as the rest, that is between it and everything else. So the first find is taken out, with a
rim, and the rest is asked again: what is found there counts when its outlines are steeper
than what is around. Where these are more objects than the first they are the usual kind,
and no pixel needs to be much brighter than they. Must not know methods.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Mask
from bioimage_tasks.segmentation.masks import (
    Floats,
    bright,
    otsu,
    outline,
    reduced,
    reduction,
    root,
    smooth,
)

#: Rim of what was found, in pixels of the reduced image: blur reaches that far.
RIM = 3
#: Sigmas at which outlines are held against noise; one is enough, as objects differ in size.
SIGMAS = (0.7, 1.5, 2.5)
#: This share (percent) of an outline may be as flat as noise, for objects touch.
FLAT = 25
#: So much (percent) of the background is flatter than an outline.
NOISE = 95
#: No pixel is brighter than so many times the contrast of a usual object.
CEILING = 5.0
#: So many kinds of objects, each brighter than the next, may be taken out.
KINDS = 3


def dimmed(pixels: Floats) -> Floats:
    """Return the pixels under a ceiling, or as they are where nothing outshines the rest.

    Parameters
    ----------
    pixels : numpy.ndarray of float32
        Shape (height, width), darkest about 0.
    """
    factor = reduction(pixels)
    if min(pixels.shape) < max(8, 2 * factor):
        return pixels
    small = reduced(pixels, factor)
    taken = bright(smooth(small, SIGMAS[0]))
    usual = _solid(taken)
    for _ in range(KINDS):
        more = _others(small, taken)
        if more is None or _steepness(small, taken) < _steepness(small, more):
            break
        taken = taken | more
        usual = max(usual, more, key=_count)
    top = _ceiling(small, usual, ~taken)
    if top is None or top >= pixels.max():
        return pixels
    lowered: Floats = np.minimum(pixels, np.float32(top))
    return lowered


def _others(pixels: Floats, taken: Mask) -> Mask | None:
    """Return the objects outside of ``taken``, if there are any."""
    from scipy.ndimage import binary_dilation, label

    zone = binary_dilation(taken, iterations=RIM)
    if zone.all():
        return None
    level = root(smooth(pixels, SIGMAS[0]))
    parts, count = label(level > otsu(level[~zone][None]))
    # What reaches into the zone is the halo of what was taken.
    alone = np.ones(count + 1, dtype=bool)
    alone[parts[zone]] = False
    alone[0] = False
    found = _solid(alone[parts])
    around = ~(zone | binary_dilation(found, iterations=RIM))
    if not found.any() or not around.any():
        return None
    return found if any(_steep(pixels, found, around, sigma) for sigma in SIGMAS) else None


def _steep(pixels: Floats, found: Mask, around: Mask, sigma: float) -> bool:
    """Say whether outlines are steeper than what is around, after smoothing."""
    slope = np.hypot(*np.gradient(root(smooth(pixels, sigma))))
    return bool(np.percentile(slope[outline(found)], FLAT) > np.percentile(slope[around], NOISE))


def _steepness(pixels: Floats, found: Mask) -> float:
    """Return how steep the root is at an outline: haze is flatter than what it leaves."""
    slope = np.hypot(*np.gradient(root(smooth(pixels, SIGMAS[0]))))
    return float(np.median(slope[outline(found)]))


def _solid(mask: Mask) -> Mask:
    """Return the mask without specks, which are no objects to count."""
    from scipy.ndimage import binary_opening

    opened: Mask = binary_opening(mask)
    return opened


def _count(mask: Mask) -> int:
    from scipy.ndimage import label

    return int(label(mask)[1])


def _ceiling(pixels: Floats, usual: Mask, outside: Mask) -> float | None:
    """Return the brightness that a usual object does not reach."""
    from scipy.ndimage import label

    parts, count = label(usual)
    if not count or not outside.any():
        return None
    area = np.bincount(parts.ravel())[1:]
    mean = np.bincount(parts.ravel(), weights=pixels.ravel())[1:] / area
    low = float(np.median(pixels[outside]))
    return low + CEILING * float(np.median(mean) - low)
