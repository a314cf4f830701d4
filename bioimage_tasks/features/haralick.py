"""Haralick's textures of all objects at once, from the pairs of grey levels that occur.

An image and labels come in, 13 features an object and direction go out, equal to
``mahotas.features.haralick`` on each object's masked crop. mahotas builds dense matrices
of (levels x levels) an object and direction, whatever the object's size; here every sum
runs over the distinct pairs of levels, so that the cost follows the pixels. Must not know
how pairs are counted.

Haralick, Shanmugam, Dinstein 1973, doi:10.1109/TSMC.1973.4309314.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels, check_choice
from bioimage_tasks.features.cooccurrence import Cells, Keys, Pixels
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
    numbers = np.ones(levels.shape, np.int32) if labels is None else labels
    count = int(numbers.max())
    skip = labels is not None if ignore_zeros is None else ignore_zeros
    steps = STEPS_2D if levels.ndim == 2 else STEPS_3D
    found = np.full((count, len(steps), len(NAMES)), np.nan)
    if skip:
        numbers = np.where(levels > 0, numbers, 0)
    pixels = Pixels.of(levels, numbers, distance, count)
    for first, last in pixels.blocks():
        cells = pixels.cells(steps, first, last)
        lengths = _lengths(levels, pixels.greatest[first:last], difference)
        if lengths is not None:
            lengths = np.tile(lengths, len(steps))
        table = _features(cells, pixels.bits, lengths)
        found[first:last] = table.reshape(len(steps), last - first, -1).swapaxes(0, 1)
    return found


def _lengths(levels: Levels, greatest: Keys, difference: str) -> Values | None:
    if difference == "difference":
        return None
    if difference == "levels":
        return np.full(len(greatest), float(levels.max()) + 1)
    return (greatest + 1).astype(np.float64)


def _features(cells: Cells, bits: int, lengths: Values | None) -> Values:
    """Return 13 features of every row, an object in a direction; NaN where it has no pairs."""
    low, high = cells.values >> bits, cells.values & ((1 << bits) - 1)
    total = cells.sum(cells.times)
    added = cells.regrouped([low + high], bits + 1)
    apart = cells.regrouped([high - low], bits)
    ends = cells.regrouped([low, high], bits)
    # The matrix holds both orders of a pair: twice the count, on the diagonal in one cell.
    equal = np.where(low == high, cells.times, 0)
    energy = ratio(cells.sum((cells.times + equal) * cells.times), 2 * total**2)
    entropy = cells.entropy() + 1 - ratio(cells.sum(equal), total)
    variance, contrast = ends.variance(), apart.mean(apart.values**2)
    single = ends.entropy()
    known = 2 * single - entropy
    columns = [
        energy,
        contrast,
        1 - ratio(contrast, 2 * variance),
        variance,
        apart.mean(1 / (1.0 + apart.values**2)),
        added.mean(added.values),
        added.variance(),
        added.entropy(),
        entropy,
        apart.variance() if lengths is None else apart.array_variance(lengths),
        apart.entropy(),
        ratio(-known, single),
        np.sqrt(np.maximum(0, 1 - np.exp(-2 * known))),
    ]
    table = np.stack(columns, axis=1)
    table[total == 0] = np.nan
    return table


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
