"""What objects enclose: the pixels of their holes, and of all that lies in them.

Runs come in, the size of every object with its holes filled goes out, as by
``scipy.ndimage.binary_fill_holes`` on each object's box, where background goes on over
corners. Regions of one label are the nodes of a graph, regions that touch its edges; what
hangs on the rest by one region alone is enclosed by it, and all such are taken off at once.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from bioimage_tasks.features.outlines import euler_numbers
from bioimage_tasks.features.runs import Runs, Whole


def filled_sizes(runs: Runs) -> Whole:
    """Return the pixels of objects 1..n with their holes, shape (n,)."""
    one, other = _touching(runs)
    region, count = _regions(runs, one, other)
    label, size = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    label[region] = runs.labels
    np.add.at(size, region, runs.lengths)
    ends = region[np.stack([one, other])][:, runs.labels[one] != runs.labels[other]]
    keys = np.sort(ends.min(0) * count + ends.max(0))
    keys = keys[np.diff(keys, prepend=-1) > 0]
    enclosed, left = _taken_off(np.stack(np.divmod(keys, count)), size, int(region[0]))
    found = np.zeros(runs.count + 1, dtype=np.int64)
    np.add.at(found, label, size + enclosed)
    parts = np.bincount(label, minlength=runs.count + 1)
    for number in _in_doubt(runs, label[left], parts[1:]):
        found[number] = _by_filling(runs, int(number))
    return found[1:]


def _touching(runs: Runs) -> tuple[Whole, Whole]:
    """Return pairs of runs that touch, over corners too."""
    many = np.arange(len(runs.starts))
    pairs = [(many[:-1], many[1:])]
    rows = [way for way in product((-1, 0, 1), repeat=len(runs.shape) - 1) if way > (0,) * len(way)]
    for way in rows:
        offset = sum(w * step for w, step in zip(way, runs.steps[:-1], strict=True))
        first = np.searchsorted(runs.starts, runs.starts + (offset - 1), side="right") - 1
        last = np.searchsorted(runs.starts, runs.stops + (offset + 1), side="right") - 1
        times = last - first + 1
        ends = np.cumsum(times)
        other = np.arange(ends[-1]) + np.repeat(first - (ends - times), times)
        pairs.append((np.repeat(many, times), other))
    return np.concatenate([a for a, _ in pairs]), np.concatenate([b for _, b in pairs])


def _regions(runs: Runs, one: Whole, other: Whole) -> tuple[Whole, int]:
    """Return the region of every run, and how many there are."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    same = runs.labels[one] == runs.labels[other]
    many = len(runs.starts)
    graph = coo_array((same[same], (one[same], other[same])), shape=(many, many))
    count, region = connected_components(graph, directed=False)
    return region.astype(np.int64), int(count)


def _taken_off(edges: Whole, size: Whole, outside: int) -> tuple[Whole, Whole]:
    """Return what each region encloses, and the edges that are left, shape (2, m)."""
    enclosed = np.zeros_like(size)
    while True:
        both = edges.ravel()
        lone = np.bincount(both, minlength=len(size)) == 1
        lone[outside] = False
        leaf = lone[edges]
        # Two leaves of one edge can't be: one of any two regions leads outside.
        if not leaf.any():
            return enclosed, edges
        for end, rest in ((0, 1), (1, 0)):
            at = leaf[end]
            inner, outer = edges[end, at], edges[rest, at]
            np.add.at(enclosed, outer, size[inner] + enclosed[inner])
        edges = edges[:, ~leaf.any(0)]


def _in_doubt(runs: Runs, left: Whole, parts: Whole) -> Whole:
    """Return the objects whose holes the graph alone does not tell, by number.

    Those of several parts, and those that may enclose regions that touch each other. In 2D
    the Euler number says of most that there is no hole.
    """
    low, high = (np.insert(end, 0, 0, axis=0) for end in runs.boxes)
    inner, outer = np.hstack([left, left[::-1]])
    inside = (low[inner] > low[outer]) & (high[inner] < high[outer])
    held = outer[(inner == 0) | inside.all(1)]
    may = (parts > 1) | (np.bincount(held, minlength=runs.count + 1)[1:] > 0)
    if len(runs.shape) == 2:
        may &= euler_numbers(runs) < parts
    return np.flatnonzero(may) + 1


def _by_filling(runs: Runs, number: int) -> int:
    """Return the filled size of one object, from its box."""
    from scipy.ndimage import binary_fill_holes

    low, high = (end[number - 1] for end in runs.boxes)
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    own = runs.flat.reshape(runs.shape)[box] == number
    return int(binary_fill_holes(own, np.ones((3,) * own.ndim)).sum())
