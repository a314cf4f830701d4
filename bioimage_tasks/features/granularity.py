"""Granularity: how much of an object's light sits in grains of each size.

An image and labels come in, the share of light that an opening by each larger octagon takes
away goes out, an object a row. The granulometric pattern spectrum: Matheron 1975; Maragos
1989, doi:10.1109/34.192465.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.features.grouped import numbering, ratio, sums
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable

Floats = npt.NDArray[np.float32]


@register("granularity", dimensions=(2, 3))
def granularity(
    image: Array,
    labels: Labels | None,
    *,
    radii: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16),
) -> FeatureTable:
    """Share of light in grains between one radius and the next.

    Parameters
    ----------
    image : numpy.ndarray
        2D or 3D.
    labels : numpy.ndarray of int32, optional
        Openings are made in the whole image: a grain may reach beyond its object.
    radii : tuple of int
        Pixels, growing.

    Raises
    ------
    ValueError
        No radii, or they don't grow from 1 or more.
    """
    if not radii or list(radii) != sorted(set(radii)) or radii[0] < 1:
        raise ValueError(f"granularity: radii (pixels) must grow from 1 or more; got {radii}")
    flat, count = numbering(image, labels)
    pixels = image.astype(np.float32) - np.float32(image.min())
    whole = before = sums(flat, pixels.ravel(), count)
    columns = {}
    for radius, opened in zip(radii, _openings(pixels, radii), strict=True):
        after = sums(flat, opened.ravel(), count)
        columns[f"to_{radius}"] = ("1", ratio(before - after, whole))
        before = after
    return FeatureTable.of(columns)


def _openings(pixels: Floats, radii: tuple[int, ...]) -> Iterator[Floats]:
    """Give the openings by octagons, in 3D by their like, as series of small steps.

    An octagon is the sum of ``square`` boxes and ``cross`` diamonds of radius 1: as wide
    along the axes as along the diagonals, the same in every mirror. Both numbers grow with
    the radius, so that each erosion goes on from the one before.
    """
    eroded, done = pixels, (0, 0)
    for radius in radii:
        square = round(radius * (np.sqrt(pixels.ndim) - 1) / (pixels.ndim - 1))
        steps = square, radius - square
        eroded = _grown(eroded, np.minimum, steps[0] - done[0], steps[1] - done[1])
        done = steps
        yield _grown(eroded, np.maximum, *steps)


def _grown(pixels: Floats, better: np.ufunc, boxes: int, crosses: int) -> Floats:
    """Take the least or greatest of a pixel and its neighbours, again and again."""
    for _ in range(boxes):
        for axis in range(pixels.ndim):
            pixels = _beside(pixels, better, (axis,))
    for _ in range(crosses):
        pixels = _beside(pixels, better, tuple(range(pixels.ndim)))
    return pixels


def _beside(pixels: Floats, better: np.ufunc, axes: tuple[int, ...]) -> Floats:
    """Take the least or greatest of a pixel and its neighbours along these axes."""
    found = pixels.copy()
    for axis in axes:
        first, last = (
            tuple(part if other == axis else slice(None) for other in range(pixels.ndim))
            for part in (slice(None, -1), slice(1, None))
        )
        better(found[first], pixels[last], out=found[first])
        better(found[last], pixels[first], out=found[last])
    return found
