"""Tasks that count what a stained smear shows: rows of features, counts, densities."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.marks import BoxesRef
from bioimage_tasks.features.parts import Parts, describe_parts
from bioimage_tasks.features.smears import smear_features, spread
from bioimage_tasks.tasks.door import task


@task()
def smear_row(image: ImageRef | Array, names: tuple[str, ...] = ()) -> npt.NDArray[np.float64]:
    """Describe a smear as one row of numbers, all or those named."""
    table = smear_features(image.read() if isinstance(image, ImageRef) else image)
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
    pixels = image.read() if isinstance(image, ImageRef) else image
    corners = _corners(boxes, kind)
    side = pixels.shape[0] / tiles
    found = describe_parts(list(np.moveaxis(pixels, 2, 0)), "tiles", side)
    density = spread(corners, (pixels.shape[0], pixels.shape[1]))
    counts = _sums(density, side)
    return replace(found, targets=(counts * len(found)).astype(np.float32))


def _corners(boxes: BoxesRef | Array, kind: str) -> Array:
    if not isinstance(boxes, BoxesRef):
        return boxes
    read: Any = boxes.read()
    chosen: Array = read.corners[[not kind or own == kind for own in read.classes]]
    return chosen


def _sums(density: Array, side: float) -> Array:
    """Return the sum over every tile, in the order of the parts."""
    from bioimage_tasks.features.parts import tile_labels

    labels = tile_labels(density.shape, side)
    sums: Array = np.bincount(labels.ravel(), weights=density.ravel())[1:]
    return sums
