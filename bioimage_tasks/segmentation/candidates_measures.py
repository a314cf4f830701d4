"""What can be measured of a candidate: shape, outline, contrast, surroundings.

Regions and the image come in, numbers without unit go out, a row a region: lengths are in
object diameters, brightness in shares of a contrast, so that they mean the same under every
magnification and camera. Sums over pixels are taken for all regions at once: the pixels of
a region are one stretch of a list, its sum a difference of two running sums.

Must not know what makes a region good.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.segmentation.candidates import Doubles, Integers, Regions
from bioimage_tasks.segmentation.masks import Floats

#: Columns of :func:`measure`, in this order.
MEASURES = (
    "size",  # log2 of the equivalent diameter over the image's typical one
    "elongation",  # log2 of the longest over the shortest axis
    "ellipticity",  # area over the area of the ellipse of the same moments
    "roundness",  # outline of that ellipse over the region's outline
    "neck",  # narrowest inner neck over the width of the lesser part
    "facing",  # share of the outline that faces other parts of its component
    "rim",  # share of the outline that lies on the rim of the image
    "height",  # the threshold between surroundings (0) and mean (1)
    "root_height",  # the same between their square roots
    "prominence",  # contrast to the near surroundings over that to the far ones
    "signal",  # log2 of the contrast over the image's noise
    "brightness",  # log2 of the contrast over that of the image's bright pixels
    "haze",  # far surroundings over the mean
    "texture",  # standard deviation inside over the contrast
    "edge",  # slope of the root at the outline, over its contrast per diameter
    "edge_share",  # the same slope over the steep slopes of this image
    "growth",  # log2 of the area one threshold lower over its own
    "cut",  # 1 when cut at a neck
)
#: Near surroundings reach to one diameter around the middle, far ones to three.
NEAR, FAR = 2.0, 6.0


def measure(regions: Regions, light: Floats, diameter: float, noise: float) -> Doubles:
    """Measure all regions: columns :data:`MEASURES`.

    Parameters
    ----------
    regions : Regions
    light : numpy.ndarray of float32
        The image, smoothed, darkest pixel about 0.
    diameter : float
        Typical diameter of an object, pixels.
    noise : float
        Standard deviation of ``light`` where nothing is seen, in its unit.

    Returns
    -------
    numpy.ndarray of float64, shape (regions, measures)
    """
    if not len(regions):
        return np.zeros((0, len(MEASURES)))
    root = np.sqrt(np.maximum(light, 0))
    area = regions.area.astype(np.float64)
    axes = _axes(regions, area)
    size = _equivalent_diameter(area, light.ndim)
    ellipse = _volume(axes)
    outline, rim, slope = _outlines(regions, _slope(root))
    facing = regions.facing * _FACE[light.ndim]
    outline = outline + facing
    mean, spread = _brightness(regions, light, area)
    near, far = _surroundings(regions, light, size)
    contrast = np.maximum(mean - near, 1e-6)
    root_contrast = np.maximum(np.sqrt(mean) - np.sqrt(near), 1e-6)
    edge = slope / np.maximum(outline - facing, 1e-6)
    steep = max(float(np.percentile(edge, 90)), 1e-6)
    span = max(float(np.percentile(light, 99) - np.percentile(light, 5)), 1e-6)
    level = np.square(regions.level)
    older = np.where(regions.parent >= 0, area[regions.parent], area)
    return np.column_stack(
        [
            np.log2(size / diameter),
            np.log2(axes.max(1) / axes.min(1)),
            area / ellipse,
            _surface(axes) / np.maximum(outline, 1e-6),
            regions.neck,
            facing / np.maximum(outline, 1e-6),
            rim / np.maximum(outline, 1e-6),
            np.clip((level - near) / contrast, -1, 2),
            np.clip((regions.level - np.sqrt(near)) / root_contrast, -1, 2),
            np.clip(contrast / np.maximum(mean - far, 1e-6), 0, 2),
            np.log2(contrast / max(noise, 1e-6)),
            np.log2(contrast / span),
            far / np.maximum(mean, 1e-6),
            np.clip(spread / contrast, 0, 4),
            edge * size / root_contrast,
            edge / steep,
            np.log2(older / area),
            regions.cut,
        ]
    )


def _sums(regions: Regions, values: npt.NDArray[Any]) -> Doubles:
    total = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    sums: Doubles = total[regions.stop] - total[regions.start]
    return sums


def _axes(regions: Regions, area: Doubles) -> Doubles:
    """Return the half axes of the ellipse of the same second moments, shape (regions, ndim)."""
    places = np.unravel_index(regions.pixels, regions.shape)
    # Around the middle of the image: the running sums lose fewer digits.
    centred = [place - size / 2.0 for place, size in zip(places, regions.shape, strict=True)]
    dimensions = len(centred)
    means = [_sums(regions, place) / area for place in centred]
    moments = np.empty((len(regions), dimensions, dimensions))
    for i in range(dimensions):
        for j in range(i, dimensions):
            cross = _sums(regions, centred[i] * centred[j]) / area - means[i] * means[j]
            moments[:, i, j] = moments[:, j, i] = cross + (i == j) / 12  # a pixel has width
    spread = np.maximum(np.linalg.eigvalsh(moments), 1 / 12)
    axes: Doubles = np.sqrt((dimensions + 2) * spread)
    return axes


def _volume(axes: Doubles) -> Doubles:
    ball = math.pi if axes.shape[1] == 2 else 4 / 3 * math.pi
    volume: Doubles = ball * axes.prod(1)
    return volume


def _surface(axes: Doubles) -> Doubles:
    """Return the outline of an ellipse (Ramanujan) or the surface of an ellipsoid (Thomsen)."""
    if axes.shape[1] == 2:
        a, b = axes.T
        share = np.square((a - b) / (a + b))
        length: Doubles = math.pi * (a + b) * (1 + 3 * share / (10 + np.sqrt(4 - 3 * share)))
        return length
    p = 1.6075
    a, b, c = axes.T
    mean = ((a * b) ** p + (a * c) ** p + (b * c) ** p) / 3
    surface: Doubles = 4 * math.pi * mean ** (1 / p)
    return surface


def _equivalent_diameter(area: Doubles, dimensions: int) -> Doubles:
    if dimensions == 2:
        return np.sqrt(4 / math.pi * area)
    return np.cbrt(6 / math.pi * area)


def _brightness(regions: Regions, light: Floats, area: Doubles) -> tuple[Doubles, Doubles]:
    values = light.ravel()[regions.pixels].astype(np.float64)
    mean = _sums(regions, values) / area
    variance = _sums(regions, values * values) / area - mean * mean
    return mean, np.sqrt(np.maximum(variance, 0))


def _slope(root: Floats) -> Floats:
    # Central differences: the image is smooth already.
    parts = [np.gradient(root, axis=axis) if n > 1 else 0 for axis, n in enumerate(root.shape)]
    slope: Floats = np.sqrt(sum(np.square(part) for part in parts)).astype(np.float32)
    return slope


#: True length of an outline per face between pixels, mean over all directions.
_FACE = {2: math.pi / 4, 3: 2 / 3}


def _neighbours(dimensions: int) -> list[tuple[tuple[int, ...], float]]:
    """Return steps to neighbours, each with the outline's length per crossing.

    In 2D four directions of lines (Crofton's formula), in 3D the faces.
    """
    steps = [step for step in product((-1, 0, 1), repeat=dimensions) if any(step)]
    if dimensions == 3:
        return [(step, 2 / 3) for step in steps if sum(map(abs, step)) == 1]
    eighth = math.pi / 8
    return [(step, eighth if sum(map(abs, step)) == 1 else eighth / math.sqrt(2)) for step in steps]


def _outlines(regions: Regions, slope: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Return the length of the outline to the background, of that on the rim, and its slope.

    Thresholds are nested: how often a pixel is listed, as a part of a component, is the
    number of thresholds below it; a neighbour with fewer lies outside.
    """
    depth = np.bincount(regions.pixels, minlength=math.prod(regions.shape)).reshape(regions.shape)
    padded = np.pad(depth, 1)
    inner = np.ravel_multi_index(
        tuple(place + 1 for place in np.unravel_index(regions.pixels, regions.shape)), padded.shape
    )
    from scipy.ndimage import minimum_filter

    lowest = minimum_filter(padded, 3, mode="constant").ravel()
    flat = padded.ravel()
    inside_image = np.pad(np.ones(regions.shape, dtype=bool), 1).ravel()
    turn = _turns(regions)
    border = np.flatnonzero(lowest[inner] < turn)
    at, when = inner[border], turn[border]
    strides = np.cumprod((1, *padded.shape[:0:-1]))[::-1]
    length = np.zeros(len(border))
    rim = np.zeros(len(border))
    for step, weight in _neighbours(len(regions.shape)):
        other = at + int(np.dot(step, strides))
        crossing = weight * (flat[other] < when)
        length += crossing
        rim += crossing * ~inside_image[other]
    steepness = slope.ravel()[regions.pixels[border]] * (length - rim)
    full = np.zeros(len(regions.pixels))
    columns = []
    for values in (length, rim, steepness):
        full[border] = values
        columns.append(_sums(regions, full))
    return columns[0], columns[1], columns[2]


def _turns(regions: Regions) -> Integers:
    """Return for every listed pixel which listing of it this is, from 1."""
    order = np.argsort(regions.pixels, kind="stable")
    ordered = regions.pixels[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    counts = np.diff(np.r_[first, len(ordered)])
    turn = np.empty(len(ordered), dtype=np.int64)
    turn[order] = np.arange(1, len(ordered) + 1) - np.repeat(first, counts)
    return turn


def _surroundings(regions: Regions, light: Floats, size: Doubles) -> tuple[Doubles, Doubles]:
    """Return the darkest level near each region's middle and farther around it."""
    from scipy.ndimage import gaussian_filter, minimum_filter

    middles = np.array(regions.shape)
    places = np.unravel_index(regions.pixels, regions.shape)
    area = regions.area
    where = [
        np.clip(np.rint(_sums(regions, place) / area).astype(int), 0, n - 1)
        for place, n in zip(places, middles, strict=True)
    ]
    octave = np.clip(np.rint(2 * np.log2(size)), 2, None).astype(int)
    near, far = np.zeros(len(regions)), np.zeros(len(regions))
    cache: dict[int, Floats] = {}

    def darkest(window: float) -> Floats:
        side = 2 * int(min(window, 2 * max(regions.shape)) / 2) + 1
        if side not in cache:
            even = gaussian_filter(light, min(side / 16, 8), truncate=3.0)
            cache[side] = minimum_filter(even, side)
        return cache[side]

    for each in np.unique(octave):
        mine = octave == each
        spot = tuple(axis[mine] for axis in where)
        near[mine] = darkest(NEAR * 2 ** (each / 2))[spot]
        far[mine] = darkest(FAR * 2 ** (each / 2))[spot]
    return np.maximum(near, 0), np.maximum(far, 0)
