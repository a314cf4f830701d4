"""Labels as runs: stretches of one label along the last axis, the whole image among them.

Labels come in, a few arrays with an entry a run go out, and boxes and sizes of objects with
them. Objects have far fewer runs than pixels, and what is computed of runs is computed for
all objects at once. Must not know what is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Runs of equal labels in an image with a rim of background one pixel wide.

    Background is in runs too. Its runs may go on from the end of one row to the start of the
    next, which is rim and outside of everything.
    """

    flat: Labels  # the image with its rim
    shape: tuple[int, ...]  # of that
    count: int  # objects, numbered from 1
    starts: Whole  # places in ``flat``; the first is 0
    stops: Whole  # the last place of each

    @classmethod
    def of(cls, labels: Labels) -> Runs:
        """Find the runs of a label image whose objects are numbered 1..n."""
        image = np.pad(labels, 1)
        flat = image.ravel()
        turns = np.flatnonzero(flat[1:] != flat[:-1])
        starts = np.append(0, turns + 1)
        count = int(labels.max(initial=0))
        return cls(flat, image.shape, count, starts, np.append(turns, len(flat) - 1))

    @cached_property
    def labels(self) -> Whole:
        """Label of every run."""
        return self.flat[self.starts].astype(np.int64)

    @cached_property
    def lengths(self) -> Whole:
        """Pixels of every run."""
        return self.stops - self.starts + 1

    @cached_property
    def steps(self) -> tuple[int, ...]:
        """How far apart two places in ``flat`` are that are neighbours along each axis."""
        return tuple(int(np.prod(self.shape[axis + 1 :])) for axis in range(len(self.shape)))

    @cached_property
    def own(self) -> Whole:
        """Numbers of the runs in objects, object by object, each from top to bottom."""
        found = np.flatnonzero(self.labels)
        return found[np.argsort(self.labels[found], kind="stable")]

    @cached_property
    def sizes(self) -> Whole:
        """Pixels of objects 1..n."""
        sizes = np.bincount(self.labels, weights=self.lengths, minlength=self.count + 1)
        return sizes[1:].astype(np.int64)

    @cached_property
    def corners(self) -> tuple[Whole, ...]:
        """Coordinates of the first pixels of the runs in objects, then the last column."""
        first = np.unravel_index(self.starts[self.own], self.shape)
        return (*first, first[-1] + self.lengths[self.own] - 1)

    @cached_property
    def boxes(self) -> tuple[Whole, Whole]:
        """Least and greatest coordinates of objects, shape (n, axes), rim counted in."""
        shape = (self.count, len(self.shape))
        low, high = np.zeros(shape, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
        owner = self.labels[self.own]
        if not len(owner):
            return low, high
        begin = np.append(0, np.flatnonzero(np.diff(owner)) + 1)
        rows = owner[begin] - 1
        *first, last = self.corners
        for axis, place in enumerate(first):
            low[rows, axis] = np.minimum.reduceat(place, begin)
            end = place if axis < len(first) - 1 else last
            high[rows, axis] = np.maximum.reduceat(end, begin)
        return low, high

    @cached_property
    def box_sizes(self) -> Whole:
        """Pixels of the boxes of objects."""
        low, high = self.boxes
        return np.asarray(np.prod(high - low + 1, axis=1), dtype=np.int64)
