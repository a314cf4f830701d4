"""Haralick's textures of all objects at once, from the pairs of grey levels that occur.

An image and labels come in, 13 features an object and direction go out, equal to
``mahotas.features.haralick`` on each object's masked crop. mahotas builds dense matrices
of (levels x levels) an object and direction, whatever the object's size; here all features
follow from a few sums over the pairs that occur, so that the cost follows the pixels. Must
not know how pairs are counted.

Haralick, Shanmugam, Dinstein 1973, doi:10.1109/TSMC.1973.4309314.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels, check_choice
from bioimage_tasks.features.cooccurrence import Pairs, Pixels, joined, of_image
from bioimage_tasks.features.grey import Levels, grey_levels
from bioimage_tasks.features.grouped import ratio
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable, Values

#: Short names of mahotas' 13 features, in its order, and their units ("grey": levels).
NAMES = (
    "energy",
    "contrast",
    "correlation",
    "variance",
    "homogeneity",
    "sum_average",
    "sum_variance",
    "sum_entropy",
    "entropy",
    "difference_variance",
    "difference_entropy",
    "information_1",
    "information_2",
)
_SQUARED = ("contrast", "variance", "sum_variance")
_BITS = ("sum_entropy", "entropy", "difference_entropy")
#: Steps to the second pixel of a pair, in mahotas' order.
STEPS_2D = ((0, 1), (1, 1), (1, 0), (1, -1))
STEPS_3D = (
    (1, 0, 0), (1, 1, 0), (0, 1, 0), (1, -1, 0), (0, 0, 1), (1, 0, 1), (0, 1, 1),
    (1, 1, 1), (1, -1, 1), (1, 0, -1), (0, 1, -1), (1, 1, -1), (1, -1, -1),
)  # fmt: skip
#: What becomes of the directions.
OUTPUTS = ("mean", "mean-range", "all")
#: What feature 10 is a variance of.
DIFFERENCES = ("mahotas", "levels", "difference")


def haralick_by_direction(
    levels: Levels,
    labels: Labels | None = None,
    *,
    distance: int = 1,
    ignore_zeros: bool | None = None,
    difference: str = "mahotas",
) -> Values:
    r"""Compute 13 features an object and direction: ``haralick_by_direction(image, labels)``.

    Parameters
    ----------
    levels : numpy.ndarray of int
        Grey levels from 0; 2D or 3D.
    labels : numpy.ndarray of int32, optional
        Objects 1..n; without them the image is one.
    distance : int
        Of a pair, in pixels along each axis.
    ignore_zeros : bool, optional
        Whether pairs with a pixel of level 0 count. By default they don't in objects, as in
        mahotas on masked crops, and do in a whole image.
    difference : str
        Feature 10. ``"mahotas"``: the variance of the *array* P(\|x - y\|), as long as the
        object's greatest level + 1, as mahotas has it. ``"levels"``: of that array over all
        levels up to the image's greatest. ``"difference"``: the variance of \|x - y\|, which
        is the one to compare between objects.

    Returns
    -------
    numpy.ndarray of float64
        Shape (n, directions, 13), 4 directions in 2D and 13 in 3D. NaN where an object has
        no pair in a direction.

    Raises
    ------
    ValueError
        A value out of range.
    """
    check_choice("haralick", "difference", difference, DIFFERENCES)
    if not 1 <= distance <= max(levels.shape):
        raise ValueError(
            f"haralick: distance (pixels) must lie in 1..{max(levels.shape)}; got {distance}"
        )
    skip = labels is not None if ignore_zeros is None else ignore_zeros
    steps = STEPS_2D if levels.ndim == 2 else STEPS_3D
    whole = of_image(levels, steps, distance, zeros=not skip) if labels is None else None
    if whole is not None:
        top = np.full(len(steps), float(levels.max()) + 1)
        return _features(joined(whole), None if difference == "difference" else top)[None]
    numbers = np.ones(levels.shape, np.int32) if labels is None else labels
    count = int(numbers.max())
    found = np.full((count, len(steps), len(NAMES)), np.nan)
    if skip:
        numbers = np.where(levels > 0, numbers, 0)
    pixels = Pixels.of(levels, numbers, distance, count)
    parts, rows = [], []
    for first, last in pixels.blocks():
        for way, pairs in enumerate(pixels.pairs(steps, first, last)):
            parts.append(pairs)
            rows.append(pixels.order[first:last] * len(steps) + way)
    if parts:
        place = np.concatenate(rows)
        lengths = _lengths(levels, pixels, difference)
        own = None if lengths is None else lengths[place // len(steps)]
        found.reshape(-1, len(NAMES))[place] = _features(joined(parts), own)
    return found


def _lengths(levels: Levels, pixels: Pixels, difference: str) -> Values | None:
    """Return how long the array P(|x - y|) of every object is; None where it is no array."""
    if difference == "difference":
        return None
    greatest = pixels.greatest()
    if difference == "levels":
        return np.full(len(greatest), float(levels.max()) + 1)
    return greatest.astype(np.float64) + 1


def _features(pairs: Pairs, lengths: Values | None) -> Values:
    """Return 13 features of every row, an object in a direction; NaN where it has no pairs."""
    p, total = pairs, pairs.total
    # The matrix holds both orders of a pair: twice the count, on the diagonal in one cell.
    energy = ratio(p.squares + p.equal_squares, 2 * total**2)
    entropy = _entropy(total, p.squares, p.logs) + 1 - ratio(p.equal, total)
    variance = _variance(2 * total, p.ends_first, p.ends_second)
    contrast = ratio(p.apart_second, total)
    single = _entropy(2 * total, p.ends_squares, p.ends_logs)
    known = 2 * single - entropy
    columns = [
        energy,
        contrast,
        1 - ratio(contrast, 2 * variance),
        variance,
        ratio(p.apart_close, total),
        ratio(p.ends_first, total),
        _variance(total, p.ends_first, 2 * p.ends_second - p.apart_second),
        _entropy(total, p.added_squares, p.added_logs),
        entropy,
        _variance(total, p.apart_first, p.apart_second)
        if lengths is None
        else _array_variance(total, p.apart_squares, lengths),
        _entropy(total, p.apart_squares, p.apart_logs),
        ratio(-known, single),
        np.sqrt(np.maximum(0, 1 - np.exp(-2 * known))),
    ]
    table = np.stack(columns, axis=1)
    table[total == 0] = np.nan
    return table


def _entropy(total: Values, squares: Values, logs: Values) -> Values:
    """Return the entropy in bits, exactly 0 for a single value."""
    bits = np.log2(np.maximum(total, 1)) - ratio(logs, total)
    return np.where(squares == total**2, 0.0, bits)


def _variance(total: Values, first: Values, second: Values) -> Values:
    """Return the variance of the value: squares around the nearest whole number are exact."""
    middle = np.rint(ratio(first, total))
    squares = second - 2 * middle * first + middle**2 * total
    return ratio(squares, total) - ratio(first - middle * total, total) ** 2


def _array_variance(total: Values, squares: Values, lengths: Values) -> Values:
    """Return the variance of the shares as an array that long, zeros among them."""
    middle = np.rint(total / lengths)
    around = (squares - 2 * middle * total) / lengths + middle**2
    return ratio(around - (total / lengths - middle) ** 2, total**2)


@register("haralick", dimensions=(2, 3))
def haralick(
    image: Array,
    labels: Labels | None,
    *,
    levels: int = 256,
    value_range: tuple[float, float] | None = None,
    distance: int = 1,
    directions: str = "mean-range",
    ignore_zeros: bool | None = None,
    difference: str = "mahotas",
) -> FeatureTable:
    """Haralick's 13 textures of every object.

    Parameters
    ----------
    image : numpy.ndarray
        2D or 3D.
    labels : numpy.ndarray of int32, optional
    levels, value_range
        See :func:`bioimage_tasks.features.grey.grey_levels`.
    distance : int
        Of a pair, in pixels along each axis.
    directions : str
        ``"mean"`` over the directions (13 features), ``"mean-range"`` adds the range between
        them (26), ``"all"`` gives each its own. Directions without a pair do not count; an
        object without any pair gets NaN.
    ignore_zeros, difference
        See :func:`haralick_by_direction`.

    Raises
    ------
    ValueError
        A value out of range.
    """
    check_choice("haralick", "directions", directions, OUTPUTS)
    grey = grey_levels("haralick", image, levels, value_range)
    values = haralick_by_direction(
        grey, labels, distance=distance, ignore_zeros=ignore_zeros, difference=difference
    )
    units = dict.fromkeys(_SQUARED, "level^2") | dict.fromkeys(_BITS, "bit")
    units["sum_average"] = "level"
    if difference == "difference":
        units["difference_variance"] = "level^2"
    if directions == "all":
        parts = {f"_{way}": values[:, way] for way in range(values.shape[1])}
    else:
        parts = {"_mean": _over(values, np.nanmean)}
    if directions == "mean-range":
        parts["_range"] = _over(values, np.nanmax) - _over(values, np.nanmin)
    columns = {
        name + suffix: (units.get(name, "1"), part[:, place])
        for suffix, part in parts.items()
        for place, name in enumerate(NAMES)
    }
    return FeatureTable.of(columns)


def _over(values: Values, reduce: object) -> Values:
    """Reduce over the directions that have pairs; NaN where none has."""
    import warnings

    assert callable(reduce)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        reduced: Values = reduce(values, axis=1)
    return reduced
