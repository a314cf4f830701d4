"""Tasks that count what a stained smear shows: rows of features, counts, densities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_range
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.marks import BoxesRef
from bioimage_tasks.features.parts import Parts, describe_parts, mean_part
from bioimage_tasks.features.parts import in_context as put_in_context
from bioimage_tasks.features.smears import smear_features, spread
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import read


@task()
def smear_row(image: ImageRef | Array, names: tuple[str, ...] = ()) -> npt.NDArray[np.float64]:
    """Describe a smear as one row of numbers, all or those named."""
    table = smear_features(read("smear_row", image))
    row: npt.NDArray[np.float64] = (table.select(names) if names else table).values[0]
    return row


@task()
def density_parts(
    image: ImageRef | Array, boxes: BoxesRef | Array, kind: str = "", tiles: int = 6
) -> Parts:
    """Describe tiles whose targets are densities: their mean over the image is its count.

    Parameters
    ----------
    image : ImageRef or numpy.ndarray
        RGB.
    boxes : BoxesRef or numpy.ndarray
        Shape (n, 4): top, left, bottom, right, pixels.
    kind : str
        Class of the boxes that count; all by default.
    tiles : int
        Down the image.
    """
    pixels = np.asarray(read("density_parts", image))
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(
            f"density_parts: the image must be RGB, (height, width, 3); got {pixels.shape}"
        )
    check_range("density_parts", "tiles", tiles, 1, pixels.shape[0])
    corners = _corners(boxes, kind)
    side = pixels.shape[0] / tiles
    found = describe_parts(list(np.moveaxis(pixels, 2, 0)), "tiles", side)
    density = spread(corners, (pixels.shape[0], pixels.shape[1]))
    counts = _sums(density, side)
    return replace(found, targets=(counts * len(found)).astype(np.float32))


@task()
def in_context(parts: Parts) -> Parts:
    """Put the mean of an image's parts beside every part.

    See :func:`bioimage_tasks.features.parts.in_context`.
    """
    _check_parts("in_context", parts)
    return put_in_context(parts)


@task()
def row_of_parts(parts: Parts, row: Sequence[float] = ()) -> npt.NDArray[np.float64]:
    """Describe an image by the mean of its parts, after numbers of its own."""
    own = np.asarray(row, dtype=np.float64)
    if own.ndim != 1:
        raise ValueError(f"row_of_parts: the row must be one of numbers; got shape {own.shape}")
    _check_parts("row_of_parts", parts)
    return np.concatenate([own, mean_part(parts)])


def _check_parts(function: str, parts: object) -> None:
    if not isinstance(parts, Parts):
        raise ValueError(
            f"{function}: needs the parts of an image, as density_parts gives them; "
            f"got {type(parts).__name__}"
        )


def _corners(boxes: BoxesRef | Array, kind: str) -> Array:
    found = read("density_parts", boxes)
    if not isinstance(boxes, BoxesRef):
        return np.asarray(found)
    chosen: Array = found.corners[[not kind or own == kind for own in found.classes]]
    return chosen


def _sums(density: Array, side: float) -> Array:
    """Return the sum over every tile, in the order of the parts."""
    from bioimage_tasks.features.parts import tile_labels

    labels = tile_labels(density.shape, side)
    sums: Array = np.bincount(labels.ravel(), weights=density.ravel())[1:]
    return sums
