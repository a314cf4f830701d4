"""Microscope makers' formats through bioio, an extra, with a reader plug-in for each.

A path comes in, an :class:`Image` goes out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.io.image import Image, Selection


def open_vendor(path: Path) -> Image:
    """Open the first scene of a microscope's file, pixels unread.

    Raises
    ------
    ModuleNotFoundError
        bioio is not installed.
    ValueError
        bioio has no plug-in that reads the file, or the file is damaged.
    """
    try:
        from bioio import BioImage
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"open_image: {path.suffix} is read through bioio; pip install "
            f"'bioimage-taskgraph[vendor]' and the plug-in for the format, such as "
            f"bioio-czi, bioio-lif or bioio-nd2; got {path}"
        ) from missing
    try:
        image = BioImage(path)
        axes, shape = str(image.dims.order), tuple(int(size) for size in image.shape)
        dtype = np.dtype(image.dtype)
        sizes = image.physical_pixel_sizes
    except Exception as trouble:
        raise ValueError(
            f"open_image: bioio must have a plug-in that reads {path.suffix}, and the file must "
            f"be whole; got {path}: {trouble}"
        ) from trouble

    def load(where: Selection) -> Array:
        exact = {
            axis: slice(*entry.indices(size)) if isinstance(entry, slice) else list(entry)
            for axis, entry, size in zip(axes, where, shape, strict=True)
            if axis not in "YXS"
        }
        pixels = np.asarray(image.get_image_dask_data(axes, **exact))
        inner = tuple(e if a in "YXS" else slice(None) for a, e in zip(axes, where, strict=True))
        return pixels[inner]

    known = {axis: float(getattr(sizes, axis)) for axis in "ZYX" if getattr(sizes, axis, None)}
    return Image(str(path), axes, shape, dtype, load, known)
