"""Seeds: one small mark in every object, from which it can be grown.

An image, a mask and a diameter come in, numbered marks go out. Four rules, 2D and 3D;
lengths are in object diameters. Every connected part of the mask has at least one mark, so
that nothing is lost. Must not know what grows from them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask, check_choice, check_range
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.objects import connected, distance_map

Steps = tuple[float, ...]

#: Where seeds are looked for.
SEED_RULES = ("distance", "intensity", "h-maxima", "log")
#: Sizes of blobs that ``log`` looks for, in diameters.
BLOB_SIZES = (0.5, 0.7, 1.0, 1.4)


def find_seeds(
    image: npt.ArrayLike,
    mask: Mask,
    diameter: float,
    *,
    rule: str = "log",
    depth: float = 0.06,
    smoothing: float = 0.08,
    apart: float = 0.4,
    spacing: Sequence[float] | None = None,
) -> Labels:
    """Mark every object of a mask: ``find_seeds(image, mask, 24.0, rule="distance")``.

    Parameters
    ----------
    image : array_like
        2D or 3D, bright objects.
    mask : numpy.ndarray of bool
        Same shape.
    diameter : float
        Of a usual object, pixels or the unit of ``spacing``.
    rule : str
        ``distance``: maxima of the smoothed distance to the background that stand ``depth``
        diameters above their passes. ``h-maxima``: the same of the smoothed intensity, whose
        span from background to brightest within a diameter counts as one radius (Soille,
        Morphological Image Analysis, 2nd ed., section 6.3, 2004). ``intensity``: plain
        maxima of the smoothed intensity, ``apart`` diameters from any higher one. ``log``:
        maxima over place and scale of the Laplacian of Gaussians normalised by scale
        (Lindeberg 1998, doi:10.1023/A:1008045108935), equally far apart.
    depth, smoothing, apart : float
        In diameters.
    spacing : sequence of float, optional
        Size of a pixel along each axis; squares or cubes of 1 when not given.

    Returns
    -------
    numpy.ndarray of int32
        0, or the number of a seed.

    Raises
    ------
    ValueError
        Shapes differ, an unknown rule, or a value out of range.
    """
    check_choice("find_seeds", "rule", rule, SEED_RULES)
    pixels = np.asarray(image, dtype=np.float32)
    if pixels.shape != mask.shape or pixels.ndim not in (2, 3):
        raise ValueError(
            "find_seeds: image and mask must have the same shape, 2D or 3D; got "
            f"{pixels.shape} and {mask.shape}"
        )
    steps = _steps(spacing, mask.ndim)
    longest = max(size * step for size, step in zip(mask.shape, steps, strict=True))
    check_range("find_seeds", "diameter (pixels)", diameter, 2.0 * min(steps), longest)
    for name, value in (("depth", depth), ("smoothing", smoothing), ("apart", apart)):
        check_range("find_seeds", name, value, 0, 5)
    sigma = smoothing * diameter
    if rule == "distance":
        tops = _standing(
            _smooth(distance_map(mask, spacing), sigma, steps) * mask, depth * diameter
        )
    elif rule == "h-maxima":
        heights = _heights(pixels, mask, diameter, steps)
        tops = _standing(_smooth(heights, sigma, steps) * mask, depth * diameter)
    else:
        surface = _smooth(pixels, sigma, steps) if rule == "intensity" else None
        surface = blobs(pixels, diameter, steps) if surface is None else surface
        tops = _apart(surface, mask, apart * diameter, steps)
    return _none_forgotten(connected_any(tops & mask), mask)


def _steps(spacing: Sequence[float] | None, dimensions: int) -> Steps:
    if spacing is None:
        return (1.0,) * dimensions
    steps = tuple(map(float, spacing))
    if len(steps) != dimensions or not all(0 < step < math.inf for step in steps):
        raise ValueError(
            f"find_seeds: spacing must be a number above 0 for each of {dimensions} axes; "
            f"got {spacing}"
        )
    return steps


def standing(surface: Floats, mask: Mask, depth: float) -> Labels:
    """Mark the maxima of a surface that stand ``depth`` above the pass to a higher one.

    Parameters
    ----------
    surface : numpy.ndarray of float32
        2D or 3D, above 0 in the mask.
    mask : numpy.ndarray of bool
        Every connected part of it has at least one mark.
    depth : float
        In the surface's unit.
    """
    return _none_forgotten(connected_any(_standing(surface * mask, depth) & mask), mask)


def blobs(pixels: Floats, diameter: float, steps: Steps | None = None) -> Floats:
    """Return the strongest response of a Laplacian of Gaussians over :data:`BLOB_SIZES`.

    The diameter is in the unit of ``steps``, the size of a pixel along each axis.
    """
    best = np.full(pixels.shape, -np.inf, dtype=np.float32)
    for size in BLOB_SIZES:
        # A disc of this diameter answers most strongly at this sigma.
        sigma = size * diameter / (2 * math.sqrt(pixels.ndim))
        np.maximum(best, -_laplace(pixels, sigma, steps), out=best)
    return best


def _laplace(pixels: Floats, sigma: float, steps: Steps | None) -> Floats:
    """Return the Laplacian of a Gaussian times its sigma squared."""
    from scipy.ndimage import gaussian_filter, gaussian_laplace

    if steps is None or len(set(steps)) == 1:
        wide = sigma / (steps[0] if steps else 1.0)
        even: Floats = wide**2 * gaussian_laplace(pixels, wide, truncate=3.0)
        return even
    sigmas = [sigma / step for step in steps]
    total = np.zeros_like(pixels)
    for axis, own in enumerate(sigmas):
        order = [2 if other == axis else 0 for other in range(pixels.ndim)]
        total += own**2 * gaussian_filter(pixels, sigmas, order, truncate=3.0)
    return total


def connected_any(tops: Mask) -> Labels:
    """Return the parts of a mask connected by edges or corners, numbered."""
    from scipy.ndimage import label

    numbers: Labels = label(tops, np.ones((3,) * tops.ndim), output=np.int32)[0]
    return numbers


def _smooth(surface: Floats, sigma: float, steps: Steps) -> Floats:
    from scipy.ndimage import gaussian_filter

    if sigma <= 0:
        return surface
    smoothed: Floats = gaussian_filter(surface, [sigma / step for step in steps], truncate=3.0)
    return smoothed


def _standing(surface: Floats, depth: float) -> Mask:
    """Return the maxima that stand at least ``depth`` above the pass to a higher one."""
    from skimage.morphology import local_maxima, reconstruction

    if min(surface.shape) < 3:
        top: Mask = surface == surface.max()
        return top
    # A little below, even for depth 0: plateaus of equal height must not be cut.
    lowered = surface - np.float32(max(depth, 1e-6))
    kept = reconstruction(lowered, surface, method="dilation").astype(np.float32)
    tops: Mask = local_maxima(kept) & (surface > 0)
    return tops


def _apart(surface: Floats, mask: Mask, distance: float, steps: Steps) -> Mask:
    """Return the maxima with nothing higher within ``distance`` in the mask."""
    from scipy.ndimage import maximum_filter

    side = [max(3, 2 * int(distance / step) + 1) for step in steps]
    inside = np.where(mask, surface, -np.inf)
    tops: Mask = mask & (inside == maximum_filter(inside, side, mode="constant", cval=-np.inf))
    return tops


def _heights(pixels: Floats, mask: Mask, diameter: float, steps: Steps) -> Floats:
    from scipy.ndimage import maximum_filter

    outside = pixels[~mask]
    low = np.float32(np.median(outside)) if outside.size else pixels.min()
    above = np.maximum(_smooth(pixels, 0.1 * diameter, steps) - low, 0)
    top = maximum_filter(above, [max(3, 2 * int(diameter / step / 2) + 1) for step in steps])
    heights: Floats = above / np.maximum(top, np.float32(1e-6)) * np.float32(diameter / 2)
    return heights


def _none_forgotten(seeds: Labels, mask: Mask) -> Labels:
    """Give parts of the mask without a seed one: the whole part."""
    parts = connected(mask)
    seeded = np.zeros(int(parts.max()) + 1, dtype=bool)
    seeded[parts[seeds > 0]] = True
    forgotten = (parts > 0) & ~seeded[parts]
    numbers: Labels = np.where(forgotten, parts + seeds.max(), seeds).astype(np.int32)
    return numbers
