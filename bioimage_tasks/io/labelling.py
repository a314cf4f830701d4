"""Label images in and out.

A path comes in and sequential int32 labels go out, or the reverse, without loss.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bioimage_tasks.checks import Array, Labels, check_labels, sequential
from bioimage_tasks.io.damage import naming
from bioimage_tasks.io.names import existing, is_tiff, is_zarr
from bioimage_tasks.io.reading import read_image
from bioimage_tasks.io.writing import write_image


def read_labels(path: str | os.PathLike[str]) -> Labels:
    """Read a label image: ``read_labels("labels/dna-00.png")``.

    Grey values are object numbers, 0 is background. In an RGB image every colour but
    black is one object; three equal channels count as one grey value.

    Returns
    -------
    numpy.ndarray of int32
        Sequential labels 1..N.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_image`; or the values are not integers.
    """
    image = _indices(path)
    if image.ndim == 3 and image.shape[-1] in (3, 4):
        red, green, blue = (image[..., index].astype(np.int64) for index in range(3))
        same = np.array_equal(red, green) and np.array_equal(red, blue)
        bits = 8 * image.dtype.itemsize
        image = red if same else (red << 2 * bits) | (green << bits) | blue
    check_labels(f"read_labels({os.fspath(path)})", "the image", image)
    return sequential(image)


def _indices(path: str | os.PathLike[str]) -> Array:
    """Return the pixels, of a palette image its index numbers."""
    source = existing("read_labels", path)
    if source.suffix.lower() == ".png":
        from PIL import Image

        with (
            naming("read_labels", source),
            Image.open(source, formats=("PNG", "JPEG")) as image,
        ):
            if image.mode == "P":
                return np.asarray(image)
    return read_image(source)


def write_labels(path: str | os.PathLike[str], labels: Labels) -> None:
    """Write labels without loss: uint16 PNG up to 65,535 objects, TIFF or OME-Zarr.

    Raises
    ------
    ValueError
        Not labels, or too many for a PNG.
    """
    numbers = check_labels("write_labels", "labels", labels)
    if is_tiff(Path(path)) or is_zarr(Path(path)):
        write_image(path, numbers)
        return
    if int(numbers.max()) > np.iinfo(np.uint16).max:
        raise ValueError(
            f"write_labels: a PNG holds 65,535 objects; use .tif; got {int(numbers.max())}"
        )
    write_image(path, numbers.astype(np.uint16))
