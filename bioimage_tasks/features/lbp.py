"""Local binary patterns: how often a pixel's neighbours are brighter than it, and which.

An image and labels come in, the share of every rotation-invariant pattern an object goes
out. Codes are made once for the whole image by mahotas and counted by object. Must not know
grey levels: patterns don't change with gain and offset.

Ojala, Pietikainen, Maenpaa 2000, doi:10.1007/3-540-45054-8_27.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_choice, check_range
from bioimage_tasks.features.grouped import numbering, ratio
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable, Values

#: Where a neighbour outside of its pixel's object comes from.
NEIGHBOURS = ("image", "zero")


@register("lbp")
def lbp(
    image: Array,
    labels: Labels | None,
    *,
    radius: float = 1.0,
    points: int = 8,
    neighbours: str = "image",
) -> FeatureTable:
    """Share of every rotation-invariant local binary pattern.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (height, width).
    labels : numpy.ndarray of int32, optional
    radius : float
        Pixels.
    points : int
        Neighbours on the circle, 2 to 12: 36 patterns for 8, 352 for 12.
    neighbours : str
        ``"image"``: a neighbour outside of the object is the image's own. ``"zero"``: it is
        0, as in ``mahotas.features.lbp`` on the object's masked crop with
        ``ignore_zeros=True``; the rim of an object then tells its shape too.

    Raises
    ------
    ValueError
        A value out of range.
    """
    check_range("lbp", "radius (pixels)", radius, 0.5, 1e3)
    check_range("lbp", "points", points, 2, 12)
    check_choice("lbp", "neighbours", neighbours, NEIGHBOURS)
    if neighbours == "image" or labels is None:
        counts = _of_image(image, labels, radius, points)
    else:
        counts = _of_crops(image, labels, radius, points)
    shares = ratio(counts, counts.sum(1, keepdims=True))
    return FeatureTable.of(
        {f"pattern_{place}": ("1", shares[:, place]) for place in range(shares.shape[1])}
    )


def _patterns(points: int) -> npt.NDArray[np.int64]:
    """Return the codes that are the least of their rotations."""
    codes = np.arange(1 << points)
    least = codes.copy()
    for turn in range(1, points):
        least = np.minimum(least, (codes >> turn | codes << (points - turn)) & (1 << points) - 1)
    return np.flatnonzero(least == codes)


def _of_image(image: Array, labels: Labels | None, radius: float, points: int) -> Values:
    from mahotas.features.lbp import lbp_transform

    flat, count = numbering(image, labels)
    codes = lbp_transform(image.astype(np.float64), radius, points).ravel().astype(np.int64)
    kinds = 1 << points
    table = np.bincount(flat.astype(np.int64) * kinds + codes, minlength=(count + 1) * kinds)
    return table.reshape(count + 1, kinds)[1:, _patterns(points)].astype(np.float64)


def _of_crops(image: Array, labels: Labels, radius: float, points: int) -> Values:
    from mahotas.features import lbp as of_crop

    from bioimage_tasks.features.crops import crops

    counts = np.zeros((int(labels.max()), len(_patterns(points))))
    for place, crop in crops(image, labels):
        if crop.any():
            counts[place] = of_crop(crop.astype(np.float64), radius, points, ignore_zeros=True)
    return counts
