"""TIFF and OME-TIFF: axes, size of a pixel, single pages, and single tiles of large pages.

A path comes in, an :class:`Image` or an array goes out. LZW is decoded by Pillow where
imagecodecs is not installed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from math import prod
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.io.axes import named
from bioimage_tasks.io.image import Image, Selection
from bioimage_tasks.io.pixelsize import of_tiff

#: What tifffile says when a compression needs a package that is not there.
_NEEDS = "requires the 'imagecodecs' package"
#: What tifffile logs of a file that ends too early.
_CUT = ("invalid page offset", "failed to reshape", "corrupt")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a TIFF; one that was cut off raises, where tifffile reads what is left."""
    from tifffile import TiffFile, logger

    trouble: list[str] = []

    def note(record: logging.LogRecord) -> bool:
        if record.thread != get_ident() or record.levelno < logging.WARNING:
            return True
        trouble.append(record.getMessage())
        return record.levelno < logging.ERROR

    logger().addFilter(note)
    try:
        with TiffFile(path) as tiff:
            _check_whole(tiff, trouble)
            yield tiff
            _check_whole(tiff, trouble)
    finally:
        logger().removeFilter(note)


def _check_whole(tiff: Any, trouble: list[str]) -> None:
    series = tiff.series[0] if len(tiff.series) else None
    cut = [each for each in trouble if any(sign in each for sign in _CUT)]
    if series is None or cut or any(page is None for page in series.pages):
        raise ValueError(f"it is cut off: {'; '.join(cut) or 'pages are missing'}")


def read_tiff(path: Path) -> Array:
    """Read a TIFF's first series whole, native dtype and order of axes.

    Raises
    ------
    ValueError
        The file is damaged, or compressed in a way that needs imagecodecs.
    """
    with _opened(path) as tiff:
        try:
            return np.asarray(tiff.asarray())
        except (ValueError, ModuleNotFoundError) as trouble:
            if not _lacks_codec(trouble):
                raise
            series = tiff.series[0]
            pages = [_by_pillow(path, page, trouble) for page in series.pages]
            return np.stack(pages).reshape(series.shape)


def open_tiff(path: Path) -> Image:
    """Open a TIFF's first series, pixels unread.

    Raises
    ------
    ValueError
        The file is no TIFF.
    """
    with _opened(path) as tiff:
        series = tiff.series[0]
        shape = tuple(int(size) for size in series.shape)
        axes = named(str(series.axes), shape, path)
        size = of_tiff(tiff)
        dtype = np.dtype(series.dtype)

    def load(where: Selection) -> Array:
        return _load(path, where)

    return Image(str(path), axes, shape, dtype, load, size)


def _load(path: Path, where: Selection) -> Array:
    """Read the pages, and of large pages the tiles, that a selection needs."""
    with _opened(path) as tiff:
        series = tiff.series[0]
        inner = series.pages[0].shape if len(series.pages) else ()
        outer = len(series.shape) - len(inner)
        per_page = outer >= 0 and tuple(series.shape[outer:]) == tuple(inner)
        if not per_page or len(series.pages) != prod(series.shape[:outer]):
            return chosen(read_tiff(path), where)
        counts = series.shape[:outer]
        indices = [
            range(size)[entry] if isinstance(entry, slice) else entry
            for entry, size in zip(where[:outer], counts, strict=True)
        ]
        flat = [int(np.ravel_multi_index(at, counts)) if counts else 0 for at in product(*indices)]
        pages = [_page(path, tiff, series.pages[index], where[outer:]) for index in flat]
        return np.stack(pages).reshape(*map(len, indices), *pages[0].shape)


def _page(path: Path, tiff: Any, page: Any, where: Selection) -> Array:
    whole = page.aspage() if hasattr(page, "aspage") else page
    try:
        if whole.is_tiled and whole.axes in ("YX", "YXS"):
            return _tiles(tiff, whole, where)
        return chosen(np.asarray(page.asarray()), where)
    except (ValueError, ModuleNotFoundError) as trouble:
        if not _lacks_codec(trouble):
            raise
        return chosen(_by_pillow(path, page, trouble), where)


def _tiles(tiff: Any, page: Any, where: Selection) -> Array:
    """Decode only the tiles that a region touches."""
    rows, columns = (
        range(size)[entry] if isinstance(entry, slice) else range(0)
        for size, entry in zip(page.shape[:2], where[:2], strict=True)
    )
    out = np.zeros((len(rows), len(columns), *page.shape[2:]), page.dtype)
    down, across = page.tilelength, page.tilewidth
    per_row = -(-page.imagewidth // across)
    for row in range(rows[0] // down, rows[-1] // down + 1):
        for column in range(columns[0] // across, columns[-1] // across + 1):
            index = row * per_row + column
            if page.databytecounts[index] == 0:  # a sparse file: the tile is empty
                continue
            handle = tiff.filehandle
            handle.seek(page.dataoffsets[index])
            data = handle.read(page.databytecounts[index])
            tile = page.decode(data, index, jpegtables=page.jpegtables)[0]
            tile = tile[0] if page.samplesperpixel > 1 else tile[0, ..., 0]
            _place(out, tile, row * down - rows[0], column * across - columns[0])
    return chosen(out, (slice(None), slice(None), *where[2:]))


def _place(out: Array, tile: Array, top: int, left: int) -> None:
    """Copy what of a tile lies inside ``out``; its corner may lie outside."""
    above, before = max(0, -top), max(0, -left)
    inside = tile[above : out.shape[0] - top, before : out.shape[1] - left]
    at = out[top + above : top + above + inside.shape[0], left + before :]
    at[:, : inside.shape[1]] = inside


def chosen(array: Array, where: Selection) -> Array:
    """Return a selection of an array in memory, all axes kept."""
    for axis, entry in enumerate(where):
        if isinstance(entry, slice):
            array = array[(slice(None),) * axis + (entry,)]
        else:
            array = array.take(entry, axis=axis)
    return array


def _lacks_codec(trouble: Exception) -> bool:
    """Whether decoding failed for want of a package; of zstd that is a missing module."""
    return isinstance(trouble, ModuleNotFoundError) or _NEEDS in str(trouble)


def _by_pillow(path: Path, page: Any, trouble: Exception) -> Array:
    """Read one page through Pillow's libtiff: LZW needs no further package there."""
    from PIL import Image as PillowImage

    try:
        with PillowImage.open(path, formats=("TIFF",)) as image:
            image.seek(page.index)
            pixels = np.asarray(image)
    except (OSError, EOFError, SyntaxError) as other:
        raise _needs_package(path, trouble) from other
    if pixels.shape != page.shape or pixels.dtype != page.dtype:
        raise _needs_package(path, trouble)
    return pixels


def _needs_package(path: Path, trouble: Exception) -> ValueError:
    return ValueError(
        f"the compression of {path} needs the package imagecodecs; pip install imagecodecs; "
        f"got {trouble}"
    )
