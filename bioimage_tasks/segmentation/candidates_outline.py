"""Outlines of the chosen regions, finer than the pixels and thresholds they were found on.

Regions, the rows chosen and all predicted IoU come in, labels of the image's own size go
out. Regions that differ from a chosen one by its rim only are as likely right: each votes
with its promise, and what half of the votes hold is the object. Between the pixels of a
reduced image votes are interpolated, so that outlines have no steps.

Must not know how regions were chosen.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Labels, sequential
from bioimage_tasks.segmentation.candidates import Doubles, Integers, Regions
from bioimage_tasks.segmentation.masks import Floats

#: Regions vote that share at least this much of their area with the chosen one.
ALIKE = 0.7
#: A region this much less in predicted IoU has a vote of 1/e.
DOUBT = 0.03


def draw(
    regions: Regions, chosen: Integers, worth: Doubles, factor: int, shape: tuple[int, ...]
) -> Labels:
    """Draw chosen regions: ``draw(regions, rows, predicted, 3, image.shape)``.

    Parameters
    ----------
    regions : Regions
        2D, of an image reduced by ``factor``.
    chosen : numpy.ndarray of int64
        Rows that do not overlap.
    worth : numpy.ndarray of float64, shape (regions,)
        Predicted IoU.
    factor : int
        How many pixels make one of the regions'.
    shape : tuple of int
        Of the labels.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N; where two objects meet, a pixel is that of the greater share of votes.
    """
    labels = np.zeros(shape, dtype=np.int32)
    most = np.zeros(shape, dtype=np.float32)
    inner = _inner(regions)
    for number, row in enumerate(chosen, 1):
        kin = _alike(regions, int(row), inner)
        votes = np.exp((worth[kin] - worth[row]) / DOUBT)
        share, top, left = _votes(regions, kin, votes / votes.sum())
        rows, columns = (
            np.arange(max(0, start * factor), min(size, (start + length) * factor))
            for start, length, size in zip((top, left), share.shape, shape, strict=True)
        )
        fine = _between(share, (rows + 0.5) / factor - 0.5 - top, axis=0)
        fine = _between(fine, (columns + 0.5) / factor - 0.5 - left, axis=1)
        box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        mine = (fine >= 0.5) & (fine > most[box])
        most[box][mine] = fine[mine]
        labels[box][mine] = number
    # What is left over by whole pixels at the far rim belongs to its neighbour.
    for axis, (size, small) in enumerate(zip(shape, regions.shape, strict=True)):
        if small * factor < size:
            last = labels.take([small * factor - 1], axis)
            rest = [slice(None), slice(None)]
            rest[axis] = slice(small * factor, None)
            labels[tuple(rest)] = last
    return sequential(labels)


def _inner(regions: Regions) -> list[list[int]]:
    inner: list[list[int]] = [[] for _ in range(len(regions))]
    for row, parent in enumerate(regions.parent):
        if parent >= 0:
            inner[parent].append(row)
    return inner


def _alike(regions: Regions, row: int, inner: list[list[int]]) -> Integers:
    """Return a region and those above and below it in the tree that are nearly as large."""
    area, found = regions.area, [row]
    up = int(regions.parent[row])
    while up >= 0 and area[row] >= ALIKE * area[up]:
        found.append(up)
        up = int(regions.parent[up])
    waiting = list(inner[row])
    while waiting:
        one = waiting.pop()
        if area[one] >= ALIKE * area[row]:
            found.append(one)
            waiting += inner[one]
    return np.array(found, dtype=np.int64)


def _votes(regions: Regions, kin: Integers, votes: Doubles) -> tuple[Floats, int, int]:
    """Return the share of votes around the largest, one pixel more all around, and its corner.

    On the rim of the image the outermost pixels are repeated: objects go on there.
    """
    widest = regions.members(int(kin[np.argmax(regions.area[kin])]))
    rows, columns = np.unravel_index(widest, regions.shape)
    top, left = int(rows.min()) - 1, int(columns.min()) - 1
    share = np.zeros((int(rows.max()) - top + 2, int(columns.max()) - left + 2), np.float32)
    for one, vote in zip(kin, votes, strict=True):
        down, across = np.unravel_index(regions.members(int(one)), regions.shape)
        share[down - top, across - left] += vote
    if top < 0:
        share[0] = share[1]
    if left < 0:
        share[:, 0] = share[:, 1]
    if top + share.shape[0] > regions.shape[0]:
        share[-1] = share[-2]
    if left + share.shape[1] > regions.shape[1]:
        share[:, -1] = share[:, -2]
    return share, top, left


def _between(share: Floats, places: Doubles, axis: int) -> Floats:
    """Interpolate linearly at places along an axis; the ends go on."""
    inside = np.clip(places, 0, share.shape[axis] - 1)
    low = np.minimum(inside.astype(np.int64), share.shape[axis] - 2)
    weight = (inside - low).astype(np.float32)
    weight = weight[:, None] if axis == 0 else weight[None, :]
    mixed: Floats = share.take(low, axis) * (1 - weight) + share.take(low + 1, axis) * weight
    return mixed
