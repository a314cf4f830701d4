"""Label images in and out.

A path comes in and sequential int32 labels go out, or the reverse, without loss.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from bioimage_tasks.checks import Array, Labels, check_labels, sequential
from bioimage_tasks.io.damage import naming
from bioimage_tasks.io.names import ZARR_SUFFIXES, existing, is_tiff, is_zarr
from bioimage_tasks.io.reading import read_image
from bioimage_tasks.io.writing import whole, write_image


def read_labels(path: str | os.PathLike[str], *, level: int = 0, resolution: float = 0.0) -> Labels:
    """Read a label image: ``read_labels("labels/dna-00.png")``.

    Grey values are object numbers, 0 is background. In an RGB image every colour but
    black is one object; three equal channels count as one grey value.

    Parameters
    ----------
    path : str or path
        Labels in an OME-Zarr image are ``"a.zarr/labels/nuclei"``; :func:`label_names` lists
        them.
    level, resolution
        Of an OME-Zarr, as in :func:`bioimage_tasks.io.open_image`. At a coarse level small
        objects may be gone; the rest is numbered anew.

    Returns
    -------
    numpy.ndarray of int32
        Sequential labels 1..N.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`read_image`; or the values are not integers.
    """
    image = _indices(path, level, resolution)
    if image.ndim == 3 and image.shape[-1] in (3, 4):
        red, green, blue = (image[..., index].astype(np.int64) for index in range(3))
        same = np.array_equal(red, green) and np.array_equal(red, blue)
        bits = 8 * image.dtype.itemsize
        image = red if same else (red << 2 * bits) | (green << bits) | blue
    check_labels(f"read_labels({os.fspath(path)})", "the image", image)
    return sequential(image)


def _indices(path: str | os.PathLike[str], level: int, resolution: float) -> Array:
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
    return read_image(source, level=level, resolution=resolution)


def label_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Return the names of the labels in an OME-Zarr image, of other files none.

    Raises
    ------
    FileNotFoundError, ModuleNotFoundError
        There is no such file, or zarr is needed and not installed.
    """
    source = existing("label_names", path)
    if not is_zarr(source):
        return ()
    from bioimage_tasks.io import zarrs

    with naming("label_names", source):
        return zarrs.label_names(source)


def write_labels(path: str | os.PathLike[str], labels: Labels) -> None:
    """Write labels without loss: uint16 PNG up to 65,535 objects, TIFF or OME-Zarr.

    ``write_labels("a.zarr/labels/nuclei", labels)`` puts them into an OME-Zarr image, at its
    levels, where its viewers find them. Coarse levels take the nearest pixel.

    Raises
    ------
    ValueError
        Not labels, or too many for a PNG, or of another shape than their image.
    """
    numbers = check_labels("write_labels", "labels", labels)
    if is_zarr(Path(path)):
        _write_zarr(Path(path), numbers)
        return
    if is_tiff(Path(path)):
        write_image(path, numbers)
        return
    if int(numbers.max()) > np.iinfo(np.uint16).max:
        raise ValueError(
            f"write_labels: a PNG holds 65,535 objects; use .tif; got {int(numbers.max())}"
        )
    write_image(path, numbers.astype(np.uint16))


def _write_zarr(path: Path, numbers: Array) -> None:
    from bioimage_tasks.io import zarrs

    if path.suffix.lower() in ZARR_SUFFIXES:
        axes = "TCZYX"[-numbers.ndim :]
        whole(path, lambda draft: zarrs.write_zarr(draft, numbers, axes, {}, labels=True))
        return
    if path.parent.name != zarrs.LABELS:
        raise ValueError(
            f"write_labels: labels in an OME-Zarr image lie in its folder {zarrs.LABELS}; write "
            f"to {path.parent / zarrs.LABELS / path.name}; got {path}"
        )
    image = existing("write_labels", path.parent.parent)
    whole(path, lambda draft: zarrs.write_label_levels(draft, image, numbers, path.name))
    zarrs.list_labels(image, path.name)
