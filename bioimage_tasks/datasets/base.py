"""References to images, and what a collection of them offers. No pixels are held here.

Paths come in, small frozen values go out that can be arguments of tasks: their identity
is the *content* of the file, the channel and the region, never path, group or name, so
that moving a folder or correcting a group recomputes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from bioimage_tasks.checks import Array, Labels, sequential
from bioimage_tasks.io import Region, image_shape, one_channel, read_image, read_labels

_Stamp = tuple[int, int, int, int]
#: Digests of files as this process last saw them: path -> (stat, digest).
_digests: dict[str, tuple[_Stamp, str]] = {}


def content_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, read again only when its stat changes.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    name = os.fspath(path)
    stamp = _stamp(name)
    known = _digests.get(name)
    if known is not None and known[0] == stamp:
        return known[1]
    with open(name, "rb") as file:  # noqa: PTH123 - file_digest wants a plain file
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _digests[name] = (stamp, digest)
    return digest


def _stamp(name: str) -> _Stamp:
    state = os.stat(name)  # noqa: PTH116 - called for every task: no Path is made
    return state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def _check_unchanged(path: str) -> None:
    """Raise when a file's content differs from what this process made keys of."""
    known = _digests.get(path)
    if known is not None and content_digest(path) != known[1]:
        _digests[path] = known  # a retry must fail too: its key names the old content
        raise ValueError(
            f"an input file must not change while the tasks made from it run; start again "
            f"so that they get new keys; got other content in {path}"
        )


def _cut(array: Array, region: Region | None) -> Array:
    if region is None:
        return array
    top, left, bottom, right = region
    height, width = array.shape[:2]
    if not (0 <= top < bottom <= height and 0 <= left < right <= width):
        raise ValueError(
            f"region must be (top, left, bottom, right) within {height} x {width} pixels; "
            f"got {region}"
        )
    return array[top:bottom, left:right]


@dataclass(frozen=True, slots=True)
class LabelsRef:
    """Labels in a file: ``LabelsRef("labels/dna-00.png").read()``.

    Attributes
    ----------
    path : str
    region : tuple of int, optional
        (top, left, bottom, right) in pixels, the last two exclusive; the whole otherwise.
    """

    path: str
    region: Region | None = None

    def __taskgraph_hash__(self) -> tuple[str, str, Region | None]:
        """Return what these labels are, wherever they lie."""
        return "labels", content_digest(self.path), self.region

    def read(self) -> Labels:
        """Return sequential int32 labels of shape (height, width).

        Raises
        ------
        FileNotFoundError, ValueError
            Missing, unreadable, changed since its key was made, or the region is outside.
        """
        _check_unchanged(self.path)
        labels = read_labels(self.path)
        return labels if self.region is None else sequential(_cut(labels, self.region))


@dataclass(frozen=True, slots=True)
class ImageRef:
    """One channel of an image in a file: ``ImageRef("images/dna-00.png").read()``.

    Attributes
    ----------
    path : str
    labels_path : str, optional
        Gold standard of the same size.
    group : str
        What cross-validation must not split: slide, patient, plate, day.
    name : str
        How tables and overlays call it; by default the file's stem.
    channel : int, optional
        Needed when the file has several channels that differ.
    region : tuple of int, optional
        (top, left, bottom, right) in pixels, the last two exclusive; the whole otherwise.
    """

    path: str
    labels_path: str | None = None
    group: str = ""
    name: str = ""
    channel: int | None = None
    region: Region | None = None

    def __post_init__(self) -> None:
        if not self.name:
            stem = os.path.splitext(os.path.basename(self.path))[0]  # noqa: PTH119, PTH122
            object.__setattr__(self, "name", stem)

    def __taskgraph_hash__(self) -> tuple[str, int | None, Region | None]:
        """Return what this image is, wherever it lies and whatever it is called."""
        return content_digest(self.path), self.channel, self.region

    @property
    def gold(self) -> LabelsRef | None:
        """The gold standard of the same region, or ``None``."""
        return None if self.labels_path is None else LabelsRef(self.labels_path, self.region)

    def read(self) -> Array:
        """Return the pixels, shape (height, width), native dtype.

        Raises
        ------
        FileNotFoundError, ValueError
            Missing, unreadable, changed since its key was made, several channels and none
            chosen, or the region is outside.
        """
        _check_unchanged(self.path)
        return _cut(one_channel(read_image(self.path), self.channel, self.path), self.region)

    def shape(self) -> tuple[int, int]:
        """Return (height, width) from the file's header and the region."""
        if self.region is not None:
            top, left, bottom, right = self.region
            return bottom - top, right - left
        shape = image_shape(self.path)
        if len(shape) == 3 and shape[-1] > 4:  # channels first, as TIFF has it
            return shape[1], shape[2]
        return shape[0], shape[1]


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
