"""Moments of the form of objects, from their runs: axes, eccentricity, Hu's seven.

Runs come in, arrays with an entry an object go out. The sums over the pixels of a run are
closed formulas, around a whole number near the object's middle, so that they are exact.

Hu 1962, doi:10.1109/TIT.1962.1057692; as scikit-image's ``regionprops``.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.features.grouped import ratio
from bioimage_tasks.features.runs import Runs, Whole
from bioimage_tasks.features.table import Values

#: Central moments by the powers of rows and columns.
Central = dict[tuple[int, int], Values]


def central_moments(runs: Runs) -> Central:
    """Return the central moments up to the third order of objects in 2D, each shape (n,)."""
    owner = runs.labels[runs.own] - 1
    low, high = runs.boxes
    middle = (low + high) // 2
    rows, first, last = runs.corners
    down = (rows - middle[owner, 0]).astype(np.float64)
    left, right = first - middle[owner, 1] - 1, last - middle[owner, 1]
    across = _powers(right) - _powers(left)
    raw = {
        (p, q): np.bincount(owner, down**p * across[q], runs.count).astype(np.float64)
        for p in range(4)
        for q in range(4 - p)
    }
    return _centred(raw)


def _powers(ends: Whole) -> Values:
    """Return the sums of x^0 to x^3 over whole numbers from 1 (or down to 0) to the end."""
    x = ends.astype(np.float64)
    half = x * (x + 1) / 2
    return np.stack([x, half, half * (2 * x + 1) / 3, half**2])


def _centred(raw: Central) -> Central:
    size = raw[0, 0]
    y, x = ratio(raw[1, 0], size), ratio(raw[0, 1], size)
    return {
        (0, 0): size,
        (2, 0): raw[2, 0] - y * raw[1, 0],
        (1, 1): raw[1, 1] - y * raw[0, 1],
        (0, 2): raw[0, 2] - x * raw[0, 1],
        (3, 0): raw[3, 0] - 3 * y * raw[2, 0] + 2 * y**2 * raw[1, 0],
        (2, 1): raw[2, 1] - 2 * y * raw[1, 1] - x * raw[2, 0] + 2 * y**2 * raw[0, 1],
        (1, 2): raw[1, 2] - 2 * x * raw[1, 1] - y * raw[0, 2] + 2 * x**2 * raw[1, 0],
        (0, 3): raw[0, 3] - 3 * x * raw[0, 2] + 2 * x**2 * raw[0, 1],
    }


def axes(moments: Central) -> tuple[Values, Values, Values]:
    """Return the lengths of both axes of the ellipse of like moments, and its eccentricity.

    The lesser is exactly 0 of a line, the eccentricity exactly 0 of what is as wide as high:
    differences of nearly equal eigenvalues would leave rounding there.
    """
    size = moments[0, 0]
    down, across, both = (ratio(moments[key], size) for key in ((2, 0), (0, 2), (1, 1)))
    apart = np.hypot((down - across) / 2, both)
    great = (down + across) / 2 + apart
    small = ratio(np.maximum(down * across - both**2, 0), great)
    return 4 * np.sqrt(great), 4 * np.sqrt(small), np.sqrt(ratio(2 * apart, great))


def hu_moments(moments: Central) -> Values:
    """Return Hu's seven moments, shape (n, 7)."""
    size = moments[0, 0]
    n = {key: ratio(value, size ** (1 + sum(key) / 2)) for key, value in moments.items()}
    wide, tall = n[3, 0] + n[1, 2], n[2, 1] + n[0, 3]
    left, right = n[3, 0] - 3 * n[1, 2], 3 * n[2, 1] - n[0, 3]
    one, other = wide**2 - 3 * tall**2, 3 * wide**2 - tall**2
    return np.stack(
        [
            n[2, 0] + n[0, 2],
            (n[2, 0] - n[0, 2]) ** 2 + 4 * n[1, 1] ** 2,
            left**2 + right**2,
            wide**2 + tall**2,
            left * wide * one + right * tall * other,
            (n[2, 0] - n[0, 2]) * (wide**2 - tall**2) + 4 * n[1, 1] * wide * tall,
            right * wide * one - left * tall * other,
        ],
        axis=1,
    )
