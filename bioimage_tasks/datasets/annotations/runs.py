"""Run-length annotations of the 2018 Data Science Bowl: a csv with a row per object.

A :class:`Source` whose ``select`` is the image's identifier comes in, an integer image
goes out.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.annotations.files import table
from bioimage_tasks.datasets.annotations.overlap import paint
from bioimage_tasks.datasets.annotations.registry import Source, register


@register("runs")
def runs(
    source: Source,
    *,
    image: str = "ImageId",
    pixels: str = "EncodedPixels",
    height: str = "Height",
    width: str = "Width",
) -> Array:
    """Fill runs "start length start length...", 1-based, down the columns.

    Parameters
    ----------
    source : Source
        A csv file; ``select`` names the image. Where the csv has no columns of height and
        width in pixels, ``like`` must name an image of that size.
    image, pixels, height, width : str
        Names of its columns.

    Raises
    ------
    ValueError
        The image is not in the file, or a run is odd or leaves the image.
    """
    rows = [row for row in table(source.path, (image, pixels)) if row[image] == source.select]
    if not rows:
        raise ValueError(
            f"runs: the file must annotate {source.select!r}; got {source.path}, which does not"
        )
    if height in rows[0] and width in rows[0]:
        shape = (int(rows[0][height]), int(rows[0][width]))
    else:
        shape = source.shape("runs")
    return paint(shape, [_coordinates(row[pixels], shape, source.path) for row in rows])


def _coordinates(text: str, shape: tuple[int, int], path: str) -> tuple[Array, Array]:
    """Return (rows, columns) of one object."""
    try:
        numbers = np.array(text.split(), dtype=np.int64)
    except ValueError as trouble:
        raise ValueError(f"runs: runs are whole numbers; got {text!r} in {path}") from trouble
    starts, lengths = numbers[::2] - 1, numbers[1::2]
    area = shape[0] * shape[1]
    if len(starts) != len(lengths) or (starts < 0).any() or (starts + lengths > area).any():
        raise ValueError(
            f"runs: runs are pairs of start and length within {shape[0]} x {shape[1]} pixels; "
            f"got {text[:60]!r} in {path}"
        )
    flat = np.concatenate([np.arange(0), *map(np.arange, starts, starts + lengths)])
    return flat % shape[0], flat // shape[0]
