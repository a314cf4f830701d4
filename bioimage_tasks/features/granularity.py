"""Granularity: how much of an object's light sits in grains of each size.

An image and labels come in, the share of light that an opening by each larger octagon takes
away goes out, an object a row. The granulometric pattern spectrum: Matheron 1975; Maragos
1989, doi:10.1109/34.192465.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.features.grouped import numbering, ratio, sums
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable


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
    for radius in radii:
        after = sums(flat, _opened(pixels, radius).ravel(), count)
        columns[f"to_{radius}"] = ("1", ratio(before - after, whole))
        before = after
    return FeatureTable.of(columns)


def _opened(pixels: npt.NDArray[np.float32], radius: int) -> npt.NDArray[np.float32]:
    """Open by an octagon, in 3D by its like, as a series of small steps.

    The sum of ``square`` boxes and ``cross`` diamonds of radius 1: as wide along the axes as
    along the diagonals, the same in every mirror, fast at any radius.
    """
    from scipy.ndimage import generate_binary_structure
    from skimage.morphology import opening

    edge = np.sqrt(pixels.ndim)
    square = round(radius * (edge - 1) / (pixels.ndim - 1))
    footprint = [
        (generate_binary_structure(pixels.ndim, reach), times)
        for reach, times in ((pixels.ndim, square), (1, radius - square))
        if times
    ]
    opened: npt.NDArray[np.float32] = opening(pixels, footprint)
    return opened
