"""Levels of resolution: which one is meant, how large each is, and how one makes the next.

Shapes, sizes of pixels and arrays come in, the same go out. A pixel of a coarser level lies
in the middle of those that it stands for. Must not read files or know any format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import ceil, floor, log2, prod, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.io.image import Level

#: Edge of a chunk in pixels, of the last two axes; levels end where all fits into one.
CHUNK = 512
#: Bytes worked on at once, or one chunk where that is more.
BYTES = 1 << 26

Factors = tuple[int, ...]
Block = tuple[slice, ...]


def choose(function: str, path: object, levels: Sequence[Level], level: int, finer: float) -> int:
    """Return the level that is meant: ``choose("open_image", path, levels, 0, 0.65)``.

    Parameters
    ----------
    function : str
        Name of the caller, put in front of messages.
    path : object
        Named in messages.
    levels : sequence of Level
        From the finest.
    level : int
        Which one, 0 the finest.
    finer : float
        Micrometres: the coarsest level whose pixels are no larger, or else the finest; 0
        leaves the choice to ``level``.

    Raises
    ------
    ValueError
        There is no such level, both are given, or no size of a pixel is known.
    """
    there = ", ".join(" x ".join(map(str, each.shape)) for each in levels)
    if level not in range(len(levels)):
        raise ValueError(
            f"{function}: level must be a whole number in 0..{len(levels) - 1}, 0 the finest; "
            f"{path} has {there}; got {level!r}"
        )
    if not finer:
        return level
    if level or not finer > 0:
        raise ValueError(
            f"{function}: resolution (micrometres) must be positive and stand in the place of "
            f"level; got resolution={finer!r} and level={level}"
        )
    sizes = [max(each.pixel_size.get(axis, 0.0) for axis in "YX") for each in levels]
    if not all(sizes):
        raise ValueError(
            f"{function}: resolution needs the size of a pixel, which {path} does not tell; "
            f"choose a level of 0..{len(levels) - 1} ({there}); got resolution={finer!r}"
        )
    # A thousandth more is the same size: files round.
    return max((n for n, size in enumerate(sizes) if size <= finer * 1.001), default=0)


def halvings(
    shape: Sequence[int], axes: str, pixel_size: Mapping[str, float], levels: int = 0
) -> list[Factors]:
    """Return by how much each level is smaller along each axis, the first by 1.

    Y and X are halved each time. Z is too where its planes are as close as pixels, so that
    deep voxels come nearer to cubes.

    Parameters
    ----------
    shape : sequence of int
    axes : str
        Letters of TCZYX.
    pixel_size : mapping of str to float
        Micrometres.
    levels : int
        How many; 0 as many as it takes until a plane fits into a chunk.

    Raises
    ------
    ValueError
        More than it takes to come down to one pixel.
    """
    sizes = dict(zip(axes, shape, strict=True))
    most = 1 + ceil(log2(max(sizes["Y"], sizes["X"], 1)))
    if not 0 <= levels <= most:
        raise ValueError(
            f"write_image: levels must lie in 1..{most} for {' x '.join(map(str, shape))} "
            f"pixels, 0 for as many as are useful; got {levels}"
        )
    found = [dict.fromkeys(axes, 1)]
    while len(found) < (levels or most):
        last = found[-1]
        if not levels and max(ceil(sizes[axis] / last[axis]) for axis in "YX") <= CHUNK:
            break
        plane = min(pixel_size.get(axis, 0.0) * last[axis] for axis in "YX")
        deep = pixel_size.get("Z", 0.0) * last.get("Z", 1)
        halved = "ZYX" if 0 < deep <= sqrt(2) * plane else "YX"
        found.append({axis: factor * (2 if axis in halved else 1) for axis, factor in last.items()})
    return [tuple(each.values()) for each in found]


def shape_of(shape: Sequence[int], factors: Factors) -> tuple[int, ...]:
    """Return the shape of a level: what is left over at the end is a pixel too."""
    return tuple(ceil(size / factor) for size, factor in zip(shape, factors, strict=True))


def mean_of(fine: Array, factors: Factors) -> Array:
    """Return the means of blocks of 1 or 2 pixels along each axis, of the same dtype.

    Whole numbers are rounded, halves to even. At the end of an odd axis a block is smaller.
    """
    total: npt.NDArray[np.float64] = fine.astype(np.float64)
    for axis, factor in enumerate(factors):
        if factor > 1:
            begin = np.arange(0, total.shape[axis], factor)
            pixels = np.diff(np.append(begin, total.shape[axis]))
            shape = [-1 if other == axis else 1 for other in range(total.ndim)]
            total = np.add.reduceat(total, begin, axis=axis) / pixels.reshape(shape)
    return (total if fine.dtype.kind == "f" else np.rint(total)).astype(fine.dtype)


def nearest(size: int, length: int, step: float, first: float) -> npt.NDArray[np.int64]:
    """Return the fine pixels nearest to coarse ones, of two as near the former.

    Parameters
    ----------
    size : int
        Fine pixels along the axis.
    length : int
        Coarse ones.
    step, first : float
        How far they are apart, and where the first lies, in fine pixels.
    """
    place = np.ceil(np.arange(length) * step + first - 0.5 - 1e-6)
    inside: npt.NDArray[np.int64] = np.clip(place, 0, size - 1).astype(np.int64)
    return inside


def chunks_of(axes: str, shape: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of a chunk: one plane, or a part of it."""
    return tuple(
        max(1, min(size, CHUNK)) if axis in "YX" else 1
        for axis, size in zip(axes, shape, strict=True)
    )


def blocks(shape: Sequence[int], chunks: Sequence[int], bytes_each: int) -> Iterator[Block]:
    """Give blocks of whole chunks that hold all pixels, each as large as memory allows.

    ``bytes_each`` is what the work on a pixel takes.
    """
    edges = list(chunks)
    room = BYTES // (prod(edges) * bytes_each)
    for axis in reversed(range(len(edges))):
        times = max(1, min(room, ceil(shape[axis] / edges[axis])))
        edges[axis] *= times
        room = floor(room / times)
    counts = [range(0, size, edge) for size, edge in zip(shape, edges, strict=True)]
    for begin in product(*counts):
        yield tuple(
            slice(a, min(a + edge, size)) for a, edge, size in zip(begin, edges, shape, strict=True)
        )


def above(block: Block, factors: Factors, shape: Sequence[int]) -> Block:
    """Return the part of the finer level that a block of the coarser one stands for."""
    return tuple(
        slice(part.start * factor, min(part.stop * factor, size))
        for part, factor, size in zip(block, factors, shape, strict=True)
    )


def apart(coarse: Factors, fine: Factors) -> Factors:
    """Return by how much one level is smaller than another."""
    return tuple(a // b for a, b in zip(coarse, fine, strict=True))


def picked(array: Any, places: Sequence[npt.NDArray[np.int64]], block: Block) -> Array:
    """Return the pixels of an open array at these places along each axis, of one block."""
    return np.asarray(array.oindex[tuple(p[part] for p, part in zip(places, block, strict=True))])
