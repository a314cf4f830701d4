"""Marker-controlled watershed: one marker per object grows until it meets the next.

An image with bright objects comes in, labels go out. Markers are the maxima of a
surface that stand out by a given depth; the same surface, upside down, is flooded.
Source of the idea: Meyer and Beucher 1990, doi:10.1016/1047-3203(90)90014-M.
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
from bioimage_tasks.segmentation.scene import Scene, prepared

MARKERS = ("distance", "intensity", "both")


@register("watershed", dimensions=(2, 3))
def watershed(
    image: Array,
    *,
    markers: str = "both",
    depth: float = 0.06,
    marker_smoothing: float = 0.08,
    fraction: float = 0.4,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label by flooding from markers: ``watershed(image, markers="intensity")``.

    Parameters
    ----------
    image : array_like
        Shape (height, width) or (depth, height, width), bright objects on a darker
        background, any real dtype.
    markers : str
        Which surface has its maxima in the objects: ``distance`` to the background,
        ``intensity``, or ``both``, the mean of the two in the same unit.
    depth : float
        How far a maximum must stand above the pass to the next one, in diameters; an
        intensity counts as one radius where it reaches its object's brightest.
    marker_smoothing : float
        Sigma of the Gaussian on the surface, in diameters.
    fraction : float
        Where the outline lies between local background and object, in (0, 1).
    spacing, diameter, smoothing, fill, min_size, min_contrast, border
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
    name = "watershed"
    check_choice(name, "markers", markers, MARKERS)
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "depth", depth, 0, 5)
    check_range(name, "marker_smoothing", marker_smoothing, 0, 5)
    check_range(name, "fraction", fraction, 0, 1)
    scene = prepared(name, image, diameter, smoothing, spacing)
    mask = scene.contrast_mask(fraction)
    if fill:
        mask = masks.fill_holes(mask)
    labels = scene.hills(_surface(scene, mask, markers, marker_smoothing), mask, depth)
    return scene.clean(name, labels, min_size, min_contrast, border)


def _surface(scene: Scene, mask: Mask, markers: str, sigma: float) -> Floats:
    """Return a surface in the unit of a radius, 0 outside of the mask."""
    parts = []
    if markers != "intensity":
        parts.append(scene.smooth(scene.distance(mask), sigma))
    if markers != "distance":
        parts.append(scene.smooth(_heights(scene, mask), sigma))
    mean: Floats = sum(parts[1:], parts[0]) / np.float32(len(parts))
    return mean * mask


def _heights(scene: Scene, mask: Mask) -> Floats:
    """Return the brightness above background; the brightest within a diameter is a radius."""
    from scipy.ndimage import maximum_filter

    above = scene.smooth(np.maximum(scene.pixels - scene.background(mask, 3), 0), 0.1)
    top = maximum_filter(above, size=scene.box(1))
    radius = np.float32(scene.diameter / 2)
    heights: Floats = above / np.maximum(top, np.float32(1e-6)) * radius
    return heights
