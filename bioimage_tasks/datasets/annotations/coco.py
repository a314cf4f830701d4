"""COCO json: polygons and run lengths of many images in one file.

A :class:`Source` whose ``select`` is the image's file name or number comes in, an integer
image goes out. ``pycocotools`` is not needed.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.annotations.files import parsed_json
from bioimage_tasks.datasets.annotations.overlap import paint
from bioimage_tasks.datasets.annotations.polygons import polygon_pixels
from bioimage_tasks.datasets.annotations.registry import Source, register

#: What the file says of one image: its record, its objects, names of categories.
Entry = tuple[dict[str, Any], list[dict[str, Any]], dict[Any, str]]


@register("coco")
def coco(source: Source) -> Array:
    """Objects of a COCO file, numbered in its order; overlaps as :func:`paint` has them.

    Parameters
    ----------
    source : Source
        A json file; ``select`` is the image's ``file_name`` (the end of the path will do)
        or ``id``.

    Raises
    ------
    ValueError
        The file knows no such image, or a segmentation is neither polygons nor runs.
    """
    image, objects, _names = entry(source.path, source.select)
    shape = (int(image["height"]), int(image["width"]))
    return paint(shape, [_pixels(found["segmentation"], shape, source) for found in objects])


def entry(path: str, select: str) -> Entry:
    """Return what a COCO file says of one image.

    Raises
    ------
    FileNotFoundError, ValueError
        The file is missing, is not COCO, or knows no such image.
    """
    state = Path(path).stat()
    images, objects, names = _indexed(path, (state.st_mtime_ns, state.st_size))
    image = images.get(select) or images.get(Path(select).name)
    if image is None:
        raise ValueError(f"coco: the file must annotate {select!r}; got {path}, which does not")
    return image, objects.get(image["id"], []), names


@lru_cache(maxsize=2)
def _indexed(path: str, _known: tuple[int, int]) -> tuple[dict[str, Any], dict[Any, Any], Any]:
    whole = parsed_json("coco", path, _compact)
    if not isinstance(whole, dict) or not {"images", "annotations"} <= set(whole):
        raise ValueError(f"coco: the json must have 'images' and 'annotations'; got {path}")
    images: dict[str, Any] = {str(image["id"]): image for image in whole["images"]}
    for image in whole["images"]:
        images[Path(image["file_name"]).name] = images[image["file_name"]] = image
    objects: dict[Any, list[Any]] = {}
    found = whole["annotations"]
    # LIVECell writes a mapping from number to annotation where COCO has a list.
    for each in found.values() if isinstance(found, dict) else found:
        objects.setdefault(each["image_id"], []).append(each)
    names = {each["id"]: str(each["name"]) for each in whole.get("categories", [])}
    return images, objects, names


def _compact(found: dict[str, Any]) -> dict[str, Any]:
    """Keep corners as arrays: files with a million cells would fill the memory with floats."""
    parts = found.get("segmentation")
    if isinstance(parts, list):
        found["segmentation"] = [np.asarray(part, dtype=np.float64) for part in parts]
    return found


def _pixels(segmentation: Any, shape: tuple[int, int], source: Source) -> tuple[Array, Array]:
    if isinstance(segmentation, list):
        outlines = [part.reshape(-1, 2)[:, ::-1] for part in segmentation]
        return polygon_pixels(outlines, shape)
    if isinstance(segmentation, dict) and "counts" in segmentation:
        counts = segmentation["counts"]
        return _run_pixels(_unpacked(counts) if isinstance(counts, str) else counts, shape, source)
    raise ValueError(
        f"coco: a segmentation must be polygons or runs with 'counts'; got "
        f"{type(segmentation).__name__} for {source.select} in {source.path}"
    )


def _run_pixels(counts: list[int], shape: tuple[int, int], source: Source) -> tuple[Array, Array]:
    """Return the pixels of runs off, on, off... down the columns."""
    area = shape[0] * shape[1]
    if sum(counts) != area or min(counts, default=0) < 0:
        raise ValueError(
            f"coco: runs must add up to the {area} pixels of the image; got {sum(counts)} "
            f"for {source.select} in {source.path}"
        )
    on = np.arange(len(counts)) % 2 == 1
    flat = np.nonzero(np.repeat(on, counts))[0]
    return flat % shape[0], flat // shape[0]


def _unpacked(text: str) -> list[int]:
    """Return the counts of COCO's compressed string.

    Each number is written in groups of 5 bits, lowest first, in characters from "0"; bit 6
    says that more follow. From the fourth on it is the difference to the second last.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        bits = ord(character) - 48
        number |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            number -= 1 << shift
        counts.append(number + (counts[-2] if len(counts) > 2 else 0))
        number, shift = 0, 0
    return counts
