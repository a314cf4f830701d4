"""How bright objects are: means, spread, quantiles and where the light lies.

An image and labels come in, one row an object goes out. Must not know texture.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.features.grouped import (
    means_and_deviations,
    numbering,
    quantiles,
    ratio,
    sums,
)
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable, Values


@register("intensity", dimensions=(2, 3))
def intensity(
    image: Array,
    labels: Labels | None,
    *,
    shares: tuple[float, ...] = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0),
) -> FeatureTable:
    """Mean, deviation, skewness, excess kurtosis, sum, quantiles; shift of the centre of light.

    Parameters
    ----------
    image : numpy.ndarray
        2D or 3D.
    labels : numpy.ndarray of int32, optional
    shares : tuple of float
        Quantiles, 0 to 1, by linear interpolation.

    Raises
    ------
    ValueError
        A share outside of 0-1.
    """
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError(f"intensity: shares must lie in [0, 1]; got {shares}")
    flat, count = numbering(image, labels)
    inside = np.flatnonzero(flat)
    owner, values = flat[inside], image.ravel()[inside].astype(np.float64)
    mean, deviation = means_and_deviations(owner, values, count)
    away = values - np.append(0.0, mean)[owner]
    size = sums(owner, None, count)
    cube = away * away * away  # a power of 3 is slow
    third, fourth = (ratio(sums(owner, part, count), size) for part in (cube, cube * away))
    columns: dict[str, tuple[str, Values]] = {
        "mean": ("grey", mean),
        "std": ("grey", deviation),
        "sum": ("grey", sums(owner, values, count)),
        "skewness": ("1", ratio(third, deviation**3)),
        "kurtosis": ("1", ratio(fourth, deviation**4, 3.0) - 3),
        "centre_shift": ("px", _centre_shift(image, inside, owner, values, count)),
    }
    ranked = quantiles(owner, values, count, shares)
    for place, share in enumerate(shares):
        columns[f"quantile_{share:g}"] = ("grey", ranked[:, place])
    return FeatureTable.of(columns)


def _centre_shift(image: Array, inside: Array, owner: Array, values: Values, count: int) -> Values:
    """Return the distance between the centres of the object and of its light."""
    size = sums(owner, None, count)
    light = values - np.minimum(values.min(initial=0), 0)
    total = sums(owner, light, count)
    squares = np.zeros(count)
    for place in np.unravel_index(inside, image.shape):
        middle = ratio(sums(owner, place, count), size)
        lit = np.where(total > 0, ratio(sums(owner, place * light, count), total), middle)
        squares += (lit - middle) ** 2
    return np.sqrt(squares)
