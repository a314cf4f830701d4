"""References to images, and what a collection of them offers. No pixels are held here.

Paths come in, small frozen values go out that can be arguments of tasks: their identity
is the *content* of the files and what is chosen of it (channel, plane, region), never
path, group, name or metadata, so that moving a folder or correcting a group recomputes
nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.digests import check_unchanged, content_digest
from bioimage_tasks.datasets.labels import LabelsRef
from bioimage_tasks.datasets.marks import BoxesRef, PointsRef
from bioimage_tasks.io import Region, open_image, plane_shape

__all__ = ["Collection", "ImageRef", "LabelsRef", "concatenate", "content_digest", "tiles"]

Annotation = LabelsRef | BoxesRef | PointsRef
#: How several channels become one: a name, or a weight for each.
Aggregate = str | tuple[float, ...]
#: What is taken of axes beyond Y and X: (("Z", 3), ("T", 0)); "all", "max" and "mean" too.
Plane = tuple[tuple[str, int | str], ...]


@dataclass(frozen=True, slots=True)
class ImageRef:
    """An image in a file, or in a file for each channel: ``ImageRef("dna-00.png").read()``.

    Attributes
    ----------
    path : str
        With ``channel_paths``, the first of them.
    labels_path : str, optional
        Gold standard of the same size: a label image.
    group : str
        What cross-validation must not split: slide, patient, plate, day.
    name : str
        How tables and overlays call it; by default the file's stem.
    channel : int or tuple of int, optional
        Needed when the file has several channels that differ. One gives (height, width),
        a tuple (height, width, channels) in that order.
    region : tuple of int, optional
        (top, left, bottom, right) in pixels, the last two exclusive; the whole otherwise.
    channel_paths : tuple of str
        One file per channel, where they are apart; all are stacked unless ``channel``
        chooses.
    picks : tuple of int
        The sample to take of each of ``channel_paths``, where those are RGB.
    plane : tuple of (str, int or str)
        What is taken of other axes: ``(("Z", 3),)``; "all" keeps the axis in front of the
        rows, "max" and "mean" project along it.
    level : int
        Of an OME-Zarr: which resolution, 0 the finest. ``region`` is in its pixels.
    resolution : float
        In the place of ``level``, micrometres: the coarsest whose pixels are no larger.
    aggregate : str or tuple of float
        How the chosen channels become one: "mean", "sum", "max", "luma" (0.299, 0.587,
        0.114) or a weight for each; "" leaves them.
    annotations : tuple of (str, LabelsRef or BoxesRef or PointsRef)
        Annotations by name, where there are several or their form is another.
    annotation : str
        Name of the one that :attr:`gold` is; by default ``labels_path``, or else the first
        that has labels.
    info : tuple of (str, value)
        What else is known: counts, class, magnification, pixel size. :meth:`about` looks up.
    """

    path: str
    labels_path: str | None = None
    group: str = ""
    name: str = ""
    channel: int | tuple[int, ...] | None = None
    region: Region | None = None
    channel_paths: tuple[str, ...] = field(default=(), kw_only=True)
    picks: tuple[int, ...] = field(default=(), kw_only=True)
    plane: Plane = field(default=(), kw_only=True)
    level: int = field(default=0, kw_only=True)
    resolution: float = field(default=0.0, kw_only=True)
    aggregate: Aggregate = field(default="", kw_only=True)
    annotations: tuple[tuple[str, Annotation], ...] = field(default=(), kw_only=True)
    annotation: str = field(default="", kw_only=True)
    info: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not self.name:
            stem = os.path.splitext(os.path.basename(self.path))[0]  # noqa: PTH119, PTH122
            object.__setattr__(self, "name", stem.removesuffix(".ome"))

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that the pixels come from."""
        return self.channel_paths or (self.path,)

    def __taskgraph_hash__(self) -> tuple[Any, ...]:
        """Return what this image is, wherever it lies and whatever it is called."""
        # The finest level leaves the key as it was before there were others.
        level = (("level", self.level, self.resolution),) if self.level or self.resolution else ()
        if not (self.channel_paths or self.plane or self.aggregate):
            return content_digest(self.path), self.channel, self.region, *level
        digests = tuple(content_digest(path) for path in self.files)
        chosen = (self.picks, tuple(sorted(self.plane)), self.aggregate)
        return digests, self.channel, self.region, *chosen, *level

    @property
    def gold(self) -> LabelsRef | None:
        """The gold standard of the same region and level, or ``None``."""
        if self.labels_path is not None and not self.annotation:
            return self._placed(LabelsRef(self.labels_path))
        for name, found in self.annotations:
            if isinstance(found, LabelsRef) and self.annotation in ("", name):
                return self._placed(found)
        return None

    def _placed(self, labels: LabelsRef) -> LabelsRef:
        """Return labels of what this image is of."""
        return replace(
            labels,
            region=self.region,
            plane=self.plane,
            level=self.level,
            resolution=self.resolution,
        )

    def marks(self, name: str) -> Annotation | None:
        """Return an annotation by its name, or ``None``: ``image.marks("boxes")``."""
        return dict(self.annotations).get(name)

    def about(self, key: str, otherwise: Any = None) -> Any:
        """Return what is known of the image: ``image.about("count")``."""
        return dict(self.info).get(key, otherwise)

    def read(self) -> Array:
        """Return the pixels, native dtype (aggregated: float32, or float64 where that is needed).

        Returns
        -------
        numpy.ndarray
            (height, width), or (height, width, channels); an axis kept whole by ``plane``
            stands in front.

        Raises
        ------
        FileNotFoundError, ValueError
            Missing, unreadable, changed since its key was made, several channels and none
            chosen, or the region is outside.
        """
        from bioimage_tasks.datasets.pixels import read

        for path in self.files:
            check_unchanged(path)
        return read(self)

    def shape(self) -> tuple[int, int]:
        """Return (height, width) from the file's header and the region."""
        if self.region is not None:
            top, left, bottom, right = self.region
            return bottom - top, right - left
        return plane_shape(self.path, level=self.level, resolution=self.resolution)

    def pixel_size(self) -> dict[str, float]:
        """Return micrometres a pixel by axis, as the file's header tells; what it doesn't is absent."""
        return open_image(self.path, level=self.level, resolution=self.resolution).pixel_size


