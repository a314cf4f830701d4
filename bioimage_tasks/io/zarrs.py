"""OME-Zarr, versions 0.4 and 0.5, by zarr 3: images at several levels, in folders of chunks.

A path comes in, an :class:`Image` goes out whose reads touch only the chunks they need; or
an array comes in and a folder goes out, block by block. zarr is an extra.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.io import ngff, pyramid
from bioimage_tasks.io.image import Image, Selection
from bioimage_tasks.io.ngff import Multiscale, Scale

#: Folder of an image with its labels, by the specification.
LABELS = "labels"


def _zarr() -> ModuleType:
    try:
        import zarr
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "OME-Zarr needs zarr 3; pip install 'bioimage-taskgraph[zarr]'"
        ) from missing
    found: ModuleType = zarr
    return found


@contextmanager
def _group(path: Path) -> Iterator[tuple[Any, Multiscale]]:
    """Open an image's group and what it says of itself; errors name the path."""
    zarr = _zarr()
    try:
        group = zarr.open_group(str(path), mode="r")
        yield group, ngff.parse(dict(group.attrs))
    except (KeyError, ValueError, FileNotFoundError) as trouble:
        if str(trouble).startswith("open_image: "):
            raise
        raise ValueError(
            f"open_image: the folder must be an OME-Zarr image (0.4 or 0.5); got {path}: {trouble}"
        ) from trouble


def open_zarr(path: Path, level: int = 0, resolution: float = 0.0) -> Image:
    """Open a level of an OME-Zarr image, pixels unread.

    Parameters
    ----------
    path : Path
        The folder; labels lie in its folder ``labels``.
    level : int
        0 is the full resolution.
    resolution : float
        Micrometres: the coarsest level whose pixels are no larger.

    Raises
    ------
    ModuleNotFoundError
        zarr is not installed.
    ValueError
        The folder is no OME-Zarr image, or has no such level.
    """
    with _group(path) as (group, image):
        arrays = [group[each.path] for each in image.scales]
        for array in arrays:
            if array.ndim != len(image.axes):
                raise ValueError(f"an array must have the axes {image.axes}; got {array.shape}")
        levels = tuple(image.level(n, array.shape) for n, array in enumerate(arrays))
        chosen = pyramid.choose("open_image", path, levels, level, resolution)
    array, own = arrays[chosen], levels[chosen]

    def load(where: Selection) -> Array:
        exact = tuple(e if isinstance(e, slice) else list(e) for e in where)
        return np.asarray(array.oindex[exact])

    dtype = np.dtype(array.dtype)
    return Image(str(path), image.axes, own.shape, dtype, load, own.pixel_size, chosen, levels)


def write_zarr(
    draft: Path,
    image: Array,
    axes: str,
    pixel_size: dict[str, float],
    version: str = "0.5",
    *,
    levels: int = 0,
    labels: bool = False,
    name: str = "",
) -> None:
    """Write an image as OME-Zarr, level by level.

    Parameters
    ----------
    draft : Path
        The folder to make.
    image : numpy.ndarray
        2 to 5 axes. A mapped one is read block by block.
    axes : str
        Letters of TCZYX in that order.
    pixel_size : dict of str to float
        Micrometres by axis; an axis without gets no unit, and scale 1 at the first level.
    version : str
        "0.5" (zarr 3 on disk) or "0.4" (zarr 2).
    levels : int
        See :func:`bioimage_tasks.io.pyramid.halvings`.
    labels : bool
        Whether levels take the nearest pixel, not the mean.
    name : str
        Of the image, in its attributes.

    Raises
    ------
    ModuleNotFoundError
        zarr is not installed.
    ValueError
        The axes are not TCZYX in that order, or version or levels are others.
    """
    if axes != "".join(axis for axis in "TCZYX" if axis in axes) or not axes.endswith("YX"):
        raise ValueError(f"write_image: axes of an OME-Zarr are of TCZYX in order; got {axes!r}")
    if version not in ngff.VERSIONS:
        raise ValueError(f"write_image: the version of OME-Zarr is 0.4 or 0.5; got {version!r}")
    factors = pyramid.halvings(image.shape, axes, pixel_size, levels)
    scales = [_scale(number, own, axes, pixel_size) for number, own in enumerate(factors)]
    units = tuple("micrometer" if axis in pixel_size else "" for axis in axes)
    what = Multiscale(axes, units, tuple(scales))
    shapes = [pyramid.shape_of(image.shape, own) for own in factors]
    group, arrays = _made(draft, what, shapes, image.dtype, version)
    _fill_first(arrays[0], image)
    if labels:
        _fill_nearest(arrays, what)
    else:
        for coarse, fine, own, last in zip(
            arrays[1:], arrays[:-1], factors[1:], factors[:-1], strict=True
        ):
            _fill_means(coarse, fine, pyramid.apart(own, last))
    way = "nearest" if labels else "mean"
    group.attrs.update(ngff.describe(what, version, name=name or "image", way=way))


