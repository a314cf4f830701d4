"""Lengths in stacks whose planes lie further apart than their pixels.

A volume and the size of a voxel come in; smoothed volumes, local backgrounds, the usual
diameter of objects and the distance of planes go out. Lengths are in the unit of the voxel's
size. Must not know methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask, check_range, sequential
from bioimage_tasks.segmentation import masks
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.scale import estimate

Steps = tuple[float, ...]

#: Equivalent diameter over inscribed radius: nuclei are no balls. Of made-up stacks.
DIAMETER_PER_RADIUS = 2.3
#: Planes are taken to be so much to so much further apart than pixels.
PLANES = (0.5, 8.0)
#: Blur makes objects seem deeper and planes nearer, by up to a half in a wide field. Taken for
#: too far apart they cost little, taken for too near they run together: made-up stacks lose 2
#: points of F1 by this factor where blur is small, and gain 10 where it is large.
BLURRED = 1.5
#: Width of a ball over that of its sections, in the mean.
PER_SECTION = 4 / math.pi
#: Sigma in pixels before outlines are counted: noise has outlines too. Within planes only,
#: for an object may be three planes deep.
QUIET = (0.0, 1.0, 1.0)
#: Pixels of a side under which a plane tells no width.
SMALLEST = 8
#: Objects cut by a face may be this much smaller than whole ones.
FACE_SHARE = 0.3


def steps_or_estimate(
    function: str, spacing: Sequence[float] | None, pixels: Floats, diameter: float | None = None
) -> Steps:
    """Return the size of a voxel, checked; or (distance of planes, 1, 1) as estimated.

    The estimate is that of :func:`plane_distance`, times :data:`BLURRED`. Of a stack that is
    thinner than its objects are wide the planes are taken further apart, until it is not: see
    :func:`upright`. Whoever gives spacing and diameter is believed.

    Raises
    ------
    ValueError
        Not three positive numbers.
    """
    if spacing is None:
        return upright(pixels, (BLURRED * plane_distance(pixels), 1.0, 1.0))
    steps = tuple(map(float, spacing))
    if len(steps) != 3 or not all(0 < step < float("inf") for step in steps):
        raise ValueError(
            f"{function}: spacing must be the size of a voxel along depth, height and width, "
            f"three numbers above 0; got {spacing}"
        )
    return upright(pixels, steps) if diameter is None else steps


def upright(pixels: Floats, steps: Steps) -> Steps:
    """Return the steps, those between planes so long that objects are no flatter than wide.

    In a stack of a few planes cells lie flat, or are cut by its faces: the distance to their
    outline is that to the nearest plane, wherever their middle is, and tells no neighbours
    apart. How wide they are is told by the brightest plane.
    """
    plane = pixels[int(np.argmax(pixels.mean(axis=(1, 2))))]
    if min(plane.shape) < SMALLEST or plane.min() == plane.max():
        return steps
    wide = PER_SECTION * estimate(plane) * math.sqrt(steps[1] * steps[2])
    return (max(steps[0], wide / len(pixels)), *steps[1:])


def plane_distance(pixels: Floats) -> float:
    """Estimate how far planes lie apart, in pixels, from prepared pixels.

    Straight lines cross the outlines of objects without a common direction equally often
    along every axis (Cauchy and Crofton), so the share of neighbours with an outline between
    them goes with their distance. Objects that blur makes longer in depth seem to lie in
    nearer planes.

    Parameters
    ----------
    pixels : numpy.ndarray of float32
        Shape (depth, height, width).

    Returns
    -------
    float
        Within :data:`PLANES`; 1 when no outline is seen.
    """
    from scipy.ndimage import gaussian_filter

    if min(pixels.shape) < 2:
        return 1.0
    mask = bright(gaussian_filter(pixels, QUIET, truncate=3.0))
    crossed = [float(np.diff(mask, axis=axis).mean()) for axis in range(3)]
    within = (crossed[1] + crossed[2]) / 2
    if within == 0 or crossed[0] == 0:
        return 1.0
    return float(np.clip(crossed[0] / within, *PLANES))


def diameter_or_estimate(
    function: str, diameter: float | None, pixels: Floats, steps: Steps
) -> float:
    """Return the diameter given, checked, or an estimate, in the unit of the steps.

    The estimate is from inscribed radii at the peaks of the distance map, their median
    weighted by volume; one eighth of the shortest side when no object stands out.

    Raises
    ------
    ValueError
        The diameter is under 2 voxels, or more than the longest side.
    """
    sides = [size * step for size, step in zip(pixels.shape, steps, strict=True)]
    if diameter is not None:
        unit = "diameter (in the unit of spacing)"
        return check_range(function, unit, diameter, 2.0 * min(steps), max(sides))
    fine = min(steps)
    mask = bright(smooth(pixels, fine, steps))
    radius = _typical_radius(mask, steps) if mask.any() else None
    return DIAMETER_PER_RADIUS * radius if radius else max(min(sides) / 8, 2.0 * fine)


def _typical_radius(mask: Mask, steps: Steps) -> float | None:
    from scipy.ndimage import maximum_filter

    from bioimage_tasks.segmentation.objects import distance_map

    fine = min(steps)
    depth = smooth(distance_map(mask, steps), fine, steps)
    reach = box(5 * fine, steps)
    peaks = (depth == maximum_filter(depth, reach)) & (depth > 1.2 * fine)
    radii = np.sort(depth[peaks])
    if not len(radii):
        return None
    weight = np.cumsum(radii.astype(np.float64) ** 3)
    return float(radii[np.searchsorted(weight, weight[-1] / 2)])


def bright(pixels: Floats) -> Mask:
    """Return what lies above Otsu's threshold of the square root."""
    level = masks.root(pixels)
    # Flat: a stack of three columns is no picture in colours.
    return level > masks.otsu(level.ravel())


