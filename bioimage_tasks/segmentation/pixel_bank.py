"""What a pixel classifier sees: a bank of filters of the image and of earlier maps.

An image (and maps) come in, a stack of float32 features goes out, whole or tile by tile so
that memory stays bounded. Must not know classes, strokes or learners.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.features.filters import FAMILIES, filter_bank
from bioimage_tasks.segmentation.lines import line_bank, reach
from bioimage_tasks.segmentation.masks import Floats

#: The widest filter reaches this many scales: Gaussian, then the structure tensor's window.
REACH = 4.5
#: Pixels of one tile without its margin.
TILE_PIXELS = 1 << 18
Slices = tuple[slice, ...]


@dataclass(frozen=True)
class Bank:
    """Which features a pixel has: ``Bank(scales=(1, 2, 4), channels=True)``.

    Attributes
    ----------
    scales : tuple of float
        Standard deviations of the filters, pixels.
    families : tuple of str
        Some of :data:`bioimage_tasks.features.filters.FAMILIES`.
    context_scales : tuple of float
        The same for maps of an earlier classifier (auto-context).
    channels : bool
        Whether the image's last axis is its channels.
    normalise : bool
        Whether each channel's median becomes 0 and the span from its 5th to its 95th
        percentile 1, so that gain and offset do not matter.
    spacing : tuple of float, optional
        Size of a pixel along each axis in units of the smallest, for anisotropic stacks.
    lines : tuple of float
        Widths of thin lines to look for, pixels, in images of 2 dimensions; none by default.
    """

    scales: tuple[float, ...] = (0.7, 1.0, 1.6, 3.5, 5.0, 10.0)
    families: tuple[str, ...] = FAMILIES
    context_scales: tuple[float, ...] = (1.0, 2.5, 5.0, 10.0)
    channels: bool = False
    normalise: bool = True
    spacing: tuple[float, ...] | None = None
    lines: tuple[float, ...] = ()

    @property
    def margin(self) -> int:
        """How far a feature looks, pixels along an axis of spacing 1."""
        round_ones = int(np.ceil(REACH * max(*self.scales, *self.context_scales)))
        return max([round_ones, *map(reach, self.lines)]) + 2


def planes(function: str, image: npt.ArrayLike, bank: Bank) -> Floats:
    """Return the channels of an image as float32, channels first, normalised when asked.

    Raises
    ------
    ValueError
        Not 2D or 3D (without the channels), empty, not real or not finite.
    """
    array = np.asarray(image)
    spatial = array.ndim - bank.channels
    if spatial not in (2, 3) or array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(
            f"{function}: an image must have 2 or 3 dimensions, and one more for channels when "
            f"the bank has channels=True, and hold real numbers; got shape {array.shape}, "
            f"{array.dtype}, channels={bank.channels}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise ValueError(f"{function}: every pixel must be finite; got {bad} that are not")
    stack = np.moveaxis(array, -1, 0) if bank.channels else array[None]
    made: Floats = np.ascontiguousarray(stack, dtype=np.float32)
    return np.stack([_normalised(plane) for plane in made]) if bank.normalise else made


def _normalised(plane: Floats) -> Floats:
    low, middle, high = np.percentile(plane, (5, 50, 95))
    scaled: Floats = (plane - np.float32(middle)) / np.float32(max(high - low, 1e-6))
    return scaled


def features(channels: Floats, maps: Floats | None, bank: Bank) -> Floats:
    """Return the features of prepared channels: shape (features, *spatial), float32.

    Parameters
    ----------
    channels : numpy.ndarray of float32
        From :func:`planes`.
    maps : numpy.ndarray of float32, optional
        Shape (maps, *spatial): what an earlier classifier says of each pixel.
    bank : Bank
    """
    made = [channels]
    for plane in channels:
        made.append(filter_bank(plane, bank.scales, bank.families, spacing=bank.spacing))
        if bank.lines:
            made.append(line_bank(plane, bank.lines))
    if maps is not None:
        made.append(maps)
        for plane in maps:
            filtered = filter_bank(plane, bank.context_scales, bank.families, spacing=bank.spacing)
            made.append(filtered)
    return np.concatenate(made)


def by_tile(
    channels: Floats, maps: Floats | None, bank: Bank, pixels: int = TILE_PIXELS
) -> Iterator[tuple[Slices, Floats]]:
    """Yield (place, features) of tiles that cover the image; equal to those of the whole."""
    shape = channels.shape[1:]
    for place, wide, inner in _tiles(shape, bank.margin, pixels):
        part = None if maps is None else maps[(slice(None), *wide)]
        stack = features(channels[(slice(None), *wide)], part, bank)
        yield place, stack[(slice(None), *inner)]


def _tiles(
    shape: tuple[int, ...], margin: int, pixels: int
) -> Iterator[tuple[Slices, Slices, Slices]]:
    side = max(16, int(pixels ** (1 / len(shape))))
    cuts = []
    for size in shape:
        count = -(-size // side)
        edges = [size * k // count for k in range(count + 1)]
        cuts.append(list(pairwise(edges)))
    for spans in product(*cuts):
        outer = [
            (max(0, a - margin), min(size, b + margin))
            for (a, b), size in zip(spans, shape, strict=True)
        ]
        yield (
            tuple(slice(a, b) for a, b in spans),
            tuple(slice(a, b) for a, b in outer),
            tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(spans, outer, strict=True)),
        )


def check_maps(function: str, maps: Array | None, shape: tuple[int, ...]) -> Floats | None:
    """Return maps as float32 of shape (maps, *shape).

    Raises
    ------
    ValueError
        They have another shape.
    """
    if maps is None:
        return None
    array = np.asarray(maps, dtype=np.float32)
    if array.shape[1:] != shape:
        raise ValueError(
            f"{function}: maps must have shape (maps, *image), here (n, {shape}); got {array.shape}"
        )
    return array
