"""References to annotations that are no label images: boxes and points.

A path and the name of a form come in, a small frozen value goes out that can be an
argument of a task. Reading it gives coordinates in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.datasets.boxes import Boxes, read_boxes, read_points
from bioimage_tasks.datasets.digests import check_unchanged, content_digest


@dataclass(frozen=True, slots=True)
class BoxesRef:
    """Boxes in a file: ``BoxesRef("boxes.csv", kind="csv", select="a.png").read()``.

    Attributes
    ----------
    path : str
    kind : str
        "csv", "coco" or "objects-json" (BBBC041): see :mod:`bioimage_tasks.datasets.boxes`.
    select : str
        Which image of the file.
    how : tuple of (str, value)
        Parameters of the reader.
    """

    path: str
    kind: str = field(default="csv", kw_only=True)
    select: str = field(default="", kw_only=True)
    how: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True)

    def __taskgraph_hash__(self) -> tuple[Any, ...]:
        """Return what these boxes are, wherever they lie."""
        way = (self.kind, self.select, tuple(sorted(self.how)))
        return "boxes", content_digest(self.path), *way

    def read(self) -> Boxes:
        """Return the boxes in the order of the file.

        Raises
        ------
        FileNotFoundError, ValueError
            Missing, damaged or changed since its key was made.
        """
        check_unchanged(self.path)
        return read_boxes(self.path, self.kind, self.select, **dict(self.how))


@dataclass(frozen=True, slots=True)
class PointsRef:
    """Points in a csv file: ``PointsRef("centres.csv", select="A01").read()``.

    Attributes
    ----------
    path : str
    select : str
        Which image of the file; all rows otherwise.
    how : tuple of (str, value)
        Parameters of :func:`bioimage_tasks.datasets.boxes.read_points`.
    """

    path: str
    select: str = field(default="", kw_only=True)
    how: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True)

    def __taskgraph_hash__(self) -> tuple[Any, ...]:
        """Return what these points are, wherever they lie."""
        return "points", content_digest(self.path), self.select, tuple(sorted(self.how))

    def read(self) -> npt.NDArray[np.float64]:
        """Return (row, column) of each point in pixels, shape (n, 2).

        Raises
        ------
        FileNotFoundError, ValueError
            Missing, damaged or changed since its key was made.
        """
        check_unchanged(self.path)
        return read_points(self.path, self.select, **dict(self.how))
