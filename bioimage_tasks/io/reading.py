"""Images in: the array whole, its shape alone, or a handle that reads planes on demand.

A path comes in and an array in the file's own dtype goes out. Nothing is scaled or
converted on the way. Only this package decodes pixels. It must not know what an image is
of, or which files belong together.
"""

from __future__ import annotations

import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.io.damage import naming
from bioimage_tasks.io.image import Image, Level, Selection
from bioimage_tasks.io.names import PILLOW_FORMATS, existing, is_tiff, is_vendor, is_zarr
from bioimage_tasks.io.pyramid import choose


def read_image(path: str | os.PathLike[str], *, level: int = 0, resolution: float = 0.0) -> Array:
    """Read an image as it is: ``read_image("nuclear.png")``.

    Parameters
    ----------
    path : str or path
        The suffix chooses the reader: see :data:`bioimage_tasks.io.EVERY_SUFFIX`.
    level, resolution
        As in :func:`open_image`.

    Returns
    -------
    numpy.ndarray
        Native dtype. Shape (height, width) or (height, width, samples); a TIFF, an
        OME-Zarr or a microscope's file has its own order of axes, in a TIFF lengths of 1
        dropped by the file's series.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The suffix is unknown, the file is damaged or not what its suffix says, or its
        compression needs a package that is not installed. Or there is no such level.
    ModuleNotFoundError
        The format needs an extra that is not installed; names it.
    """
    source = existing("read_image", path)
    with naming("read_image", source):
        if level or resolution or is_zarr(source):
            handle = open_image(source, level=level, resolution=resolution)
            return handle.load((slice(None),) * len(handle.shape))
        if is_tiff(source):
            from bioimage_tasks.io.tiff import read_tiff

            return read_tiff(source)
        if is_vendor(source):
            handle = open_image(source)
            return handle.load((slice(None),) * len(handle.shape))
        return _read_pillow(source)


def _read_pillow(path: Path) -> Array:
    from PIL import Image as PillowImage

    if _is_deep_colour(path):
        return _read_deep_colour(path)
    with PillowImage.open(path, formats=PILLOW_FORMATS) as image:
        if image.mode == "I":  # Pillow before 11 widens a 16-bit PNG
            return np.asarray(image).astype(np.uint16)
        # A palette image shows colours; its index numbers mean nothing to a reader.
        return np.asarray(image.convert("RGB") if image.mode == "P" else image)


def _is_deep_colour(path: Path) -> bool:
    """Whether the file is a PNG of 16 bits and several samples, from its header."""
    with path.open("rb") as file:
        head = file.read(26)
    return head[:8] == b"\x89PNG\r\n\x1a\n" and head[24:25] == b"\x10" and head[25:26] != b"\0"


def _read_deep_colour(path: Path) -> Array:
    """Read 16 bits per sample: Pillow would drop the lower eight without a word."""
    try:
        codecs = import_module("imagecodecs")
    except ModuleNotFoundError as missing:
        raise ValueError(
            f"a PNG of 16 bits per colour needs the package imagecodecs; pip install "
            f"imagecodecs, or save it as TIFF; got {path}"
        ) from missing
    return np.asarray(codecs.png_decode(path.read_bytes()))


def open_image(
    path: str | os.PathLike[str], axes: str = "", *, level: int = 0, resolution: float = 0.0
) -> Image:
    """Open an image, pixels unread: ``open_image("stack.ome.tif").read(plane=(("Z", 3),))``.

    Parameters
    ----------
    path : str or path
    axes : str
        A letter of TCZYXS for each axis, where the file does not name them or is wrong;
        how nameless ones are guessed: :func:`bioimage_tasks.io.axes.named`.
    level : int
        Of an OME-Zarr: 0 the finest. Other formats have one.
    resolution : float
        In its place, micrometres: the coarsest level whose pixels are no larger, the finest
        where all are. 0.65 finds what a 10x objective would have seen.

    Returns
    -------
    Image
        With named axes and, where the file tells it, the size of a pixel. Of a TIFF,
        OME-Zarr or microscope's file only the planes asked for are decoded.

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        As :func:`read_image`; or ``axes`` does not fit.
    """
    source = existing("open_image", path)
    with naming("open_image", source):
        handle = _opened(source, level, resolution)
        if not {"Y", "X"} <= set(handle.axes) or min(handle.shape) < 1:
            raise ValueError(f"it has no pixels: axes {handle.axes} of {handle.shape}")
    if not axes:
        return handle
    if len(axes) != len(handle.shape) or len(set(axes)) < len(axes) or set(axes) - set("TCZYXS"):
        raise ValueError(
            f"open_image: axes must be one letter of TCZYXS for each of the "
            f"{len(handle.shape)} axes {handle.shape}; got {axes!r} for {source}"
        )
    return replace(handle, axes=axes)


def _opened(source: Path, level: int, resolution: float) -> Image:
    if is_zarr(source):
        from bioimage_tasks.io.zarrs import open_zarr

        return open_zarr(source, level, resolution)
    handle = _of_one_level(source)
    if level or resolution:
        only = Level(handle.shape, handle.pixel_size)
        choose("open_image", source, (only,), level, resolution)
    return handle


def _of_one_level(source: Path) -> Image:
    if is_tiff(source):
        from bioimage_tasks.io.tiff import open_tiff

        return open_tiff(source)
    if is_vendor(source):
        from bioimage_tasks.io.vendor import open_vendor

        return open_vendor(source)
    return _open_pillow(source)


def _open_pillow(source: Path) -> Image:
    from PIL import Image as PillowImage

    with PillowImage.open(source, formats=PILLOW_FORMATS) as image:
        mode = "RGB" if image.mode == "P" else image.mode
        samples = len(PillowImage.new(mode, (1, 1)).getbands())
        shape = (image.height, image.width)
        dtype = np.asarray(PillowImage.new(mode, (1, 1))).dtype
    if mode == "I" or _is_deep_colour(source):
        dtype = np.dtype(np.uint16)

    def load(where: Selection) -> Array:
        from bioimage_tasks.io.tiff import chosen

        return chosen(read_image(source), where)

    if samples == 1:
        return Image(str(source), "YX", shape, dtype, load)
    return Image(str(source), "YXS", (*shape, samples), dtype, load)


def image_shape(path: str | os.PathLike[str]) -> tuple[int, ...]:
    """Return the shape of an image from its header, pixels unread.

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        As :func:`read_image`.
    """
    return open_image(path).shape


def plane_shape(
    path: str | os.PathLike[str], *, level: int = 0, resolution: float = 0.0
) -> tuple[int, int]:
    """Return (height, width) of an image, or one of its levels, in pixels from its header.

    Raises
    ------
    FileNotFoundError, ValueError, ModuleNotFoundError
        As :func:`read_image`.
    """
    sizes = open_image(path, level=level, resolution=resolution).sizes
    return sizes["Y"], sizes["X"]
