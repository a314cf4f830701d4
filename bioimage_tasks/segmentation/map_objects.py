"""From a map of object probability to pieces of objects, for a learned rule to join.

A float map comes in, labels of an over-segmentation go out. Lengths follow the objects: the
diameter is that of the map's typical part unless given. Must not know how the map was made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, check_range, sequential
from bioimage_tasks.segmentation import objects
from bioimage_tasks.segmentation.masks import Floats, fill_holes, smooth
from bioimage_tasks.segmentation.membranes import check_map
from bioimage_tasks.segmentation.seeds import standing

#: Equivalent diameter over inscribed radius, on hand outlines of nuclei.
DIAMETER_PER_RADIUS = 2.15


def pieces_of_map(
    chances: npt.ArrayLike,
    *,
    level: float = 0.5,
    diameter: float | None = None,
    smoothing: float = 1.0,
    depth: float = 0.015,
    min_area: int = 20,
) -> Labels:
    """Over-segment what is likely object: ``pieces_of_map(map)``.

    Seeds are maxima of distance to background weighted by the probability, so that a neck
    as well as a line of doubt parts; the same surface is flooded.

    Parameters
    ----------
    chances : array_like of float
        Probability of object, 0..1; 2D or 3D.
    level : float
        Least probability.
    diameter : float, optional
        Of a usual object, pixels; taken from the map when not given.
    smoothing : float
        Sigma of the Gaussian on the map, pixels.
    depth : float
        A neck counts when it is this much narrower than both sides, in diameters.
    min_area : int
        Smaller parts of the mask are dropped, pixels.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background.

    Raises
    ------
    ValueError
        The map is not 2D or 3D, empty, not within 0..1, or a value is out of range.
    """
    surface = check_map("pieces_of_map", chances)
    check_range("pieces_of_map", "level", level, 0, 1)
    check_range("pieces_of_map", "min_area (pixels)", min_area, 0, surface.size)
    smoothed = smooth(surface, check_range("pieces_of_map", "smoothing", smoothing, 0, 100))
    parts = objects.connected(smoothed > level)
    large = np.bincount(parts.ravel()) >= max(min_area, 1)
    large[0] = False
    mask = fill_holes(large[parts])
    if not mask.any():
        return np.zeros(surface.shape, dtype=np.int32)
    distance = objects.distance_map(mask)
    length = diameter if diameter is not None else typical_diameter(distance)
    height = smooth(distance * smoothed, 0.04 * length)
    seeds = standing(height, mask, depth * length)
    return sequential(objects.flood(height, mask, seeds))


def typical_diameter(distance: Floats) -> float:
    """Return the usual diameter of a mask's parts from its distance map, pixels.

    The median of inscribed radii at peaks, weighted by area, so that specks do not count.
    """
    from scipy.ndimage import gaussian_filter, maximum_filter

    depth = gaussian_filter(distance, 1.0)
    peaks = (depth == maximum_filter(depth, 5)) & (depth > 1.2)
    radii = np.sort(depth[peaks])
    if not len(radii):
        return 2.0
    weight = np.cumsum(radii**2)
    return float(DIAMETER_PER_RADIUS * radii[np.searchsorted(weight, weight[-1] / 2)])


def views(maps: npt.ArrayLike, image: npt.ArrayLike) -> list[npt.NDArray[np.float64]]:
    """Return what a merging rule looks at: the maps, and the image turned bright on dark.

    Parameters
    ----------
    maps : array_like of float
        Shape (maps, *image).
    image : array_like
        Grey, or RGB on white: then its mean optical density.
    """
    pixels = np.asarray(image, dtype=np.float64)
    seen = [np.asarray(plane, dtype=np.float64) for plane in np.asarray(maps)]
    if pixels.ndim == seen[0].ndim + 1:
        return [*seen, -np.log((pixels + 1) / 256).mean(-1)]
    return [*seen, pixels]
