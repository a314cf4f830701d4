"""References to labels in whatever form they were published.

Paths and the name of a form come in, a small frozen value goes out that can be an argument
of a task: its identity is the content of the files and the way they are read. No pixels
are held here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bioimage_tasks.checks import Array, Labels, sequential
from bioimage_tasks.datasets.digests import check_unchanged, content_digest
from bioimage_tasks.io import Region, open_image
from bioimage_tasks.io.names import slices


def cut(array: Array, region: Region | None) -> Array:
    """Return a region (top, left, bottom, right) of the first two axes.

    Raises
    ------
    ValueError
        The region is empty or outside.
    """
    if region is None:
        return array
    return array[slices(region, *array.shape[:2])]


@dataclass(frozen=True, slots=True)
class LabelsRef:
    """Labels in a file: ``LabelsRef("labels/dna-00.png").read()``.

    Attributes
    ----------
    path : str
    region : tuple of int, optional
        (top, left, bottom, right) in pixels, the last two exclusive; the whole otherwise.
    kind : str
        Form of the annotation, one of :func:`bioimage_tasks.datasets.annotations.kinds`.
    paths : tuple of str
        All files, where each object has its own, in the order of the object numbers.
    select : str
        Which image of a file that annotates several.
    like : str
        An image of the same size, for forms that don't say how large theirs is.
    how : tuple of (str, value)
        Parameters of the decoder: ``how=(("channel", 2), ("invert", True))``.
    plane : tuple of (str, int or str)
        Of labels of a volume: an index along Z or T, or "all", as the image has it.
    level, resolution : int, float
        Of labels in an OME-Zarr, as the image has it.
    """

    path: str
    region: Region | None = None
    kind: str = field(default="instances", kw_only=True)
    paths: tuple[str, ...] = field(default=(), kw_only=True)
    select: str = field(default="", kw_only=True)
    like: str = field(default="", kw_only=True)
    how: tuple[tuple[str, Any], ...] = field(default=(), kw_only=True)
    plane: tuple[tuple[str, int | str], ...] = field(default=(), kw_only=True)
    level: int = field(default=0, kw_only=True)
    resolution: float = field(default=0.0, kw_only=True)

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that the labels are made of."""
        return self.paths or (self.path,)

    def __taskgraph_hash__(self) -> tuple[Any, ...]:
        """Return what these labels are, wherever they lie."""
        digests = tuple(content_digest(path) for path in self.files)
        chosen = self.select or self.like or self.how or self.plane
        plain = self.kind == "instances" and not chosen
        level = (("level", self.level, self.resolution),) if self.level or self.resolution else ()
        if plain and len(digests) == 1:
            return "labels", digests[0], self.region, *level
        size = content_digest(self.like) if self.like else ""
        way = (self.kind, self.select, size, tuple(sorted(self.how)))
        return "labels", digests, self.region, *way, tuple(sorted(self.plane)), *level

    def read(self) -> Labels:
        """Return sequential int32 labels of shape ([planes,] height, width).

        Raises
        ------
        FileNotFoundError, ValueError
            Missing, unreadable, changed since its key was made, or region or plane are
            outside.
        """
        from bioimage_tasks.datasets.annotations import Source, decode

        for path in self.files:
            check_unchanged(path)
        source = Source(self.files, self.select, self.like, self.level, self.resolution)
        if (self.level or self.resolution) and self.kind != "instances":
            raise ValueError(
                f"LabelsRef: only label images in an OME-Zarr have levels; leave out level and "
                f"resolution; got level={self.level} and resolution={self.resolution} of kind "
                f"{self.kind!r}"
            )
        labels = decode(source, self.kind, **dict(self.how))
        if self.plane:
            labels = sequential(self._of_planes(labels))
        if self.region is None:
            return labels
        if labels.ndim == 2:
            return sequential(cut(labels, self.region))
        last = np.moveaxis(
            cut(np.moveaxis(labels, (-2, -1), (0, 1)), self.region), (0, 1), (-2, -1)
        )
        return sequential(last)

    def _of_planes(self, labels: Labels) -> Labels:
        """Take single planes of labels that have an axis for them."""
        axes = [axis for axis in open_image(self.path).axes if axis not in "CSYX"]
        if len(axes) != labels.ndim - 2:  # labels of a plane, of an image that is a stack
            return labels
        for axis, index in self.plane:
            if index == "all" or axis not in axes:
                continue
            place = axes.index(axis)
            if isinstance(index, str) or not 0 <= index < labels.shape[place]:
                raise ValueError(
                    f"LabelsRef: plane of labels is an index below {labels.shape[place]} or "
                    f"'all'; got {index!r} along {axis} of {self.path}"
                )
            labels = np.asarray(labels.take(index, axis=place))
            axes.remove(axis)
        return labels
