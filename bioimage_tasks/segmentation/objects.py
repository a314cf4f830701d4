"""From a mask to objects, and from objects to the ones worth keeping.

Masks or labels and lengths in pixels come in, sequential int32 labels go out. Touching
objects are parted where the distance to the background has a neck. Must not know how
the mask was made.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask, check_choice, sequential
from bioimage_tasks.segmentation.masks import Floats, background, fill_holes, otsu, root

#: What becomes of objects that touch the border.
BORDERS = ("keep", "clear")
#: Objects cut by the border may be this much smaller than whole ones.
BORDER_SHARE = 0.3


def distance_map(mask: Mask, sampling: Sequence[float] | None = None) -> Floats:
    """Return each pixel's distance to the background in pixels (Euclidean, exact).

    mahotas is three times faster at it than SciPy, which does it in 3D and where pixels are
    not square: ``sampling`` is the distance between pixels along each axis, in units of the
    last. A mask without background has distance to the rim of the image.
    """
    if mask.all():
        inner: Floats = distance_map(np.pad(mask, 1), sampling)[(slice(1, -1),) * mask.ndim]
        return inner
    if mask.ndim == 2 and sampling is None:
        import mahotas

        squared: Floats = np.sqrt(mahotas.distance(mask)).astype(np.float32)
        return squared
    from scipy.ndimage import distance_transform_edt

    distance: Floats = distance_transform_edt(mask, sampling).astype(np.float32)
    return distance


def connected(mask: Mask, *, corners: bool = False) -> Labels:
    """Return the parts of a mask connected by edges, or by corners too."""
    from scipy.ndimage import label

    structure = np.ones((3, 3)) if corners else None
    labels: Labels = label(mask, structure, output=np.int32)[0]
    return labels


def seeds_of(surface: Floats, mask: Mask, depth: float, sigma: float) -> Labels:
    """Return one seed per maximum that stands at least ``depth`` above its passes.

    The h-maxima of Soille, Morphological Image Analysis, 2nd ed., section 6.3 (2004).
    Every connected part of the mask gets a seed. ``sigma`` is the smoothing that the
    surface went through: samples closer than half of it add nothing, so they are skipped.
    """
    from skimage.morphology import local_maxima, reconstruction

    step = max(1, int(sigma / 2))
    sampled = np.ascontiguousarray(surface[::step, ::step])
    lowered = sampled - np.float32(depth)
    kept = reconstruction(lowered, sampled, method="dilation").astype(np.float32)
    seeds = np.zeros(mask.shape, dtype=np.int32)
    tops = local_maxima(kept) & mask[::step, ::step]
    # The flat top of a maximum may hang together by corners only: still one seed.
    seeds[::step, ::step] = connected(tops, corners=True)
    parts = connected(mask)
    seeded = np.zeros(int(parts.max()) + 1, dtype=bool)
    seeded[parts[seeds > 0]] = True
    forgotten = (parts > 0) & ~seeded[parts]
    seeds[forgotten] = int(seeds.max()) + parts[forgotten]
    return seeds


def split_touching(mask: Mask, sigma: float, depth: float) -> Labels:
    """Part touching objects at their necks: watershed on the smoothed distance map.

    Parameters
    ----------
    mask : numpy.ndarray of bool
    sigma : float
        Smoothing of the distance map, pixels.
    depth : float
        A neck counts when it is this much narrower than both sides, pixels of radius.
    """
    from scipy.ndimage import gaussian_filter

    depths: Floats = gaussian_filter(distance_map(mask), sigma) * mask
    return flood(depths, mask, seeds_of(depths, mask, depth, sigma))


def flood(surface: Floats, mask: Mask, seeds: Labels) -> Labels:
    """Grow seeds down a surface within the mask (marker-controlled watershed)."""
    from skimage.segmentation import watershed

    labels: Labels = watershed(-surface, seeds, mask=mask).astype(np.int32)
    return labels


def contrast_mask(pixels: Floats, diameter: float, window: int, fraction: float) -> Mask:
    """Return a mask in which every object is cut at a share of its own contrast.

    A first mask (Otsu of the square root) is parted into objects; a pixel of
    an object stays when it lies above ``fraction`` of the way
    from the background within ``window`` pixels to that object's mean.
    """
    level = root(pixels)
    first = fill_holes(level > otsu(level))
    if not first.any():
        return first
    labels = split_touching(first, 0.06 * diameter, 0.06 * diameter)
    area = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), weights=pixels.ravel())
    high = (total / np.maximum(area, 1)).astype(np.float32)[labels]
    low = background(pixels, labels > 0, window)
    kept: Mask = (labels > 0) & (pixels > low + np.float32(fraction) * (high - low))
    return kept


def clean(
    labels: Labels, pixels: Floats, *, min_area: float, min_contrast: float, border: str
) -> Labels:
    """Drop objects that are small, dim or, when asked, cut by the border.

    Parameters
    ----------
    labels : numpy.ndarray of int32
    pixels : numpy.ndarray of float32
        The image, for the brightness of the objects.
    min_area : float
        Pixels; for objects at the border :data:`BORDER_SHARE` of it.
    min_contrast : float
        Least brightness above the background, as a share of the median object's.
    border : str
        ``"keep"`` or ``"clear"``.
    """
    check_choice("clean", "border", border, BORDERS)
    count = int(labels.max())
    if count == 0:
        return labels
    area = np.bincount(labels.ravel(), minlength=count + 1)
    cut = _at_border(labels, count)
    keep = (area > 0) & (area >= np.where(cut, BORDER_SHARE * min_area, min_area))
    keep[0] = False
    if min_contrast > 0 and keep.any():
        contrast = _contrast(labels, pixels, area)
        keep &= contrast >= min_contrast * np.median(contrast[keep])
    if border == "clear":
        keep &= ~cut
    return sequential(np.where(keep[labels], labels, 0))


def _at_border(labels: Labels, count: int) -> npt.NDArray[np.bool_]:
    cut = np.zeros(count + 1, dtype=bool)
    for line in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        cut[line] = True
    return cut


def _contrast(
    labels: Labels, pixels: Floats, area: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    total = np.bincount(labels.ravel(), weights=pixels.ravel(), minlength=len(area))
    outside = pixels[labels == 0]
    level = float(np.median(outside)) if outside.size else 0.0
    contrast: npt.NDArray[np.float64] = total / np.maximum(area, 1) - level
    return contrast
