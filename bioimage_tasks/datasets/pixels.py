"""Pixels of a reference: which file, which channels, which plane, how they become one.

An :class:`ImageRef` comes in, an array goes out. Only what is asked for is decoded.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.labels import cut
from bioimage_tasks.io import one_channel, open_image, read_image
from bioimage_tasks.io.names import is_zarr

if TYPE_CHECKING:
    from bioimage_tasks.datasets.base import Aggregate, ImageRef

#: Weights of red, green and blue in the lightness of ITU-R BT.601.
LUMA = (0.299, 0.587, 0.114)
AGGREGATES = ("mean", "sum", "max", "luma")

_Channel = int | tuple[int, ...] | None


def read(image: ImageRef) -> Array:
    """Return the pixels of a reference: see :meth:`ImageRef.read`.

    Raises
    ------
    FileNotFoundError, ValueError
        As there.
    """
    if image.channel_paths:
        pixels = _stacked(image)
    else:
        pixels = _one_file(image, image.path, image.channel, all_channels=bool(image.aggregate))
    return aggregated(pixels, image.aggregate, image.path) if image.aggregate else pixels


def _one_file(image: ImageRef, path: str, channel: _Channel, *, all_channels: bool) -> Array:
    if channel is None and not image.plane and not all_channels:
        return _plain(image, path)
    handle = open_image(path, level=image.level, resolution=image.resolution)
    if channel is None and all_channels:
        channel = tuple(range(handle.colours))
    return handle.read(channel=channel, plane=image.plane, region=image.region)


def _plain(image: ImageRef, path: str) -> Array:
    """Read the one channel there is, or the one that all channels equal."""
    region = image.region
    if region is not None or is_zarr(Path(path)):
        handle = open_image(path, level=image.level, resolution=image.resolution)
        if set(handle.shape[:-2]) <= {1} and handle.axes.endswith("YX"):
            return handle.read(region=region)  # of a large image only the tiles of the region
    found = read_image(path, level=image.level, resolution=image.resolution)
    return cut(one_channel(found, None, path), region)


def _stacked(image: ImageRef) -> Array:
    """Stack files of one channel each behind the columns."""
    every = tuple(range(len(image.channel_paths)))
    chosen = every if image.channel is None else image.channel
    wanted = chosen if isinstance(chosen, tuple) else (chosen,)
    if any(channel not in every for channel in wanted):
        raise ValueError(
            f"ImageRef: channel must lie in 0..{len(every) - 1}, {image.name} has so many "
            f"files; got {image.channel}"
        )
    picks = image.picks or (None,) * len(every)
    found = [_one_file(image, image.channel_paths[c], picks[c], all_channels=False) for c in wanted]
    if len({each.shape for each in found}) > 1:
        shapes = ", ".join(str(each.shape) for each in found)
        raise ValueError(
            f"ImageRef: the channels of an image must have one shape; got {shapes} for {image.name}"
        )
    return np.stack(found, axis=-1) if isinstance(chosen, tuple) else found[0]


def aggregated(pixels: Array, aggregate: Aggregate, source: object = "image") -> Array:
    """Make one channel of the last axis: ``aggregated(rgb, "luma")``.

    Parameters
    ----------
    pixels : numpy.ndarray
        Shape (..., height, width, channels), or (height, width): then it is the one channel.
    aggregate : str or tuple of float
        "mean", "sum", "max", "luma", or a weight for each channel.
    source : object
        Named in the error.

    Returns
    -------
    numpy.ndarray
        Of "max" the native dtype; else float32, which holds sums of 16-bit pixels exactly,
        or float64 of wider pixels.

    Raises
    ------
    ValueError
        Another name, or another number of weights than of channels.
    """
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if aggregate == "max":
        return np.asarray(pixels.max(axis=-1))
    if aggregate in ("mean", "sum"):
        total = pixels.sum(axis=-1, dtype=np.float64)
        return _narrow(total / pixels.shape[-1] if aggregate == "mean" else total, pixels)
    weights = LUMA if aggregate == "luma" else aggregate
    if isinstance(weights, str):
        raise ValueError(
            f"aggregated: aggregate must be one of {', '.join(AGGREGATES)} or a weight for "
            f"each channel; got {aggregate!r}"
        )
    if aggregate == "luma" and pixels.shape[-1] == 1:
        return _narrow(pixels[..., 0], pixels)
    if len(weights) != pixels.shape[-1]:
        raise ValueError(
            f"aggregated: there must be a weight for each of the {pixels.shape[-1]} channels of "
            f"{source}; got {tuple(weights)}"
        )
    return _narrow(pixels @ np.asarray(weights, dtype=np.float64), pixels)


def _narrow(grey: Array, pixels: Array) -> Array:
    return np.asarray(grey, dtype=np.result_type(pixels.dtype, np.float32))
