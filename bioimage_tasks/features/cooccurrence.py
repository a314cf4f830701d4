"""Pairs of grey levels that lie next to each other inside of objects, summed up for all.

Grey levels and labels come in, a few sums over the histograms of every object and direction
go out. Nothing is as large as (levels x levels) an object: objects are taken in blocks of
about equal size, as the rows of a matrix that stays in the processor's cache, and equal
pairs are brought together by sorting its rows. Only objects with about as many pixels as
there are pairs of levels are counted in such a matrix. Must not know what is computed of
the sums.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels
from bioimage_tasks.features.grey import Levels
from bioimage_tasks.features.table import Values

Keys = npt.NDArray[np.int64]
Whole = npt.NDArray[np.integer[Any]]
#: Pixels worked on at once.
BLOCK = 65536
#: An object of so many pixels, and no fewer than there are pairs of levels, is counted in a
#: table of all pairs, which is then faster than a sort.
LARGE = 4096


class Pairs(NamedTuple):
    """What the pairs (low, high) of every row add up to, each shape (rows,).

    Where k is a value and t how often it occurs, ``squares`` are of t^2, ``logs`` of
    t log2(t), ``first`` of t k, ``second`` of t k^2, ``close`` of t / (1 + k^2).
    """

    total: Values
    equal: Values  # pairs of equal levels
    squares: Values  # over different pairs
    equal_squares: Values  # over those of equal levels
    logs: Values
    added_squares: Values  # over low + high
    added_logs: Values
    apart_first: Values  # over high - low
    apart_second: Values
    apart_squares: Values
    apart_logs: Values
    apart_close: Values
    ends_first: Values  # over low and over high
    ends_second: Values
    ends_squares: Values
    ends_logs: Values


@dataclass(frozen=True)
class Pixels:
    """Pixels of objects, flat in an image with a rim, so that one offset is one direction."""

    both: Keys  # object (0: background) and level of every pixel, rim included
    place: Keys  # flat places of the pixels in objects, object by object, small ones first
    order: Keys  # the objects (from 0) in this order, those without pixels left out
    ends: Keys  # where their pixels end among the places, one more number, from 0
    strides: tuple[int, ...]  # pixels of the flat image to a step along each axis
    bits: int  # of a level
    nobody: int  # an object that no pixel has

    @classmethod
    def of(cls, levels: Levels, numbers: Labels, rim: int, count: int) -> Pixels:
        """Lay out the pixels of objects 1..count; pairs are ``rim`` apart."""
        bits = max(1, int(levels.max()).bit_length())
        kind = np.dtype(np.int32 if count + 2 < 1 << (31 - bits) else np.int64)
        image = np.zeros([side + 2 * rim for side in levels.shape], dtype=kind)
        inner = image[(slice(rim, -rim),) * levels.ndim]
        np.left_shift(numbers, bits, out=inner, dtype=kind)
        np.bitwise_or(inner, levels, out=inner, dtype=kind)
        flat = image.ravel()
        place = np.flatnonzero(flat >= 1 << bits)
        owner = flat[place] >> bits
        sizes = np.bincount(owner, minlength=count + 1)[1:]
        order = np.argsort(sizes, kind="stable")[np.count_nonzero(sizes == 0) :]
        rank = np.zeros(count + 1, dtype=np.uint16 if count < 1 << 16 else np.int64)
        rank[order + 1] = np.arange(len(order))
        place = place[np.argsort(rank[owner], kind="stable")]
        ends = np.append(0, np.cumsum(sizes[order]))
        strides = tuple(rim * step // image.itemsize for step in image.strides)
        return cls(flat, place, order, ends, strides, bits, count + 1)

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Give runs (first, last + 1) of objects that fill most of a matrix as long as the last."""
        sizes = np.diff(self.ends)
        first = 0
        while first < len(sizes):
            alike = int(np.searchsorted(sizes, 1.25 * sizes[first] + 16, side="right"))
            area = np.arange(1, alike - first + 1) * sizes[first:alike]
            last = first + max(1, int(np.searchsorted(area, BLOCK, side="right")))
            yield first, last
            first = last

    def greatest(self) -> Keys:
        """Return the greatest level of every object, 0 of those without pixels."""
        own = self.both[self.place]
        found = np.zeros(self.nobody - 1, dtype=np.int64)
        found[self.order] = np.maximum.reduceat(own, self.ends[:-1]) & ((1 << self.bits) - 1)
        return found

    def pairs(self, steps: Sequence[tuple[int, ...]], first: int, last: int) -> Iterator[Pairs]:
        """Give the sums over the pairs of a block of objects, direction by direction."""
        sizes = np.diff(self.ends[first : last + 1])
        if int(sizes[0]) >= max(LARGE, 1 << 2 * self.bits):
            yield from self._counted(steps, first, last)
            return
        filled = np.arange(sizes.max()) < sizes[:, None]
        place = np.zeros(filled.shape, dtype=np.int64)
        place[filled] = self.place[self.ends[first] : self.ends[last]]
        own = self.both[place]
        # What only fills the matrix has no neighbours.
        own[~filled] = self.nobody << self.bits
        mask = (1 << self.bits) - 1
        kind: type[np.integer[Any]] = np.int64
        if self.bits <= 16:
            kind = np.uint16 if self.bits <= 8 else np.uint32
        block = _Block((own & mask).astype(kind), sizes, self.bits)
        for offset in self._offsets(steps):
            there = self.both.take(place + offset, mode="clip")
            same = (own ^ there) <= mask
            # What is no pair becomes one of two zeros and is taken off from these again.
            other = (there & mask).astype(kind) * same
            yield block.summed(block.levels * same, other, np.flatnonzero(filled & ~same))

    def _offsets(self, steps: Sequence[tuple[int, ...]]) -> list[int]:
        return [
            sum(way * stride for way, stride in zip(step, self.strides, strict=True))
            for step in steps
        ]

    def _counted(self, steps: Sequence[tuple[int, ...]], first: int, last: int) -> Iterator[Pairs]:
        """Give the same of large objects: how often each pair occurs is counted in a table."""
        bits, mask = self.bits, (1 << self.bits) - 1
        offsets = self._offsets(steps)
        tables = np.zeros((len(offsets), last - first, 1 << 2 * bits), dtype=np.int64)
        for number in range(first, last):
            for begin in range(self.ends[number], self.ends[number + 1], 4 * BLOCK):
                place = self.place[begin : min(begin + 4 * BLOCK, self.ends[number + 1])]
                own = self.both[place]
                for table, offset in zip(tables[:, number - first], offsets, strict=True):
                    there = self.both.take(place + offset, mode="clip")
                    code = (own & mask) << bits | there & mask
                    same = (own ^ there) <= mask
                    if not same.all():
                        code = code[same]
                    table += np.bincount(code, minlength=table.size)
        for found in tables:
            yield self._square.summed(found)

    @cached_property
    def _square(self) -> _Square:
        return _Square(1 << self.bits)


