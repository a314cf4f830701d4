"""Pairs of grey levels that lie next to each other inside of objects, counted for all of them.

Grey levels and labels come in, the distinct pairs of every object and direction go out with
how often each occurs. Nothing is as large as (levels x levels): objects are taken in blocks
whose arrays stay in the processor's cache, all directions at once, and within a block equal
pairs are brought together by sorting. Must not know what is computed of the counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels
from bioimage_tasks.features.grey import Levels
from bioimage_tasks.features.grouped import ratio
from bioimage_tasks.features.table import Values

Keys = npt.NDArray[np.int64]
#: Pixels worked on at once.
BLOCK = 32768


@dataclass(frozen=True)
class Pixels:
    """Pixels of objects, flat in an image with a rim, so that one offset is one direction."""

    both: Keys  # object (from 1) and level of every pixel, rim included
    place: Keys  # flat places of the pixels in objects, object by object
    own: Keys  # object and level at these places
    ends: Keys  # where the objects' pixels end among the places, n + 1 numbers from 0
    greatest: Keys  # level of every object
    strides: tuple[int, ...]  # pixels of the flat image to a step along each axis
    bits: int  # of a level

    @classmethod
    def of(cls, levels: Levels, numbers: Labels, rim: int, count: int) -> Pixels:
        """Lay out the pixels of objects 1..count; pairs are ``rim`` apart."""
        bits = max(1, int(levels.max()).bit_length())
        kind = np.dtype(np.int32 if count + 1 <= 1 << (31 - bits) else np.int64)
        image = np.zeros([side + 2 * rim for side in levels.shape], dtype=kind)
        inner = image[(slice(rim, -rim),) * levels.ndim]
        np.left_shift(numbers, bits, out=inner, dtype=kind)
        np.bitwise_or(inner, levels, out=inner, where=numbers > 0, dtype=kind)
        flat = image.ravel()
        place = np.flatnonzero(flat > 0)
        owner = flat[place] >> bits
        ends = np.cumsum(np.bincount(owner, minlength=count + 1))
        place = place[
            np.argsort(owner.astype(np.uint16) if count < 1 << 16 else owner, kind="stable")
        ]
        own = flat[place]
        greatest = np.zeros(count, dtype=np.int64)
        some = np.flatnonzero(np.diff(ends))
        if len(some):
            greatest[some] = np.maximum.reduceat(own, ends[some]) & ((1 << bits) - 1)
        strides = tuple(rim * step // image.itemsize for step in image.strides)
        return cls(flat, place, own, ends, greatest, strides, bits)

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

    def cells(self, steps: Sequence[tuple[int, ...]], first: int, last: int) -> Cells:
        """Count the pairs of a block of objects: rows are (direction, object)."""
        start, end = int(self.ends[first]), int(self.ends[last])
        parts = [
            self._keys(step, slice(at, min(at + BLOCK, end)), place * (last - first) - first - 1)
            for place, step in enumerate(steps)
            for at in range(start, end, BLOCK)
        ]
        rows, bits = len(steps) * (last - first), 2 * self.bits
        return Cells.of(*_counted(parts, rows, bits), bits, rows)

    def _keys(self, step: tuple[int, ...], part: slice, shift: int) -> Keys:
        """Return row (object + ``shift``), lower and higher level of every pair as one number."""
        offset = sum(way * stride for way, stride in zip(step, self.strides, strict=True))
        here, there = self.own[part], self.both[self.place[part] + offset]
        mask = (1 << self.bits) - 1
        same = np.flatnonzero((here ^ there) <= mask)
        here, there = here[same], there[same]
        keys: Keys = np.minimum(here, there).astype(np.int64)
        keys += shift << self.bits
        keys <<= self.bits
        keys |= np.maximum(here, there) & mask
        return keys


def _counted(parts: list[Keys], rows: int, bits: int) -> tuple[Keys, Values]:
    """Return distinct keys (row, value of some bits), sorted, and how often each occurs.

    Counted in a table where that is not much longer than the keys. Else the values of each
    row are sorted, in a matrix of rows that is not much larger than the keys: few bits and
    short rows sort several times faster than all keys together, which is the last resort.
    """
    top, total = rows << bits, sum(map(len, parts))
    if top <= 4 * total + BLOCK:
        table = np.zeros(top, dtype=np.int64)
        for part in parts:
            table += np.bincount(part, minlength=top)
        keys = np.flatnonzero(table > 0)
        return keys, table[keys].astype(np.float64)
    keys = np.concatenate(parts)
    sizes = np.bincount(keys >> bits, minlength=rows)
    if bits <= 32 and rows * int(sizes.max()) <= 3 * total:
        keys = _sorted_rows(keys, sizes, bits)
    else:
        keys.sort()
    starts = _changes(keys)
    return keys[starts], np.diff(starts, append=len(keys)).astype(np.float64)


def _changes(keys: Keys) -> Keys:
    """Return where a key differs from the one before, the first included."""
    new = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=new[1:])
    return np.flatnonzero(new)


def _sorted_rows(keys: Keys, sizes: Keys, bits: int) -> Keys:
    """Sort keys that come row by row; a row's rest is filled with what sorts last."""
    kind = np.uint16 if bits <= 16 else np.uint32
    matrix = np.full((len(sizes), int(sizes.max())), np.iinfo(kind).max, dtype=kind)
    filled = np.arange(matrix.shape[1]) < sizes[:, None]
    matrix[filled] = (keys & ((1 << bits) - 1)).astype(kind)
    matrix.sort(axis=1)
    return (np.repeat(np.arange(len(sizes)), sizes) << bits) | matrix[filled].astype(np.int64)


