"""Boxes and points out of the files they are published in.

A csv or json file and the name of an image come in, coordinates in pixels go out.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_choice
from bioimage_tasks.datasets.annotations.files import load_json, table


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes around objects.

    Attributes
    ----------
    corners : numpy.ndarray of float64, shape (n, 4)
        Top, left, bottom, right in pixels, the last two exclusive.
    classes : tuple of str
        Class of each box; "" where none is given.
    """

    corners: npt.NDArray[np.float64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        """Return the number of boxes."""
        return len(self.classes)


KINDS = ("coco", "csv", "objects-json")


def read_boxes(path: str, kind: str = "csv", select: str = "", **how: Any) -> Boxes:
    """Read the boxes of one image: ``read_boxes("boxes.csv", select="a.jpg")``.

    Parameters
    ----------
    path : str
    kind : str
        "csv": a row per box; ``image`` (default "file"), ``category`` ("class") and
        ``corners`` (("ymin", "xmin", "ymax", "xmax")) name its columns. "coco": a COCO
        json. "objects-json": a list of images with ``objects``, as BBBC041 has it.
    select : str
        The image's name or path in the file; any path with that end will do.

    Returns
    -------
    Boxes
        In the order of the file; none when the image has none.

    Raises
    ------
    FileNotFoundError, ValueError
        The file is missing, damaged, or knows no such image (csv: has no such column).
    """
    check_choice("read_boxes", "kind", kind, KINDS)
    if kind == "csv":
        return _from_csv(path, select, **how)
    return _from_coco(path, select) if kind == "coco" else _from_objects(path, select)


def _from_csv(
    path: str,
    select: str,
    image: str = "file",
    category: str = "class",
    corners: tuple[str, str, str, str] = ("ymin", "xmin", "ymax", "xmax"),
) -> Boxes:
    rows = table(path, (image, *corners))
    mine = [row for row in rows if not select or _same(row[image], select)]
    numbers = [[float(row[name]) for name in corners] for row in mine]
    return _boxes(numbers, [row.get(category, "") for row in mine])


def _from_coco(path: str, select: str) -> Boxes:
    from bioimage_tasks.datasets.annotations.coco import entry

    _image, objects, names = entry(path, select)
    boxes = [found["bbox"] for found in objects]
    numbers = [[y, x, y + height, x + width] for x, y, width, height in boxes]
    return _boxes(numbers, [names.get(found.get("category_id"), "") for found in objects])


def _from_objects(path: str, select: str) -> Boxes:
    for image in load_json("read_boxes", path):
        if _same(str(image["image"]["pathname"]), select):
            found = image["objects"]
            corners = [box["bounding_box"] for box in found]
            numbers = [
                [b["minimum"]["r"], b["minimum"]["c"], b["maximum"]["r"], b["maximum"]["c"]]
                for b in corners
            ]
            return _boxes(numbers, [str(box.get("category", "")) for box in found])
    raise ValueError(f"read_boxes: the file must annotate {select!r}; got {path}, which does not")


def _same(name: str, select: str) -> bool:
    return name == select or Path(name).name == Path(select).name


def _boxes(numbers: list[list[float]], classes: list[str]) -> Boxes:
    return Boxes(np.array(numbers, dtype=np.float64).reshape(-1, 4), tuple(classes))


def read_points(
    path: str,
    select: str = "",
    *,
    image: str = "file",
    row: str = "y",
    column: str = "x",
) -> npt.NDArray[np.float64]:
    """Read the points of one image from a csv with a header: ``read_points("c.csv", "a")``.

    Parameters
    ----------
    path : str
    select : str
        The image's name; all rows otherwise.
    image, row, column : str
        Names of the columns.

    Returns
    -------
    numpy.ndarray of float64, shape (n, 2)
        (row, column) in pixels.

    Raises
    ------
    FileNotFoundError, ValueError
        The file is missing or lacks a column.
    """
    rows = table(path, (row, column, *((image,) if select else ())))
    mine = [each for each in rows if not select or _same(each[image], select)]
    points = [[float(each[row]), float(each[column])] for each in mine]
    return np.array(points, dtype=np.float64).reshape(-1, 2)
