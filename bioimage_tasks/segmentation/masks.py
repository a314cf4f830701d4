"""Foreground masks: which pixels are bright enough to belong to an object.

Prepared pixels (float32, darkest at 0) come in, boolean masks go out. Lengths are in
pixels here; the methods turn diameters into pixels. Must not know objects or methods.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, Mask

Floats = npt.NDArray[np.float32]

#: Where only a look is needed, the image is reduced until its longer side has at most this
#: many pixels.
REDUCED_SIDE = 512
#: Least share of a mask that an opening leaves when it is more than specks.
SOLID = 0.5
#: Sigmas in pixels at which a mask is sought where noise leaves nothing but specks.
BLURS = (1.0, 2.0, 4.0)
#: Global rules: name -> function of ``skimage.filters``.
GLOBAL_RULES = {
    "otsu": "threshold_otsu",
    "ridler-calvard": "threshold_isodata",
    "li": "threshold_li",
    "triangle": "threshold_triangle",
    "mean": "threshold_mean",
}


def prepare(image: Array) -> Floats:
    """Return a C-ordered float32 copy with the darkest pixel at 0: no offset, no dtype."""
    low = image.min()
    above: Floats = np.subtract(image, low, dtype=np.float64, order="C").astype(np.float32)
    return above


def reduction(pixels: Floats) -> int:
    """Return the factor that brings an image to :data:`REDUCED_SIDE`; 1 for a small one."""
    return max(1, -(-int(max(pixels.shape)) // REDUCED_SIDE))


def reduced(pixels: Floats, factor: int) -> Floats:
    """Return the means of tiles of ``factor`` pixels a side; what does not fill one is cut."""
    if factor == 1:
        return pixels
    height, width = (size // factor for size in pixels.shape)
    cut = pixels[: height * factor, : width * factor]
    tiles: Floats = cut.reshape(height, factor, width, factor).mean((1, 3), dtype=np.float32)
    return tiles


def reduced_labels(labels: Labels, factor: int) -> Labels:
    """Return the label in the middle of each tile of :func:`reduced`."""
    height, width = (size // factor for size in labels.shape)
    middle = slice(factor // 2, None, factor)
    return labels[middle, middle][:height, :width]


def smooth(pixels: Floats, sigma: float) -> Floats:
    """Return the image under a Gaussian of ``sigma`` pixels; 0 returns it as it is."""
    from scipy.ndimage import gaussian_filter

    if sigma <= 0:
        return pixels
    smoothed: Floats = gaussian_filter(pixels, sigma, truncate=3.0)
    return smoothed


def root(pixels: Floats) -> Floats:
    """Return the square root above the background level (the 5th percentile).

    Brings dim and bright objects closer before a global threshold, and evens out shot
    noise; a logarithm goes further but follows haze.
    """
    low = np.percentile(pixels, 5)
    level: Floats = np.sqrt(np.maximum(pixels - np.float32(low), 0))
    return level


def bright(pixels: Floats) -> Mask:
    """Return what Otsu's threshold of the square root finds, or of the pixels where it fails.

    The root lifts the noise of the background together with dim objects: where there is
    much noise, or little else, the threshold falls into it, and the mask or what it leaves
    is specks. Where the mask of the pixels is specks as well, they are smoothed until it is
    not.
    """
    level = root(pixels)
    mask: Mask = level > otsu(level)
    if _is_solid(mask) and _is_solid(~mask):
        return mask
    plain: Mask = pixels > otsu(pixels)
    if _is_solid(plain):
        return plain
    for sigma in BLURS:
        calm = smooth(pixels, sigma)
        mask = calm > otsu(calm)
        if _is_solid(mask) and _is_solid(~mask):
            return mask
    return plain


def _is_solid(mask: Mask) -> bool:
    """Say whether an opening leaves at least :data:`SOLID` of a mask."""
    from scipy.ndimage import binary_dilation, binary_erosion

    # The image's border is no outline.
    opened = binary_dilation(binary_erosion(mask, border_value=1))
    return bool(np.count_nonzero(opened) >= SOLID * np.count_nonzero(mask))


def outline(mask: Mask) -> Mask:
    """Return the mask's own pixels beside the background; the image's border is no outline."""
    from scipy.ndimage import binary_erosion

    rim: Mask = mask & ~binary_erosion(mask, border_value=1)
    return rim


def otsu(pixels: Floats) -> float:
    """Return Otsu's threshold over 256 bins (1979, doi:10.1109/TSMC.1979.4310076)."""
    return global_level(pixels, "otsu")


def global_level(pixels: Floats, rule: str) -> float:
    """Return the threshold of a global rule, see :data:`GLOBAL_RULES`."""
    from skimage import filters

    if pixels.min() == pixels.max():
        return float(pixels.max())
    return float(getattr(filters, GLOBAL_RULES[rule])(pixels))


def odd(length: float) -> int:
    """Return the odd whole number of pixels nearest to a length, at least 3."""
    return max(3, 2 * int(length / 2) + 1)


def box_mean(pixels: Floats, window: int) -> Floats:
    """Return the mean over a square window, edges mirrored."""
    from scipy.ndimage import uniform_filter

    mean: Floats = uniform_filter(pixels, window, mode="reflect")
    return mean


def mean_where(pixels: Floats, where: Mask, window: int, otherwise: float) -> Floats:
    """Return the local mean over the pixels chosen by ``where``.

    Where less than 2 % of the window is chosen the value is ``otherwise``.
    """
    share = box_mean(where.astype(np.float32), window)
    total = box_mean(np.where(where, pixels, np.float32(0)), window)
    return np.where(share > 0.02, total / np.maximum(share, 1e-6), np.float32(otherwise))


def background(pixels: Floats, mask: Mask, window: int) -> Floats:
    """Return the local level of the pixels outside of ``mask``."""
    outside = ~mask
    level = float(np.median(pixels[outside])) if outside.any() else 0.0
    return mean_where(pixels, outside, window, level)


def contrast_in(pixels: Floats, mask: Mask, diameter: float, fraction: float = 0.45) -> Mask:
    """Keep the part of a mask above a fraction of the local contrast.

    Local contrast runs from the background within 3 diameters to the mean of the mask
    within one diameter.
    """
    if not mask.any():
        return mask
    low = background(pixels, mask, odd(3 * diameter))
    high = mean_where(pixels, mask, odd(diameter), float(pixels[mask].mean()))
    kept: Mask = mask & (pixels > low + np.float32(fraction) * (high - low))
    return kept


def fill_holes(mask: Mask) -> Mask:
    """Return the mask without enclosed holes."""
    from scipy.ndimage import binary_fill_holes

    filled: Mask = binary_fill_holes(mask)
    return filled
