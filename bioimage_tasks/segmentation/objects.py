"""From a mask to objects, and from objects to the ones worth keeping.

Masks or labels and lengths in pixels come in, sequential int32 labels go out. Touching
objects are parted where the distance to the background has a neck. Must not know how
the mask was made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask, check_choice, check_range, sequential
from bioimage_tasks.segmentation.bright import dimmed
from bioimage_tasks.segmentation.hills import hills
from bioimage_tasks.segmentation.masks import Floats, background, bright, fill_holes

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


def split_touching(mask: Mask, sigma: float, depth: float) -> Labels:
    """Part touching objects at their necks: the hills of the smoothed distance map.

    Parameters
    ----------
    mask : numpy.ndarray of bool
    sigma : float
        Smoothing of the distance map, pixels.
    depth : float
        A neck counts when it is this much narrower than both sides, pixels of radius.
    """
    from scipy.ndimage import gaussian_filter

    return hills(gaussian_filter(distance_map(mask), sigma), mask, depth)


def parted(mask: Mask, diameter: float, split: float, *, fill: bool) -> Labels:
    """Return the objects of a mask, filled when asked, parted at necks of ``split`` diameters."""
    solid = fill_holes(mask) if fill else mask
    if split == 0:
        return connected(solid)
    return split_touching(solid, split * diameter, split * diameter)


def grown(labels: Labels, steps: int) -> Labels:
    """Return labels grown into the background by a number of pixels, in octagons.

    What two reach in the same step becomes the one of the higher number.
    """
    for step in range(steps):
        around = np.pad(labels, 1)
        upright = np.maximum(np.maximum(around[:-2], around[2:]), around[1:-1])
        if step % 2:
            near = np.maximum(np.maximum(upright[:, :-2], upright[:, 2:]), upright[:, 1:-1])
        else:
            near = np.maximum(upright[:, 1:-1], np.maximum(around[1:-1, :-2], around[1:-1, 2:]))
        labels = np.where(labels == 0, near, labels)
    return labels


def flood(surface: Floats, mask: Mask, seeds: Labels) -> Labels:
    """Grow seeds down a surface within the mask (marker-controlled watershed)."""
    from skimage.segmentation import watershed

    labels: Labels = watershed(-surface, seeds, mask=mask).astype(np.int32)
    return labels


def contrast_mask(pixels: Floats, diameter: float, window: int, fraction: float) -> Mask:
    """Return a mask in which every object is cut at a share of its own contrast.

    A first mask (Otsu of the square root, the few that outshine the rest brought down) is
    parted into objects; a pixel of an object stays when it lies above ``fraction`` of the
    way from the background within ``window`` pixels to that object's mean.
    """
    first = fill_holes(bright(dimmed(pixels)))
    if not first.any():
        return first
    labels = split_touching(first, 0.06 * diameter, 0.06 * diameter)
    low = background(pixels, labels > 0, window)
    kept: Mask = (labels > 0) & (pixels > own_level(pixels, labels, labels, low, fraction))
    return kept


def own_level(pixels: Floats, labels: Labels, zone: Labels, low: Floats, fraction: float) -> Floats:
    """Return a share of the way from the background to the mean of each pixel's own object.

    Parameters
    ----------
    pixels, low : numpy.ndarray of float32
        The image and its background, a plane or a stack.
    labels : numpy.ndarray of int32
        Objects; their means are the bright end.
    zone : numpy.ndarray of int32
        Which of the objects each pixel may belong to, 0 for none.
    fraction : float
        In [0, 1].
    """
    area = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), weights=pixels.ravel())
    high = (total / np.maximum(area, 1)).astype(np.float32)[zone]
    level: Floats = low + np.float32(fraction) * (high - low)
    return level


def clean(
    function: str,
    labels: Labels,
    pixels: Floats,
    diameter: float,
    *,
    min_size: float,
    min_contrast: float,
    border: str,
    border_share: float = BORDER_SHARE,
) -> Labels:
    """Drop objects that are small, dim or, when asked, cut by the border.

    Parameters
    ----------
    function : str
        Of the method, for errors.
    labels : numpy.ndarray of int32
    pixels : numpy.ndarray of float32
        The image, for the brightness of the objects.
    diameter : float
        Usual diameter of an object, pixels.
    min_size : float
        Least area, as a share of a disc of one diameter.
    min_contrast : float
        Least brightness above the background, as a share of the median object's.
    border : str
        ``"keep"`` or ``"clear"``.
    border_share : float
        Least area of an object at the border, as a share of that of a whole one.
    """
    check_choice(function, "border", border, BORDERS)
    least = check_range(function, "min_size", min_size, 0, 100) * math.pi / 4 * diameter**2
    check_range(function, "min_contrast", min_contrast, 0, 10)
    count = int(labels.max())
    if count == 0:
        return labels
    area = np.bincount(labels.ravel(), minlength=count + 1)
    cut = _at_border(labels, count)
    keep = (area > 0) & (area >= np.where(cut, border_share * least, least))
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