@dataclass(frozen=True)
class Cells:
    """A histogram a row, without its zeros, sorted by row and value."""

    rows: Keys
    values: Keys
    times: Values
    starts: Keys  # of the rows that have any
    sizes: Keys  # how many different values these have
    count: int

    @classmethod
    def of(cls, keys: Keys, times: Values, bits: int, count: int) -> Cells:
        """Take keys of row and value apart; a value has that many bits."""
        rows = keys >> bits
        starts = _changes(rows)
        sizes = np.diff(starts, append=len(keys))
        return cls(rows, keys & ((1 << bits) - 1), times, starts, sizes, count)

    def regrouped(self, values: Sequence[Keys], bits: int) -> Cells:
        """Return the histogram of other values of the same things."""
        top = self.count << bits
        if top <= 4 * len(self.times) + BLOCK:
            table = np.zeros(top)
            for part in values:
                table += np.bincount(self.rows << bits | part, self.times, minlength=top)
            distinct = np.flatnonzero(table > 0)
            return Cells.of(distinct, table[distinct], bits, self.count)
        keys = np.concatenate([self.rows << bits | part for part in values])
        distinct, inverse = np.unique(keys, return_inverse=True)
        times = np.bincount(inverse, weights=np.tile(self.times, len(values)))
        return Cells.of(distinct, times.astype(np.float64), bits, self.count)

    def sum(self, weights: npt.NDArray[Any]) -> Values:
        """Return the sum of something over the values of every row."""
        total = np.zeros(self.count)
        if len(self.starts):
            total[self.rows[self.starts]] = np.add.reduceat(weights, self.starts)
        return total

    def spread(self, each: Values) -> Values:
        """Return what a row has at each of its values: the reverse of :meth:`sum`."""
        return np.repeat(each[self.rows[self.starts]], self.sizes)

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
        bits[self.rows[self.starts[self.sizes == 1]]] = 0
        return bits

    def array_variance(self, lengths: Values) -> Values:
        """Return the variance of the shares as an array that long, zeros among them."""
        share = self.times / self.spread(self.sum(self.times))
        above = self.sum((share - self.spread(1 / lengths)) ** 2)
        empty = np.array(lengths)
        empty[self.rows[self.starts]] -= self.sizes
        variance: Values = (above + empty / lengths**2) / lengths
        return variance
