"""OME-Zarr, versions 0.4 and 0.5, by zarr 3: multiscale images in a folder of chunks.

A path comes in, an :class:`Image` goes out whose reads touch only the chunks they need; or
an array comes in and a folder goes out. zarr is an extra.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.io.image import Image, Selection
from bioimage_tasks.io.pixelsize import micrometres

#: Edge of a chunk in pixels, of the last two axes.
CHUNK = 512


def _zarr() -> ModuleType:
    try:
        import zarr
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "OME-Zarr needs zarr 3; pip install 'bioimage-taskgraph[zarr]'"
        ) from missing
    found: ModuleType = zarr
    return found


def open_zarr(path: Path, level: int = 0) -> Image:
    """Open a level of an OME-Zarr image, pixels unread.

    Parameters
    ----------
    path : Path
        The folder.
    level : int
        0 is the full resolution.

    Raises
    ------
    ModuleNotFoundError
        zarr is not installed.
    ValueError
        The folder is no OME-Zarr image, or has no such level.
    """
    zarr = _zarr()
    try:
        group = zarr.open_group(str(path), mode="r")
        attributes = dict(group.attrs)
        scales = attributes.get("ome", attributes)["multiscales"][0]
        levels = scales["datasets"]
        entry = levels[level]
        array = group[entry["path"]]
    except (KeyError, IndexError, TypeError, ValueError, FileNotFoundError) as trouble:
        raise ValueError(
            f"open_image: the folder must be an OME-Zarr image (0.4 or 0.5) with level {level}; "
            f"got {path}: {trouble!r}"
        ) from trouble
    axes, sizes = _axes(scales, entry, array.ndim)

    def load(where: Selection) -> Array:
        exact = tuple(e if isinstance(e, slice) else list(e) for e in where)
        return np.asarray(array.oindex[exact])

    return Image(str(path), axes, tuple(array.shape), np.dtype(array.dtype), load, sizes)


def _axes(scales: Any, entry: Any, rank: int) -> tuple[str, dict[str, float]]:
    """Return the letters and the sizes in micrometres."""
    names = scales.get("axes") or [{"name": each} for each in "tczyx"[-rank:]]
    named = [each if isinstance(each, dict) else {"name": each} for each in names]
    letters = "".join(str(each["name"]).upper() for each in named)
    sizes: dict[str, float] = {}
    for step in [*entry.get("coordinateTransformations", [])]:
        for axis, scale in zip(named, step.get("scale", []), strict=False):
            size = micrometres(scale, str(axis.get("unit", "")))
            if size:
                sizes[str(axis["name"]).upper()] = size
    return letters, sizes


def write_zarr(
    draft: Path, image: Array, axes: str, pixel_size: dict[str, float], version: str = "0.5"
) -> None:
    """Write one level as OME-Zarr.

    Parameters
    ----------
    draft : Path
        The folder to make.
    image : numpy.ndarray
        2 to 5 axes.
    axes : str
        Letters of TCZYX in that order.
    pixel_size : dict of str to float
        Micrometres by axis; an axis without gets scale 1 and no unit.
    version : str
        "0.5" (zarr 3 on disk) or "0.4" (zarr 2).

    Raises
    ------
    ModuleNotFoundError
        zarr is not installed.
    ValueError
        The axes are not TCZYX in that order, or the version is another.
    """
    zarr = _zarr()
    if axes != "".join(axis for axis in "TCZYX" if axis in axes) or not axes.endswith("YX"):
        raise ValueError(f"write_image: axes of an OME-Zarr are of TCZYX in order; got {axes!r}")
    if version not in ("0.4", "0.5"):
        raise ValueError(f"write_image: the version of OME-Zarr is 0.4 or 0.5; got {version!r}")
    group = zarr.open_group(str(draft), mode="w", zarr_format=3 if version == "0.5" else 2)
    chunks = tuple(
        min(size, CHUNK) if axis in "YX" else 1
        for axis, size in zip(axes, image.shape, strict=True)
    )
    keys = {} if version == "0.5" else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    array = group.create_array("0", shape=image.shape, dtype=image.dtype, chunks=chunks, **keys)
    array[...] = image
    scales = {"axes": [_axis(each, pixel_size) for each in axes], "datasets": [
        {"path": "0", "coordinateTransformations": [
            {"type": "scale", "scale": [pixel_size.get(each, 1.0) for each in axes]}]}]}  # fmt: skip
    if version == "0.5":
        group.attrs["ome"] = {"version": version, "multiscales": [scales]}
    else:
        group.attrs["multiscales"] = [{"version": version, **scales}]


def _axis(letter: str, pixel_size: dict[str, float]) -> dict[str, str]:
    kind = {"T": "time", "C": "channel"}.get(letter, "space")
    unit = {"unit": "micrometer"} if letter in pixel_size else {}
    return {"name": letter.lower(), "type": kind, **unit}
