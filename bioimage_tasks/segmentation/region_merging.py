"""Merging of regions by a model of objects, without training.

An image with bright objects comes in, labels go out. The mask is over-segmented at every
neck; neighbours merge, the best pair first, as long as the merged object is more like an
object than its parts are, or no step in the brightness lies between them. In the spirit of
Lin et al. 2003, doi:10.1002/cyto.a.10079, whose model is fitted to the image's objects;
here it is round, of one piece, and of the estimated diameter.
"""

from __future__ import annotations

import heapq
import math

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
from bioimage_tasks.segmentation.merging_measures import Pieces, object_row, pieces_of
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scale import prepared
from bioimage_tasks.segmentation.seeds import find_seeds

#: Deviation of log2(diameter over the usual one): halves and doubles are two deviations off.
SIZE_DEVIATION = 0.5


@register("region-merging")
def region_merging(
    image: Array,
    *,
    over: float = 0.02,
    model_weight: float = 1.0,
    gradient_weight: float = 0.5,
    fraction: float = 0.4,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Over-segment, then merge what is more like an object together: ``region_merging(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), bright objects on a darker background, any real dtype.
    over : float
        Depth of a neck at which the over-segmentation parts, in diameters.
    model_weight : float
        Of the gain in likeness to an object (roundness, ellipticity, size; -1..1).
    gradient_weight : float
        Of what the step in brightness at the contact says: gradient inside the parts
        less that on the contact, over their sum (-1..1).
    fraction : float
        Where the outline lies between local background and object, in (0, 1).
    diameter, smoothing, fill, min_size, min_contrast, border
        As for :func:`bioimage_tasks.segmentation.default.root_contrast`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    name = "region_merging"
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "over", over, 0, 5)
    check_range(name, "fraction", fraction, 0, 1)
    check_range(name, "model_weight", model_weight, 0, 100)
    check_range(name, "gradient_weight", gradient_weight, 0, 100)
    smoothed, length = prepared(name, image, diameter, smoothing)
    mask = objects.contrast_mask(smoothed, length, masks.odd(3 * length), fraction)
    parts = _over_segment(masks.fill_holes(mask) if fill else mask, length, over)
    merged = merge(parts, smoothed, length, model_weight, gradient_weight)
    return objects.clean(
        name,
        merged,
        smoothed,
        length,
        min_size=min_size,
        min_contrast=min_contrast,
        border=border,
    )


def _over_segment(mask: Mask, diameter: float, depth: float) -> Labels:
    if not mask.any():
        return mask.astype(np.int32)
    surface = masks.smooth(objects.distance_map(mask), 0.04 * diameter)
    seeds = find_seeds(surface, mask, diameter, rule="distance", depth=depth, smoothing=0.04)
    return objects.flood(surface, mask, seeds)


def merge(
    labels: Labels,
    pixels: Floats,
    diameter: float,
    model_weight: float = 1.0,
    gradient_weight: float = 0.5,
) -> Labels:
    """Merge neighbours while the combined score of the best pair is above 0, 2D or 3D.

    Parameters
    ----------
    labels : numpy.ndarray of int32
        The over-segmentation, sequential.
    pixels : numpy.ndarray of float32
    diameter : float
        Pixels.
    model_weight, gradient_weight : float
        See :func:`region_merging`.
    """
    from scipy.ndimage import gaussian_gradient_magnitude

    if int(labels.max()) < 2:
        return labels
    slope = gaussian_gradient_magnitude(pixels, max(0.5, 0.03 * diameter), truncate=3.0)
    pieces = pieces_of(labels, [slope.astype(np.float64)])
    weights = (model_weight, gradient_weight)
    queue = [(-_gain(pieces, a, b, diameter, weights), a, b) for a, b in pieces.pairs()]
    heapq.heapify(queue)
    while queue and queue[0][0] < 0:
        _, a, b = heapq.heappop(queue)
        if not (pieces.is_alive(a) and pieces.is_alive(b)):
            continue
        new = pieces.join(a, b)
        for other in pieces.beside(new):
            gain = _gain(pieces, new, other, diameter, weights)
            heapq.heappush(queue, (-gain, min(new, other), max(new, other)))
    return pieces.render(pieces.alive())


def _gain(
    pieces: Pieces, one: int, two: int, diameter: float, weights: tuple[float, float]
) -> float:
    """Return by how much two pieces are better off together."""
    areas = float(pieces.sums[one][0]), float(pieces.sums[two][0])
    apart = (
        areas[0] * _likeness(pieces, one, diameter) + areas[1] * _likeness(pieces, two, diameter)
    ) / sum(areas)
    together = _likeness_of_both(pieces, one, two, diameter)
    contact = pieces.touching[one][two]
    there = float(contact[1] / contact[0])
    inside = float(
        sum(_slope(pieces, part) * area for part, area in zip((one, two), areas, strict=True))
    )
    inside /= sum(areas)
    calm = (inside - there) / max(inside + there, 1e-9)
    return weights[0] * (together - apart) + weights[1] * max(-1.0, min(1.0, calm))


def _slope(pieces: Pieces, one: int) -> float:
    """Return the mean gradient of a piece: the third number from the end of its row."""
    return max(float(object_row(pieces, one)[-3]), 0.0)


def _likeness(pieces: Pieces, one: int, diameter: float) -> float:
    row = object_row(pieces, one)
    return _model(float(pieces.sums[one][0]), row[1], row[2], diameter, pieces.labels.ndim)


def _likeness_of_both(pieces: Pieces, one: int, two: int, diameter: float) -> float:
    from bioimage_tasks.segmentation.merging_measures import pair_row

    row = pair_row(pieces, one, two)
    area = float(pieces.sums[one][0] + pieces.sums[two][0])
    return _model(area, row[5], row[6], diameter, pieces.labels.ndim)


def _model(
    area: float, ellipticity: float, roundness: float, diameter: float, dimensions: int
) -> float:
    """Return how much an object is like one, 0..1."""
    ball = math.pi / 4 if dimensions == 2 else math.pi / 6
    size = math.log2((area / ball) ** (1 / dimensions) / diameter)
    # Objects cut by a border or by chance are smaller; half the weight on that side.
    off = size / SIZE_DEVIATION if size > 0 else size / (2 * SIZE_DEVIATION)
    return min(ellipticity, 1.0) * min(roundness, 1.0) * math.exp(-off * off / 2)