def of_image(
    levels: Levels, steps: Sequence[tuple[int, ...]], distance: int, *, zeros: bool
) -> list[Pairs] | None:
    """Return the sums over the pairs of a whole image, a direction each; of 1 object.

    ``None`` where it is too small for a table of all pairs to pay. ``zeros`` says whether
    pairs with level 0 count.
    """
    top = int(levels.max()) + 1
    if levels.size < max(LARGE, top**2):
        return None
    square = _Square(top)
    pixels = np.ascontiguousarray(levels)
    found = []
    for step in steps:
        one, other = zip(*map(_shifted, (way * distance for way in step)), strict=True)
        codes = pixels[one] * top + pixels[other]
        table = np.bincount(codes.ravel(), minlength=top * top).reshape(1, top, top)
        if not zeros:
            table[:, 0], table[:, :, 0] = 0, 0
        found.append(square.summed(table))
    return found


def _shifted(way: int) -> tuple[slice, slice]:
    """Return where the first and the second pixel of a pair may lie along an axis."""
    if way >= 0:
        return slice(None, -way or None), slice(way, None)
    return slice(-way, None), slice(None, way)


def joined(parts: Sequence[Pairs]) -> Pairs:
    """Put the rows of several below each other."""
    return Pairs(*map(np.concatenate, zip(*parts, strict=True)))


class _Block:
    """Objects as the rows of a matrix of levels, zeros behind the pixels of each."""

    def __init__(self, levels: Whole, sizes: Whole, bits: int) -> None:
        self.levels, self.bits = levels, bits
        self.spare = levels.shape[1] - sizes
        self.top = int(levels.max()) + 1
        # Tables where these are not much longer than the rows, else all is sorted.
        self.table: Keys | None = None
        if self.top <= 4 * levels.shape[1]:
            self.table = _table(levels, self.spare, self.top)

    def summed(self, one: Whole, other: Whole, alone: Keys) -> Pairs:
        """Sum up pairs of levels, two zeros where there is none; ``alone``: pixels without.

        One sort finds equal pairs and equal sums: low + high with high - low behind it, whose
        last bit is known from the sum, has twice as many bits as a level.
        """
        rows, width = one.shape
        owner = alone // width
        odd = self.spare + np.bincount(owner, minlength=rows)
        apart = np.maximum(one, other) - np.minimum(one, other)
        codes = (one + other) << (self.bits - 1) | apart >> 1
        # Radix sort where there is one: it needs no vector instructions to be fast.
        codes.sort(axis=1, kind="stable" if codes.itemsize == 2 else None)
        flat = codes.ravel()
        places, times, starts = _runs(flat, odd)
        _, sums, firsts = _runs(flat >> (self.bits - 1), odd)
        equal = np.flatnonzero(flat[places] & ((1 << self.bits) - 1) == 0)
        row = np.searchsorted(starts, equal, side="right") - 1
        if self.table is None:
            spread = *_of_sorted(apart, odd), *_of_sorted(np.hstack([one, other]), 2 * odd)[:4]
        else:
            # The levels of all pixels are known: a few have no partner.
            gone = np.bincount(
                owner * self.top + self.levels.ravel()[alone], minlength=self.table.size
            )
            ends = self.table - gone.reshape(rows, -1) + _table(other, odd, self.top)
            spread = *_of_table(_table(apart, odd, self.top)), *_of_table(ends)[:4]
        return Pairs(
            (width - odd).astype(np.float64),
            np.bincount(row, times[equal], minlength=rows).astype(np.float64),
            np.add.reduceat(times**2, starts).astype(np.float64),
            np.bincount(row, times[equal] ** 2, minlength=rows).astype(np.float64),
            np.add.reduceat(_bits(times, width), starts),
            np.add.reduceat(sums**2, firsts).astype(np.float64),
            np.add.reduceat(_bits(sums, width), firsts),
            *spread,
        )


