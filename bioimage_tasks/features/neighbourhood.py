"""How objects stand to each other: distances, number of neighbours, density, contact.

Labels come in, one row an object goes out. A tree of centres and one look at touching
pixels: no cost grows with the square of the number of objects. Neighbours beyond the
image's border are not known, so objects near it have too few: ``border`` tells how near.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_range
from bioimage_tasks.features.grouped import ratio, sums
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable, Values


@register("neighbourhood", dimensions=(2, 3), objects=True)
def neighbourhood(
    image: Array, labels: Labels, *, reach: float = 0.0, nearest: int = 3
) -> FeatureTable:
    """Distances to the nearest neighbours, neighbours within reach, density, contact.

    Parameters
    ----------
    image : numpy.ndarray
        2D or 3D; its pixels are not looked at.
    labels : numpy.ndarray of int32
    reach : float
        How far a neighbour's centre may be, pixels. 0 takes three times the median
        diameter of the objects (of a disc or ball of their size).
    nearest : int
        How many neighbours the distances are taken to; where there are fewer objects, the
        image's diagonal stands in.

    Raises
    ------
    ValueError
        A value out of range.
    """
    diagonal = float(np.hypot.reduce(image.shape))
    check_range("neighbourhood", "reach (pixels)", reach, 0.0, 1e6)
    check_range("neighbourhood", "nearest", nearest, 1, 100)
    flat, count = labels.ravel(), int(labels.max())
    inside = np.flatnonzero(flat)
    size = sums(flat, None, count)
    places = np.unravel_index(inside, labels.shape)
    centres = np.stack([ratio(sums(flat[inside], p, count), size) for p in places], 1)
    far = reach or (3 * float(np.median(_diameters(size, image.ndim))) if count else 1.0)
    distances, around = _around(centres, nearest, far, diagonal)
    ball = np.pi * far**2 if image.ndim == 2 else 4 / 3 * np.pi * far**3
    rims = [np.minimum(c, side - 1 - c) for c, side in zip(centres.T, image.shape, strict=True)]
    touching, contact = _contacts(labels, count)
    columns = {f"distance_{k + 1}": ("px", distances[:, k]) for k in range(nearest)}
    columns |= {
        "distance_mean": ("px", distances.mean(1)),
        "within_reach": ("1", around),
        "density": (f"1/px^{image.ndim}", (around + 1) / ball),
        "touching": ("1", touching),
        "contact": ("1", contact),
        "border": ("px", np.min(rims, axis=0)),
    }
    return FeatureTable.of(columns)


def _diameters(size: Values, dimensions: int) -> Values:
    return np.sqrt(4 * size / np.pi) if dimensions == 2 else np.cbrt(6 * size / np.pi)


def _around(
    centres: Values, nearest: int, far: float, diagonal: float
) -> tuple[Values, npt.NDArray[np.float64]]:
    """Return distances (n, nearest) and the number of others within ``far``."""
    from scipy.spatial import cKDTree

    if not len(centres):
        return np.zeros((0, nearest)), np.zeros(0)
    tree = cKDTree(centres)
    distances = tree.query(centres, k=[*range(2, nearest + 2)])[0]
    distances = np.where(np.isfinite(distances), distances, diagonal)
    around = tree.query_ball_point(centres, far, return_length=True) - 1
    return distances, around.astype(np.float64)


def _contacts(labels: Labels, count: int) -> tuple[Values, Values]:
    """Return how many others an object touches, and the share of its outer faces that do."""
    faces = np.zeros(count + 1)
    shared = np.zeros(count + 1)
    pairs = []
    for axis in range(labels.ndim):
        side = np.moveaxis(labels, axis, 0)
        one, other = side[:-1].ravel(), side[1:].ravel()
        apart = one != other
        one, other = one[apart].astype(np.int64), other[apart].astype(np.int64)
        both = (one > 0) & (other > 0)
        for end in (one, other):
            faces += np.bincount(end, minlength=count + 1)
            shared += np.bincount(end[both], minlength=count + 1)
        pairs.append(np.minimum(one, other)[both] * (count + 1) + np.maximum(one, other)[both])
    low, high = np.divmod(np.unique(np.concatenate(pairs)), count + 1)
    touching = np.bincount(low, minlength=count + 1) + np.bincount(high, minlength=count + 1)
    return touching[1:].astype(np.float64), ratio(shared[1:], faces[1:])