def tiles(image: ImageRef, rows: int, columns: int) -> list[ImageRef]:
    """Cut an image into equal tiles: ``tiles(image, 2, 3)`` gives six references.

    Raises
    ------
    ValueError
        Fewer than one row or column, or more than pixels.
    """
    height, width = image.shape()
    if not (1 <= rows <= height and 1 <= columns <= width):
        raise ValueError(
            f"tiles: rows and columns must lie in 1..{height} and 1..{width}; "
            f"got {rows} and {columns}"
        )
    top, left = image.region[:2] if image.region else (0, 0)
    ys = [top + height * row // rows for row in range(rows + 1)]
    xs = [left + width * column // columns for column in range(columns + 1)]
    return [
        replace(
            image,
            region=(ys[row], xs[column], ys[row + 1], xs[column + 1]),
            name=f"{image.name}-{row}{column}",
        )
        for row in range(rows)
        for column in range(columns)
    ]


@runtime_checkable
class Collection(Protocol):
    """Images that belong together. Making one reads no pixels.

    Attributes
    ----------
    name, licence, citation : str
    layout : str
        What the folder must look like, for people.
    """

    name: str
    licence: str
    citation: str
    layout: str

    def images(self) -> list[ImageRef]:
        """Return references in a fixed order.

        Raises
        ------
        FileNotFoundError
            The folder is not laid out as it should be; names what is missing.
        """
        ...


def concatenate(collections: Iterable[Collection]) -> list[ImageRef]:
    """Return the images of several collections, one after the other."""
    return [image for collection in collections for image in collection.images()]