def smooth(pixels: Floats, sigma: float, steps: Steps) -> Floats:
    """Return the volume under a Gaussian that is as wide along every axis."""
    from scipy.ndimage import gaussian_filter

    if sigma <= 0:
        return pixels
    smoothed: Floats = gaussian_filter(pixels, [sigma / step for step in steps], truncate=3.0)
    return smoothed


def box(side: float, steps: Steps) -> tuple[int, ...]:
    """Return the odd numbers of voxels, 3 at least, that a cube is long along each axis."""
    return tuple(masks.odd(side / step) for step in steps)


def background(pixels: Floats, mask: Mask, window: float, steps: Steps) -> Floats:
    """Return the mean of the voxels outside of ``mask`` within a cube.

    Where less than 2 % of the cube is outside it is the median of all that are.
    """
    from scipy.ndimage import uniform_filter

    outside = ~mask
    level = float(np.median(pixels[outside])) if outside.any() else 0.0
    side = box(window, steps)
    share = uniform_filter(outside.astype(np.float32), side)
    total = uniform_filter(np.where(outside, pixels, np.float32(0)), side)
    return np.where(share > 0.02, total / np.maximum(share, 1e-6), np.float32(level))


def clean(
    labels: Labels, pixels: Floats, min_volume: float, min_contrast: float, border: str
) -> Labels:
    """Drop objects that are small, dim or, when asked, cut by a face.

    Parameters
    ----------
    labels : numpy.ndarray of int32
    pixels : numpy.ndarray of float32
    min_volume : float
        Voxels; for objects at a face :data:`FACE_SHARE` of it.
    min_contrast : float
        Least brightness above the background, as a share of the median object's.
    border : str
        ``"keep"`` or ``"clear"``.
    """
    count = int(labels.max())
    if count == 0:
        return labels
    volume = np.bincount(labels.ravel(), minlength=count + 1)
    cut = _at_face(labels, count)
    keep = (volume > 0) & (volume >= np.where(cut, FACE_SHARE * min_volume, min_volume))
    keep[0] = False
    if min_contrast > 0 and keep.any():
        total = np.bincount(labels.ravel(), weights=pixels.ravel(), minlength=count + 1)
        outside = pixels[labels == 0]
        level = float(np.median(outside)) if outside.size else 0.0
        contrast = total / np.maximum(volume, 1) - level
        keep &= contrast >= min_contrast * np.median(contrast[keep])
    if border == "clear":
        keep &= ~cut
    return sequential(np.where(keep[labels], labels, 0))


def _at_face(labels: Labels, count: int) -> npt.NDArray[np.bool_]:
    cut = np.zeros(count + 1, dtype=bool)
    for axis in range(labels.ndim):
        for end in (0, -1):
            cut[np.take(labels, end, axis=axis)] = True
    return cut