def _scale(number: int, factors: pyramid.Factors, axes: str, pixel_size: dict[str, float]) -> Scale:
    sizes = [pixel_size.get(axis, 1.0) for axis in axes]
    return Scale(
        str(number),
        tuple(size * factor for size, factor in zip(sizes, factors, strict=True)),
        tuple(size * (factor - 1) / 2 for size, factor in zip(sizes, factors, strict=True)),
    )


def _made(
    draft: Path, what: Multiscale, shapes: list[tuple[int, ...]], dtype: Any, version: str
) -> tuple[Any, list[Any]]:
    """Make the group and its empty arrays."""
    old = version == "0.4"
    group = _zarr().open_group(str(draft), mode="w", zarr_format=2 if old else 3)
    more: dict[str, Any] = {"dimension_names": [axis.lower() for axis in what.axes]}
    if old:
        more = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
    arrays = [
        group.create_array(
            each.path, shape=shape, dtype=dtype, chunks=pyramid.chunks_of(what.axes, shape), **more
        )
        for each, shape in zip(what.scales, shapes, strict=True)
    ]
    return group, arrays


def _fill_first(array: Any, image: Array) -> None:
    for block in pyramid.blocks(array.shape, array.chunks, 2 * array.dtype.itemsize):
        array[block] = image[block]


def _fill_means(coarse: Any, fine: Any, factors: pyramid.Factors) -> None:
    # Of each fine pixel the float64, and a second while they are added up.
    for block in pyramid.blocks(coarse.shape, coarse.chunks, 16 * prod(factors)):
        part = fine[pyramid.above(block, factors, fine.shape)]
        coarse[block] = pyramid.mean_of(np.asarray(part), factors)


def _fill_nearest(arrays: list[Any], what: Multiscale) -> None:
    first, size = what.scales[0], arrays[0].shape
    for array, own in zip(arrays[1:], what.scales[1:], strict=True):
        places = [
            pyramid.nearest(size[n], length, own.scale[n] / first.scale[n], shift / first.scale[n])
            for n, length in enumerate(array.shape)
            for shift in (own.shift[n] - first.shift[n],)
        ]
        for block in pyramid.blocks(array.shape, array.chunks, 2 * array.dtype.itemsize):
            array[block] = pyramid.picked(arrays[0], places, block)


# -- labels of an image ---------------------------------------------------------------


def label_names(path: Path) -> tuple[str, ...]:
    """Return the names of the labels that lie in an image.

    Raises
    ------
    ModuleNotFoundError
        zarr is not installed.
    """
    zarr = _zarr()
    if not any((path / LABELS / head).is_file() for head in (".zgroup", "zarr.json")):
        return ()
    found = dict(zarr.open_group(str(path / LABELS), mode="r").attrs)
    return tuple(found.get("ome", found).get("labels", ()))


def write_label_levels(draft: Path, image_path: Path, labels: Array, name: str) -> None:
    """Write labels as levels that fit those of their image pixel for pixel.

    Parameters
    ----------
    draft : Path
        The folder to make.
    image_path : Path
        The image's.
    labels : numpy.ndarray of int
        Of the image's shape without channels, and without axes of length 1.
    name : str

    Raises
    ------
    ModuleNotFoundError
        zarr is not installed.
    ValueError
        It is no image, or of another shape.
    """
    with _group(image_path) as (group, image):
        shapes = [tuple(group[each.path].shape) for each in image.scales]
    kept = [n for n, axis in enumerate(image.axes) if axis != "C"]
    while len(kept) > labels.ndim and shapes[0][kept[0]] == 1:
        kept.pop(0)
    whole = tuple(shapes[0][n] for n in kept)
    if labels.shape != whole:
        raise ValueError(
            f"write_labels: labels must have the shape of their image without channels, "
            f"{whole} for {image_path}; got {labels.shape}"
        )
    what = Multiscale(
        "".join(image.axes[n] for n in kept),
        tuple(image.units[n] for n in kept),
        tuple(
            Scale(str(number), *(tuple(values[n] for n in kept) for values in each[1:]))
            for number, each in enumerate(image.scales)
        ),
    )
    version = "0.4" if group.metadata.zarr_format == 2 else "0.5"
    own = [tuple(shape[n] for n in kept) for shape in shapes]
    made, arrays = _made(draft, what, own, labels.dtype, version)
    _fill_first(arrays[0], labels)
    _fill_nearest(arrays, what)
    made.attrs.update(ngff.describe(what, version, name=name, way="nearest", labels=True))


def list_labels(image_path: Path, name: str) -> None:
    """Put a name on the list of labels that an image has."""
    zarr = _zarr()
    old = zarr.open_group(str(image_path), mode="r").metadata.zarr_format == 2
    names = sorted({*label_names(image_path), name})
    group = zarr.open_group(str(image_path / LABELS), mode="a", zarr_format=2 if old else 3)
    group.attrs.update(ngff.in_version({"labels": names}, "0.4" if old else "0.5"))
