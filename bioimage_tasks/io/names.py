"""Which file names stand for which format, and the first look at a path.

A path comes in, a checked path goes out. Must not open a file.
"""

from __future__ import annotations

import os
from pathlib import Path

PILLOW_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".dib")
#: What may lie behind those suffixes: a PNG called .jpg is read, a TIFF so called is not.
PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "DIB")
TIFF_SUFFIXES = (".tif", ".tiff")
#: OME-Zarr images are folders.
ZARR_SUFFIXES = (".zarr",)
#: Read through bioio, when it and the reader for the format are installed.
VENDOR_SUFFIXES = (".czi", ".dv", ".ims", ".lif", ".nd2", ".oib", ".oif", ".oir", ".sld", ".vsi")
SUFFIXES = PILLOW_SUFFIXES + TIFF_SUFFIXES
EVERY_SUFFIX = SUFFIXES + ZARR_SUFFIXES + VENDOR_SUFFIXES

#: Region of an image: top, left, bottom, right in pixels, the last two exclusive.
Region = tuple[int, int, int, int]


def slices(region: Region | None, height: int, width: int) -> tuple[slice, slice]:
    """Return rows and columns of a region, of the whole image without one.

    Raises
    ------
    ValueError
        The region is empty or reaches outside.
    """
    top, left, bottom, right = region or (0, 0, height, width)
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(
            f"region must be (top, left, bottom, right) within {height} x {width} pixels; "
            f"got {region}"
        )
    return slice(top, bottom), slice(left, right)


def existing(function: str, path: str | os.PathLike[str]) -> Path:
    """Return the path of an image.

    Raises
    ------
    ValueError
        The suffix is unknown.
    FileNotFoundError
        There is no such file.
    """
    source = Path(path)
    if source.suffix.lower() not in EVERY_SUFFIX and not is_zarr(source):
        raise ValueError(
            f"{function}: the file name must end with one of {', '.join(EVERY_SUFFIX)}; "
            f"got {source}"
        )
    if not (source.is_file() or (is_zarr(source) and source.is_dir())):
        raise FileNotFoundError(f"{function}: no such file: {source}")
    return source


def is_tiff(path: Path) -> bool:
    """Whether the suffix is TIFF's."""
    return path.suffix.lower() in TIFF_SUFFIXES


def is_zarr(path: Path) -> bool:
    """Whether the suffix is OME-Zarr's, or it is a group in one: ``a.zarr/labels/nuclei``."""
    if path.suffix.lower() in EVERY_SUFFIX:
        return path.suffix.lower() in ZARR_SUFFIXES
    return any(part.lower().endswith(ZARR_SUFFIXES) for part in path.parts[:-1])


def is_vendor(path: Path) -> bool:
    """Whether the suffix is one that bioio reads."""
    return path.suffix.lower() in VENDOR_SUFFIXES
