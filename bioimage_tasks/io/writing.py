"""Images out, whole or not at all.

An array and a path come in, a file without loss goes out.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.io.names import TIFF_SUFFIXES, is_tiff, is_zarr

LOSSY = (".jpg", ".jpeg")


def write_image(
    path: str | os.PathLike[str],
    image: npt.NDArray[Any],
    *,
    axes: str = "",
    pixel_size: Mapping[str, float] | None = None,
    lossy: bool = False,
    levels: int = 0,
) -> None:
    """Write an image whole or not at all: ``write_image("overlay.png", rgb)``.

    Parameters
    ----------
    path : str or path
        Ends with ``.png``, ``.bmp``, ``.dib``, ``.tif``/``.tiff``, ``.ome.tif`` or
        ``.zarr``; missing folders are made.
    image : numpy.ndarray
        PNG: uint8 or bool of shape (height, width[, 3 or 4]), or uint16 (height, width).
        TIFF: any dtype and shape, compressed without loss. OME-Zarr: 2 to 5 axes.
    axes : str
        A letter of TCZYXS for each axis, kept by TIFF, OME-TIFF and OME-Zarr.
    pixel_size : mapping of str to float, optional
        Micrometres along Z, Y and X, kept by TIFF (Y and X), OME-TIFF and OME-Zarr.
    lossy : bool
        Allow ``.jpg``, which loses detail.
    levels : int
        Of an OME-Zarr: how many resolutions, each half of the one before (means of 2 x 2
        pixels, of planes too where they are as close). 0: until a plane is at most 512 wide
        and high. Other formats have one.

    Raises
    ------
    ValueError
        The suffix can't hold images of this dtype and shape, or axes or levels don't fit.
    ModuleNotFoundError
        zarr is needed and not installed.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    fitting = (".png", ".bmp", ".dib", ".zarr", *TIFF_SUFFIXES, *(LOSSY if lossy else ()))
    if suffix not in fitting:
        raise ValueError(
            f"write_image: the file name must end with .png, .bmp, .dib, .tif or .zarr (JPEG "
            f"loses detail: lossy=True allows it); got {target}"
        )
    if axes and (len(axes) != image.ndim or len(set(axes)) < len(axes)):
        raise ValueError(
            f"write_image: axes must be one letter for each of the {image.ndim} axes; got {axes!r}"
        )
    if levels not in (0, 1) and not is_zarr(target):
        raise ValueError(
            f"write_image: only an OME-Zarr has several levels; write .zarr, or levels=1; "
            f"got levels={levels} for {target}"
        )
    size = dict(pixel_size or {})
    whole(target, lambda draft: _write(draft, target, image, axes, size, levels))


def whole(target: Path, write: Callable[[Path], None]) -> None:
    """Write a file or folder whole or not at all: ``write`` is given the path of a draft."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # Written beside and renamed: a reader, or a second worker, never meets half a file.
    draft = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix.lower()}")
    try:
        write(draft)
        if draft.is_dir():
            _replace_folder(draft, target)
        else:
            draft.replace(target)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        draft.unlink(missing_ok=True)


def _write(
    draft: Path, target: Path, image: Array, axes: str, size: dict[str, float], levels: int
) -> None:
    if is_zarr(target):
        from bioimage_tasks.io.zarrs import write_zarr

        letters = axes or "TCZYX"[-image.ndim :]
        write_zarr(draft, image, letters, size, levels=levels, name=target.stem)
    elif is_tiff(target):
        _write_tiff(draft, target, image, axes, size)
    else:
        _write_pillow(draft, target, image)


def _replace_folder(draft: Path, target: Path) -> None:
    """Put a folder in the place of another; a folder cannot be renamed onto a full one."""
    old = target.with_name(f"{draft.name}.old")
    if target.exists():
        target.replace(old)
    draft.replace(target)
    if old.exists():
        shutil.rmtree(old)


def _write_tiff(draft: Path, target: Path, image: Array, axes: str, size: dict[str, float]) -> None:
    from tifffile import imwrite

    colour = axes.endswith("S") if axes else image.ndim == 3 and image.shape[-1] in (3, 4)
    more: dict[str, Any] = {"metadata": {"axes": axes} if axes else {}}
    if target.name.lower().endswith((".ome.tif", ".ome.tiff")):
        for axis, micrometres in size.items():
            more["metadata"] |= {
                f"PhysicalSize{axis}": micrometres,
                f"PhysicalSize{axis}Unit": "µm",
            }
        more["ome"] = True
    elif {"Y", "X"} <= set(size):
        more |= {"resolution": (1e4 / size["X"], 1e4 / size["Y"]), "resolutionunit": "CENTIMETER"}
    photometric = "rgb" if colour else "minisblack"
    imwrite(draft, image, compression="zlib", photometric=photometric, **more)


def _write_pillow(draft: Path, target: Path, image: Array) -> None:
    from PIL import Image

    grey = image.ndim == 2 and image.dtype in (np.uint8, np.bool_, np.uint16)
    colour = image.ndim == 3 and image.shape[-1] in (3, 4) and image.dtype == np.uint8
    if not (grey or colour) or (target.suffix.lower() != ".png" and image.dtype == np.uint16):
        raise ValueError(
            f"write_image: {target.suffix} holds uint8 (grey, RGB, RGBA), bool or, as PNG, "
            f"uint16 (grey); convert or use .tif; got {image.dtype} {image.shape} for {target}"
        )
    Image.fromarray(image).save(draft)
