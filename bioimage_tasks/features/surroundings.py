"""How many pixels of a set each pixel has around it, box by box, for all objects at once.

Labels and a bit field a pixel come in, counts go out for every pixel of an object's box that
has any. As a convolution of the object's masked box would give them whose edge is a mirror;
but the cost follows the pixels of objects and their outlines, not the boxes. Must not know
what the sets are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels
from bioimage_tasks.features.runs import Runs, Whole

#: Bits of a count: 27 pixels at most.
WIDTH = 5
_BITS = 3 * WIDTH
_Packed = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Surroundings:
    """Pixels of objects, then pixels beside them in their boxes: each a place and an owner."""

    runs: Runs

    @cached_property
    def inside(self) -> Whole:
        """Places of the pixels in objects, in the image with its rim."""
        return np.flatnonzero(self.runs.flat)

    @cached_property
    def _edges(self) -> npt.NDArray[np.uint8]:
        """Return on which edges of their boxes these pixels lie: two bits an axis."""
        runs = self.runs
        chosen = np.flatnonzero(runs.labels)
        low, high = (end[runs.labels[chosen] - 1] for end in runs.boxes)
        *rows, column = np.unravel_index(runs.starts[chosen], runs.shape)
        whole = np.zeros(len(chosen), dtype=np.uint8)
        for axis, row in enumerate(rows):
            whole |= _bit(row == low[:, axis], axis, -1) | _bit(row == high[:, axis], axis, 1)
        lengths = runs.lengths[chosen]
        edges = np.repeat(whole, lengths)
        ends = np.cumsum(lengths)
        last = len(rows)
        edges[ends - lengths] |= _bit(column == low[:, last], last, -1)
        edges[ends - 1] |= _bit(column + lengths - 1 == high[:, last], last, 1)
        return edges

    @cached_property
    def ways(self) -> tuple[tuple[int, ...], ...]:
        """All steps to a neighbour, 0 among them."""
        return tuple(product((-1, 0, 1), repeat=len(self.runs.shape)))

    def _offset(self, way: tuple[int, ...]) -> int:
        return sum(w * step for w, step in zip(way, self.runs.steps, strict=True))

    @cached_property
    def beside(self) -> tuple[Whole, Whole]:
        """Places beside an object and in its box, and that object, each pair once."""
        flat, size = self.runs.flat, len(self.runs.flat)
        own = flat[self.inside]
        keys = []
        for way in self.ways:
            beyond = sum(1 << _place(axis, w) for axis, w in enumerate(way) if w)
            foreign = flat.take(self.inside + self._offset(way)) != own
            foreign &= self._edges & beyond == 0
            from_ = np.flatnonzero(foreign)
            keys.append(own[from_].astype(np.int64) * size + self.inside[from_] + self._offset(way))
        # Not np.unique: its hash table is slower than the sort.
        pairs = np.sort(np.concatenate(keys))
        owner, place = np.divmod(pairs[np.diff(pairs, prepend=-1) > 0], size)
        return place, owner

    @cached_property
    def places(self) -> Whole:
        """Places of all pairs."""
        return np.append(self.inside, self.beside[0])

    @cached_property
    def owners(self) -> Labels:
        """Their objects."""
        return np.append(self.runs.flat[self.inside], self.beside[1]).astype(np.int32)

    def counts(self, packed: _Packed) -> _Packed:
        """Count the pixels around every pair that are its own object's and in a set.

        Parameters
        ----------
        packed : numpy.ndarray of int
            Of the pixels ``inside``: bit 0, ``WIDTH`` and 2 ``WIDTH`` say of three sets
            whether the pixel is in them.

        Returns
        -------
        numpy.ndarray of int
            Of every pair three counts, ``WIDTH`` bits each.
        """
        kind: type[np.integer[Any]] = np.int32 if self.runs.count < 1 << (31 - _BITS) else np.int64
        marked = np.zeros(len(self.runs.flat), dtype=kind)
        marked[self.inside] = self.runs.flat[self.inside].astype(kind) << _BITS | packed
        own = self.owners.astype(kind) << _BITS
        total = np.zeros(len(own), dtype=kind)
        for way in self.ways:
            if any(way):
                total += _shared(marked.take(self.places + self._offset(way)), own)
        pair, edges = self._at_edges
        mirrored = np.zeros(len(pair), dtype=kind)
        for way in self.ways:
            if any(way):
                offset = np.zeros(len(pair), dtype=np.int64)
                for axis, w in enumerate(way):
                    stays = edges >> _place(axis, w) & 1
                    offset += w * self.runs.steps[axis] * (1 - stays.astype(np.int64))
                mirrored += _shared(marked.take(self.places[pair] + offset), own[pair])
        total[pair] = mirrored
        return total

    @cached_property
    def _at_edges(self) -> tuple[Whole, npt.NDArray[np.uint8]]:
        """Return the pairs at an edge of their box, and on which edges they are."""
        place, owner = self.beside
        low, high = (end[owner - 1] for end in self.runs.boxes)
        own = np.zeros(len(place), dtype=np.uint8)
        for axis, at in enumerate(np.unravel_index(place, self.runs.shape)):
            own |= _bit(at == low[:, axis], axis, -1) | _bit(at == high[:, axis], axis, 1)
        edges = np.append(self._edges, own)
        pair = np.flatnonzero(edges)
        return pair, edges[pair]


def _place(axis: int, way: int) -> int:
    """Return which bit says that one can't go this way along an axis; any where way is 0."""
    return 2 * axis + (way > 0)


def _bit(true: npt.NDArray[np.bool_], axis: int, way: int) -> npt.NDArray[np.uint8]:
    return true.astype(np.uint8) << np.uint8(_place(axis, way))


def _shared(found: _Packed, own: _Packed) -> _Packed:
    """Return the bits of pixels whose object it is, 0 of others."""
    bits: _Packed = found ^ own
    return np.where(bits < 1 << _BITS, bits, 0)