class _Square:
    """Every pair of levels (low, high) once, for objects that have about as many pixels."""

    def __init__(self, levels: int) -> None:
        self.levels = levels
        self.low, self.high = np.triu_indices(levels)
        self.equal = np.flatnonzero(self.low == self.high)
        added = self.low + self.high
        self.by_sum = np.argsort(added, kind="stable")
        self.sums = np.searchsorted(added[self.by_sum], np.arange(2 * levels - 1))
        apart = self.high - self.low
        self.by_distance = np.argsort(apart, kind="stable")
        self.distances = np.searchsorted(apart[self.by_distance], np.arange(levels))

    def summed(self, table: Keys) -> Pairs:
        """Sum up how often ordered pairs occur, shape (objects, levels^2)."""
        square = table.reshape(-1, self.levels, self.levels)
        ends = square.sum(1) + square.sum(2)
        times = square[:, self.low, self.high] + square[:, self.high, self.low]
        equal = times[:, self.equal] // 2
        times[:, self.equal] = equal
        added = np.add.reduceat(times[:, self.by_sum], self.sums, axis=1)
        apart = np.add.reduceat(times[:, self.by_distance], self.distances, axis=1)
        return Pairs(
            times.sum(1).astype(np.float64),
            equal.sum(1).astype(np.float64),
            _squares(times),
            _squares(equal),
            _bits(times, int(times.max())).sum(1),
            _squares(added),
            _bits(added, int(added.max())).sum(1),
            *_of_table(apart),
            *_of_table(ends)[:4],
        )


def _squares(table: Keys) -> Values:
    squares: Values = np.einsum("ij,ij->i", table, table).astype(np.float64)
    return squares


def _runs(flat: Whole, odd: Keys) -> tuple[Keys, Keys, Keys]:
    """Return where a value differs from the one before, how often it occurs, and row starts.

    Rows are sorted and of one length; ``odd`` of their zeros do not count.
    """
    width = len(flat) // len(odd)
    new = np.ones(len(flat), dtype=bool)
    np.not_equal(flat[1:], flat[:-1], out=new[1:])
    new[::width] = True
    places = np.flatnonzero(new)
    starts = np.searchsorted(places, np.arange(len(odd)) * width)
    times = np.empty_like(places)
    np.subtract(places[1:], places[:-1], out=times[:-1])
    times[-1] = len(flat) - places[-1]
    times[starts] -= odd
    return places, times, starts


def _table(values: Whole, odd: Keys, top: int) -> Keys:
    """Return how often every value below ``top`` occurs in every row, but for odd zeros."""
    rows = len(values)
    keys = (np.arange(rows) * top)[:, None] + values
    table = np.bincount(keys.ravel(), minlength=rows * top).reshape(rows, top)
    table[:, 0] -= odd
    return table


def _of_table(table: Keys) -> tuple[Values, ...]:
    """Return first, second, squares, logs and close of every row."""
    first, second, close = (table.astype(np.float64) @ _weights(np.arange(table.shape[1])).T).T
    return first, second, _squares(table), _bits(table, int(table.max())).sum(1), close


def _of_sorted(values: Whole, odd: Keys) -> tuple[Values, ...]:
    """Return the same by sorting every row."""
    flat = np.sort(values, axis=1).ravel()
    places, times, starts = _runs(flat, odd)
    first, second, close = _weights(flat[places]) * times
    terms = first, second, times.astype(np.float64) ** 2, _bits(times, values.shape[1]), close
    return tuple(np.add.reduceat(term, starts) for term in terms)


def _weights(values: Whole) -> Values:
    own = values.astype(np.float64)
    return np.stack([own, own**2, 1 / (1 + own**2)])


def _bits(times: Keys, most: int) -> Values:
    """Return t log2(t) of numbers up to ``most``, looked up where they repeat."""
    looked_up = most < times.size
    numbers = (np.arange(most + 1) if looked_up else times).astype(np.float64)
    found: Values = numbers * np.log2(np.maximum(numbers, 1))
    return found.take(times) if looked_up else found
