"""Haralick's textures of all objects at once, from the pairs of grey levels that occur.

An image and labels come in, 13 features an object and direction go out, equal to
``mahotas.features.haralick`` on each object's masked crop. mahotas builds dense matrices
of (levels x levels) an object and direction, 40 ms each at 256 levels; here the pairs of
all objects are sorted once a direction, and every further sum runs over distinct pairs, so
that the cost follows the pixels, not the objects or the levels.

Haralick, Shanmugam, Dinstein 1973, doi:10.1109/TSMC.1973.4309314.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_choice
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
#: Pixels worked on at once: their arrays stay in the processor's cache.
BLOCK = 131072

Keys = npt.NDArray[np.int64]


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
    inside = _Inside.of(levels, numbers, distance, count)
    for first, last in inside.blocks():
        lengths = _lengths(levels, inside, (first, last), difference)
        for place, step in enumerate(steps):
            cells = inside.cells(step, first, last)
            found[first:last, place] = _features(cells, inside.bits, lengths)
    return found


def _lengths(
    levels: Levels, inside: _Inside, block: tuple[int, int], difference: str
) -> Values | None:
    if difference == "difference":
        return None
    if difference == "levels":
        return np.full(block[1] - block[0], float(levels.max()) + 1)
    return (inside.greatest[block[0] : block[1]] + 1).astype(np.float64)


@dataclass(frozen=True)
class _Inside:
    """Pixels of objects, flat in an image with a rim, so that one offset is one direction."""

    both: Keys  # object (from 1) and level of every pixel, rim included
    place: Keys  # flat places of the pixels in objects, object by object
    ends: Keys  # where the objects' pixels end among the places, n + 1 numbers from 0
    greatest: Keys  # level of every object
    strides: tuple[int, ...]
    bits: int  # of a level

    @classmethod
    def of(cls, levels: Levels, numbers: Labels, rim: int, count: int) -> _Inside:
        bits = max(1, int(levels.max()).bit_length())
        kind = np.dtype(np.int32 if count + 1 <= 1 << (31 - bits) else np.int64)
        both = np.left_shift(numbers, bits, dtype=kind) + levels.astype(kind)
        both[numbers == 0] = 0
        both = np.pad(both, rim)
        strides = tuple(rim * step // both.itemsize for step in both.strides)
        flat = both.ravel()
        place = np.flatnonzero(flat)
        owner = flat[place] >> bits
        ends = np.cumsum(np.bincount(owner, minlength=count + 1))
        short = owner.astype(np.uint16) if count < 1 << 16 else owner
        place = place[np.argsort(short, kind="stable")]
        greatest = np.zeros(count, dtype=np.int64)
        some = np.flatnonzero(np.diff(ends))
        if len(some):
            inner = flat[place] & ((1 << bits) - 1)
            greatest[some] = np.maximum.reduceat(inner, ends[some])
        return cls(flat, place, ends, greatest, strides, bits)

    def blocks(self) -> list[tuple[int, int]]:
        """Return runs (first, last + 1) of objects of about :data:`BLOCK` pixels in all."""
        count = len(self.greatest)
        cuts, first = [], 0
        while first < count:
            reach = np.searchsorted(self.ends, self.ends[first] + BLOCK, side="right") - 1
            last = min(max(int(reach), first + 1), count)
            cuts.append((first, last))
            first = last
        return cuts

    def cells(self, step: tuple[int, ...], first: int, last: int) -> _Cells:
        """Count the pairs of one direction in a block of objects."""
        start, end = int(self.ends[first]), int(self.ends[last])
        parts = [
            self._keys(step, slice(at, min(at + BLOCK, end)), first)
            for at in range(start, end, BLOCK)
        ]
        top = (last - first) << 2 * self.bits
        return _Cells.of(*_counted(parts, top), 2 * self.bits, last - first)

    def _keys(self, step: tuple[int, ...], part: slice, first: int) -> Keys:
        """Return object, lower and higher level of every pair as one number."""
        offset = sum(way * stride for way, stride in zip(step, self.strides, strict=True))
        here = self.both[self.place[part]]
        there = self.both[self.place[part] + offset]
        same = here >> self.bits == there >> self.bits
        owner = (here[same] >> self.bits).astype(np.int64) - (first + 1)
        mask = (1 << self.bits) - 1
        one, other = here[same] & mask, there[same] & mask
        keys: Keys = owner << 2 * self.bits
        keys |= np.minimum(one, other).astype(np.int64) << self.bits
        keys |= np.maximum(one, other)
        return keys


def _counted(parts: list[Keys], top: int) -> tuple[Keys, Values]:
    """Return distinct keys below ``top``, sorted, and how often each occurs.

    Counted in a table where that is not much longer than the keys, else sorted; below
    2**32 by two halves, because numpy sorts 16 bits by radix, twice as fast.
    """
    if top <= 4 * sum(map(len, parts)) + BLOCK:
        table = np.zeros(top, dtype=np.int64)
        for part in parts:
            table += np.bincount(part, minlength=top)
        keys = np.flatnonzero(table)
        return keys, table[keys].astype(np.float64)
    keys = np.concatenate(parts)
    if top <= 1 << 32:
        keys = keys[np.argsort((keys & 0xFFFF).astype(np.uint16), kind="stable")]
        keys = keys[np.argsort((keys >> 16).astype(np.uint16), kind="stable")]
    else:
        keys.sort()
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.diff(starts, append=len(keys)).astype(np.float64)


@dataclass(frozen=True)
class _Cells:
    """A histogram an object, without its zeros, sorted by object and value."""

    objects: Keys
    values: Keys
    times: Values
    starts: Keys  # of the objects that have any
    sizes: Keys  # how many different values these have
    count: int

    @classmethod
    def of(cls, keys: Keys, times: Values, bits: int, count: int) -> _Cells:
        """Take keys of object and value apart; a value has that many bits."""
        objects = keys >> bits
        starts = np.flatnonzero(np.diff(objects, prepend=-1))
        sizes = np.diff(starts, append=len(keys))
        return cls(objects, keys & ((1 << bits) - 1), times, starts, sizes, count)

    def regrouped(self, values: list[Keys], bits: int) -> _Cells:
        """Return the histogram of other values of the same things."""
        top = self.count << bits
        keys = [self.objects << bits | value for value in values]
        if top <= 4 * len(self.times) + BLOCK:
            table = np.zeros(top)
            for part in keys:
                table += np.bincount(part, weights=self.times, minlength=top)
            distinct = np.flatnonzero(table)
            return _Cells.of(distinct, table[distinct], bits, self.count)
        distinct, inverse = np.unique(np.concatenate(keys), return_inverse=True)
        times = np.bincount(inverse, weights=np.tile(self.times, len(keys)))
        return _Cells.of(distinct, times.astype(np.float64), bits, self.count)

    def sum(self, weights: npt.NDArray[Any]) -> Values:
        """Return the sum of something over the values of every object."""
        total = np.zeros(self.count)
        if len(self.starts):
            total[self.objects[self.starts]] = np.add.reduceat(weights, self.starts)
        return total

    def spread(self, each: Values) -> Values:
        """Return what an object has at each of its values: the reverse of :meth:`sum`."""
        return np.repeat(each[self.objects[self.starts]], self.sizes)

    def mean(self, weights: npt.NDArray[Any]) -> Values:
        """Return the mean of something over all that was counted."""
        return ratio(self.sum(self.times * weights), self.sum(self.times))

    def variance(self) -> Values:
        """Return the variance of the value."""
        return self.mean((self.values - self.spread(self.mean(self.values))) ** 2)

    def entropy(self) -> Values:
        """Return the entropy in bits, exactly 0 for a single value."""
        total = self.sum(self.times)
        bits = np.log2(np.maximum(total, 1)) - self.mean(np.log2(self.times))
        bits[self.objects[self.starts[self.sizes == 1]]] = 0
        return bits

    def array_variance(self, lengths: Values) -> Values:
        """Return the variance of the shares, zeros up to the length among them."""
        share = self.times / self.spread(self.sum(self.times))
        above = self.sum((share - self.spread(1 / lengths)) ** 2)
        empty = np.array(lengths)
        empty[self.objects[self.starts]] -= self.sizes
        variance: Values = (above + empty / lengths**2) / lengths
        return variance


def _features(cells: _Cells, bits: int, lengths: Values | None) -> Values:
    """Return the 13 features of one direction, shape (objects, 13), NaN without pairs."""
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
