"""Sums, means and ranks of pixels by object, in one pass over the image.

A label image and values of the same length come in, arrays with one entry an object go
out. Every cost here is linear in the pixels (or their sort), whatever the number of
objects. Must not know what the values mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.features.table import Values

Numbers = npt.NDArray[np.int32]


def numbering(image: Array, labels: Labels | None) -> tuple[Numbers, int]:
    """Return the object of every pixel, flat, and how many objects there are."""
    if labels is None:
        return np.ones(image.size, dtype=np.int32), 1
    return labels.ravel(), int(labels.max())


def sums(objects: Numbers, values: Array | None, count: int) -> Values:
    """Return the sum of values (or the number of pixels) in objects 1..count."""
    return np.bincount(objects, weights=values, minlength=count + 1)[1:].astype(np.float64)


def ratio(above: npt.ArrayLike, below: npt.ArrayLike, otherwise: float = 0.0) -> Values:
    """Divide, with a fixed value where the divisor is 0."""
    top, bottom = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    result: Values = np.full(top.shape, otherwise)
    np.divide(top, bottom, out=result, where=bottom != 0)
    return result


def means_and_deviations(objects: Numbers, values: Array, count: int) -> tuple[Values, Values]:
    """Return mean and (population) standard deviation of values in objects 1..count."""
    data = values.astype(np.float64)
    size = sums(objects, None, count)
    mean = ratio(sums(objects, data, count), size)
    away = data - np.append(0.0, mean)[objects]
    return mean, np.sqrt(ratio(sums(objects, away**2, count), size))


def quantiles(objects: Numbers, values: Array, count: int, shares: tuple[float, ...]) -> Values:
    """Return quantiles by linear interpolation, shape (count, len(shares)), as numpy's."""
    order = np.lexsort((values, objects))
    ranked = values[order].astype(np.float64)
    size = np.bincount(objects, minlength=count + 1)
    first = (np.cumsum(size) - size)[1:]
    found = np.zeros((count, len(shares)))
    for place, share in enumerate(shares):
        rank = share * (size[1:] - 1)
        low = np.floor(rank).astype(np.int64)
        high = np.minimum(low + 1, size[1:] - 1)
        below, above = ranked[first + low], ranked[first + high]
        found[:, place] = below + (rank - low) * (above - below)
    return found


def extremes(objects: Numbers, values: Array, count: int) -> tuple[Values, Values]:
    """Return least and greatest value in objects 1..count."""
    low = np.full(count + 1, np.inf)
    high = np.full(count + 1, -np.inf)
    np.minimum.at(low, objects, values)
    np.maximum.at(high, objects, values)
    return low[1:], high[1:]
