"""The size of the objects in an image, so that all other lengths can follow it.

An image comes in, a diameter in pixels goes out. Works on a reduced copy: bright areas
are found by Otsu's threshold of the square root (a few objects much brighter than the rest
are brought down before), narrowed by local contrast once a first
diameter is known, and the inscribed radii at the peaks of their distance map give the
diameter (their median, weighted by area, so that specks do not count).

Must not know methods; they call it when no diameter is given.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Mask, check_image, check_range, check_varied
from bioimage_tasks.segmentation.bright import dimmed
from bioimage_tasks.segmentation.masks import (
    Floats,
    bright,
    contrast_in,
    prepare,
    reduced,
    reduction,
    smooth,
)

#: Nuclei are not discs: equivalent diameter over inscribed radius, on hand outlines.
DIAMETER_PER_RADIUS = 2.15


def estimate_diameter(image: Array) -> float:
    """Estimate the usual diameter of bright objects: ``estimate_diameter(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), bright objects on a darker background.

    Returns
    -------
    float
        Pixels. One eighth of the image's shorter side when no object stands out.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite.
    """
    array = check_varied("estimate_diameter", check_image("estimate_diameter", image))
    return estimate(prepare(array))


def prepared(
    function: str, image: Array, diameter: float | None, smoothing: float
) -> tuple[Floats, float]:
    """Return the image as methods want it, and the length that all others follow.

    Parameters
    ----------
    function : str
        Of the method, for errors.
    image : array_like
        Shape (height, width), bright objects on a darker background, any real dtype.
    diameter : float, optional
        Pixels; estimated when not given.
    smoothing : float
        Sigma of a Gaussian, in diameters; 0 for none.

    Returns
    -------
    tuple of (numpy.ndarray of float32, float)
        Smoothed pixels, the darkest about 0, and the diameter in pixels.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    pixels = prepare(check_varied(function, check_image(function, image)))
    length = diameter_or_estimate(function, diameter, pixels)
    return smooth(pixels, check_range(function, "smoothing", smoothing, 0, 5) * length), length


def diameter_or_estimate(
    function: str, diameter: float | None, pixels: Floats, *, dim: bool = True
) -> float:
    """Return the diameter given, checked, or an estimate."""
    if diameter is None:
        return estimate(pixels, dim=dim)
    return check_range(function, "diameter (pixels)", diameter, 2.0, float(max(pixels.shape)))


def estimate(pixels: Floats, *, dim: bool = True) -> float:
    """Estimate the diameter from prepared pixels (see :func:`estimate_diameter`).

    ``dim`` says whether objects that outshine the rest are still to be brought down.
    """
    from scipy.ndimage import gaussian_filter

    factor = reduction(pixels)
    factor = 1 if min(pixels.shape) < factor else factor
    small = reduced(dimmed(pixels) if dim else pixels, factor)
    fallback = max(min(small.shape) / 8, 2.0)
    smoothed = gaussian_filter(small, 0.7)
    mask = bright(smoothed)
    diameter = typical_diameter(mask, 5)
    if diameter is None:
        return float(fallback * factor)
    smoothed = gaussian_filter(small, max(0.7, 0.03 * diameter))
    mask = contrast_in(smoothed, bright(smoothed), diameter)
    refined = typical_diameter(mask, max(3, 2 * int(0.25 * diameter) + 1))
    return float((refined or diameter) * factor)


def typical_diameter(mask: Mask, reach: int) -> float | None:
    """Return the area-weighted median diameter of a mask's parts; peaks are ``reach`` apart."""
    from scipy.ndimage import binary_opening, gaussian_filter, maximum_filter

    from bioimage_tasks.segmentation.objects import distance_map

    depth = gaussian_filter(distance_map(binary_opening(mask)), 0.5)
    peaks = (depth == maximum_filter(depth, size=reach)) & (depth > 1.2)
    radii = np.sort(depth[peaks])
    if not len(radii):
        return None
    weight = np.cumsum(radii**2)
    return float(DIAMETER_PER_RADIUS * radii[np.searchsorted(weight, weight[-1] / 2)])
