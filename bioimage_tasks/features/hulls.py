"""Convex hulls of all objects at once: how many pixels they hold, and how far they reach.

Runs come in, arrays with an entry an object go out. A pixel is the four middles of its
sides, as in scikit-image; coordinates are doubled, so that all is in whole numbers and
exact. In 2D.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bioimage_tasks.features.runs import Runs, Whole
from bioimage_tasks.features.table import Values

#: Pairs of corners compared at once.
BLOCK = 1 << 20


class Rows(NamedTuple):
    """A row of an object a place: its first and last column. Object by object, top down."""

    owner: Whole  # from 0
    row: Whole
    first: Whole
    last: Whole


class Chain(NamedTuple):
    """One side of the hulls, corner by corner from the top; coordinates doubled."""

    owner: Whole
    y: Whole
    x: Whole


def rows_of(runs: Runs) -> Rows:
    """Return the rows of objects that have pixels."""
    owner = runs.labels[runs.own] - 1
    row, first, last = runs.corners
    new = np.ones(len(owner), dtype=bool)
    new[1:] = (owner[1:] != owner[:-1]) | (row[1:] != row[:-1])
    begin = np.flatnonzero(new)
    end = np.append(begin[1:], len(owner))[: len(begin)] - 1
    return Rows(owner[begin], row[begin], first[begin], last[end])


def filled_rows(rows: Rows) -> Rows:
    """Return the rows of the convex hulls of objects, whole from side to side."""
    if not len(rows.owner):
        return rows
    begin = np.append(0, np.flatnonzero(np.diff(rows.owner)) + 1)
    top = rows.row[begin]
    heights = rows.row[np.append(begin[1:], len(rows.owner)) - 1] - top + 1
    owner = np.repeat(rows.owner[begin], heights)
    row = np.arange(len(owner)) + np.repeat(top - (np.cumsum(heights) - heights), heights)
    first = -_crossing(_side(rows.owner, rows.row, -rows.first), owner, row)
    return Rows(owner, row, first, _crossing(_side(rows.owner, rows.row, rows.last), owner, row))


def reaches(rows: Rows, count: int) -> Values:
    """Return the greatest distance between two outline points of objects, in pixels: (n,)."""
    right = _side(rows.owner, rows.row, rows.last)
    left = _side(rows.owner, rows.row, -rows.first)
    owner = np.concatenate([left.owner, right.owner])
    order = np.argsort(owner, kind="stable")
    y = np.concatenate([left.y, right.y])[order]
    x = np.concatenate([-left.x, right.x])[order]
    corners = np.bincount(owner, minlength=count)
    ends = np.cumsum(corners)
    found = np.zeros(count)
    pairs = np.append(0, np.cumsum(corners**2))
    first = 0
    while first < count:
        last = max(first + 1, int(np.searchsorted(pairs, pairs[first] + BLOCK, side="right")) - 1)
        own = corners[first:last]
        one = np.repeat(np.arange(own.sum()), np.repeat(own, own)) + ends[first] - corners[first]
        start = np.repeat(ends[first:last] - own, own**2)
        other = start + _counted(own**2) % np.repeat(own, own**2)
        squares = (y[one] - y[other]) ** 2 + (x[one] - x[other]) ** 2
        some = np.flatnonzero(own)
        begin = np.cumsum(own**2)[some] - own[some] ** 2
        if len(some):
            found[first + some] = np.sqrt(np.maximum.reduceat(squares, begin)) / 2
        first = last
    return found


def _counted(times: Whole) -> Whole:
    """Return 0, 1, ... up to each number, one series after the other."""
    ends = np.cumsum(times)
    counted: Whole = np.arange(times.sum()) - np.repeat(ends - times, times)
    return counted


def _side(owner: Whole, row: Whole, last: Whole) -> Chain:
    """Return the right side of the hulls of rows that end in these columns."""
    y = np.concatenate([2 * row - 1, 2 * row, 2 * row + 1])
    x = np.concatenate([2 * last, 2 * last + 1, 2 * last])
    owners = np.tile(owner, 3)
    span = int(y.max(initial=0)) + 2
    keys = owners * span + y
    order = np.argsort(keys, kind="stable")
    begin = np.append(0, np.flatnonzero(np.diff(keys[order])) + 1)[: len(keys)]
    x = np.maximum.reduceat(x[order], begin) if len(keys) else x
    return _convex(Chain(owners[order][begin], y[order][begin], x))


def _convex(chain: Chain) -> Chain:
    """Leave out, again and again, what lies on or behind the line between its neighbours.

    A point that does is no corner, whichever others go at the same time. Objects that keep
    all their points are done.
    """
    done = []
    while len(chain.owner):
        owner, y, x = chain
        across = (y[1:-1] - y[:-2]) * (x[2:] - x[:-2]) - (y[2:] - y[:-2]) * (x[1:-1] - x[:-2])
        behind = np.zeros(len(owner), dtype=bool)
        behind[1:-1] = (owner[2:] == owner[:-2]) & (across >= 0)
        going = np.zeros(int(owner[-1]) + 1, dtype=bool)
        going[owner[behind]] = True
        stays = ~going[owner]
        done.append([part[stays] for part in chain])
        chain = Chain(*(part[~stays & ~behind] for part in chain))
    owner, y, x = (np.concatenate(parts) for parts in zip(*done, strict=True)) if done else chain
    order = np.argsort(owner, kind="stable")
    return Chain(owner[order], y[order], x[order])


def _crossing(chain: Chain, owner: Whole, row: Whole) -> Whole:
    """Return the last column on the near side of a chain, for rows of objects."""
    span = int(chain.y.max()) + 2
    below = np.searchsorted(chain.owner * span + chain.y, owner * span + 2 * row, side="right")
    above = below - 1
    height = chain.y[below] - chain.y[above]
    wide = chain.x[below] - chain.x[above]
    twice = chain.x[above] * height + wide * (2 * row - chain.y[above])
    column: Whole = twice // (2 * height)
    return column
