"""Local binary patterns: how often a pixel's neighbours are brighter than it, and which.

An image and labels come in, the share of every rotation-invariant pattern an object goes
out. Codes are made once for the whole image and counted by object; they are scikit-image's
with ``method="ror"``, but an equal neighbour is not a brighter one. Must not know grey
levels: patterns don't change with gain and offset.

Ojala, Pietikainen, Maenpaa 2000, doi:10.1007/3-540-45054-8_27.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_choice, check_range
from bioimage_tasks.features.grouped import Numbers, numbering, ratio
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable, Values

Codes = npt.NDArray[np.int64]
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
        ``"image"``: a neighbour outside of the object is the image's own, beyond the image
        its edge. ``"zero"``: it is 0, as if the object lay alone on black; its rim then
        tells its shape too.

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
        counts = _of_lone(image, labels, radius, points)
    shares = ratio(counts, counts.sum(1, keepdims=True))
    return FeatureTable.of(
        {f"pattern_{place}": ("1", shares[:, place]) for place in range(shares.shape[1])}
    )


def least_rotations(points: int) -> Codes:
    """Return for every code the least of its rotations, shape (2**points,)."""
    codes = np.arange(1 << points)
    least = codes.copy()
    for turn in range(1, points):
        least = np.minimum(least, (codes >> turn | codes << (points - turn)) & (1 << points) - 1)
    return least


def _patterns(points: int) -> Codes:
    least = least_rotations(points)
    return np.flatnonzero(least == np.arange(len(least)))


def lbp_codes(image: Array, radius: float, points: int) -> Codes:
    """Return the rotation-invariant code of every pixel, shape of the image."""
    pixels = image.astype(np.float64)
    rim = int(np.ceil(radius)) + 1
    padded = np.pad(pixels, rim, mode="edge")
    higher = pixels + 1e-9 * np.abs(pixels).max(initial=1)
    codes = np.zeros(image.shape, dtype=np.int64)
    for place, (down, across) in enumerate(_circle(radius, points)):
        codes |= (_shifted(padded, rim, down, across) > higher).astype(np.int64) << place
    return least_rotations(points)[codes]


def _circle(radius: float, points: int) -> list[tuple[float, float]]:
    return [
        (round(-radius * float(np.sin(angle)), 5), round(radius * float(np.cos(angle)), 5))
        for angle in np.linspace(0, 2 * np.pi, points, endpoint=False)
    ]


def _corners(down: float, across: float) -> list[tuple[int, int, float]]:
    """Return the pixels around an offset and their weights."""
    top, left = int(np.floor(down)), int(np.floor(across))
    found = []
    for row, share in ((top, 1 - (down - top)), (top + 1, down - top)):
        for column, part in ((left, 1 - (across - left)), (left + 1, across - left)):
            if share * part > 0:
                found.append((row, column, share * part))
    return found


def _shifted(padded: Array, rim: int, down: float, across: float) -> Values:
    """Return the values at an offset from every inner pixel, linear between four."""
    height, width = (side - 2 * rim for side in padded.shape)
    total = np.zeros((height, width))
    for row, column, weight in _corners(down, across):
        rows = slice(rim + row, rim + row + height)
        total += weight * padded[rows, rim + column : rim + column + width]
    return total


def _of_image(image: Array, labels: Labels | None, radius: float, points: int) -> Values:
    flat, count = numbering(image, labels)
    return _counted(flat, lbp_codes(image, radius, points).ravel(), count, points)


def _counted(owner: Numbers, codes: Codes, count: int, points: int) -> Values:
    """Return how often every pattern occurs in objects 1..count."""
    kinds = 1 << points
    table = np.bincount(owner.astype(np.int64) * kinds + codes, minlength=(count + 1) * kinds)
    return table.reshape(count + 1, kinds)[1:, _patterns(points)].astype(np.float64)


def _of_lone(image: Array, labels: Labels, radius: float, points: int) -> Values:
    """Count the patterns of objects each of which lies alone on black."""
    rim = int(np.ceil(radius)) + 1
    numbers, padded = np.pad(labels, rim).ravel(), np.pad(image.astype(np.float64), rim).ravel()
    width, count = image.shape[1] + 2 * rim, int(labels.max(initial=0))
    inside = np.flatnonzero(numbers)
    owner, pixels = numbers[inside], padded[inside]
    brightest = np.ones(count + 1)
    np.maximum.at(brightest, owner, np.abs(pixels))
    higher = pixels + 1e-9 * brightest[owner]
    codes = np.zeros(len(inside), dtype=np.int64)
    for place, (down, across) in enumerate(_circle(radius, points)):
        total = np.zeros(len(inside))
        for row, column, weight in _corners(down, across):
            there = inside + (row * width + column)
            total += weight * np.where(numbers[there] == owner, padded[there], 0.0)
        codes |= (total > higher).astype(np.int64) << place
    lit = pixels != 0
    return _counted(owner[lit], least_rotations(points)[codes[lit]], count, points)
