"""Anyone's data: a folder of images and, when there is one, a folder of labels.

Two folders come in, references go out. Files belong together when their stems are
equal; sorted order is never trusted. A missing partner is reported by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.pairing import check_partners, keyed
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.io import EVERY_SUFFIX

#: Forms of annotation that are no images; they don't say how large theirs is either.
_SUFFIXES = {"polygons-xml": (".xml",)}


@register
class FolderCollection(ImageCollection):
    """Images and labels paired by stem: ``FolderCollection("images", "labels").images()``.

    Parameters
    ----------
    images_folder : str or path
    labels_folder : str or path, optional
        Without it the images have no gold standard.
    channel : int, optional
        Channel of every image; ``channels`` is the general form.
    groups : mapping of str to str
        Group of a stem; those not named get "".
    kind : str
        Form of the annotations, one of :func:`bioimage_tasks.datasets.annotations.kinds`.
    options
        Those of :class:`~bioimage_tasks.datasets.collection.ImageCollection`.
    """

    name = "folder"
    licence = "the owner's"
    citation = "the owner's"
    layout = "IMAGES/<stem>.<suffix> and LABELS/<stem>.<suffix>; in one ROOT: images/ and labels/"

    def __init__(
        self,
        images_folder: str | os.PathLike[str],
        labels_folder: str | os.PathLike[str] | None = None,
        channel: int | None = None,
        groups: Mapping[str, str] | None = None,
        kind: str = "instances",
        **options: Any,
    ) -> None:
        if channel is not None:
            options.setdefault("channels", channel)
        super().__init__(images_folder, **options)
        self.labels_folder = None if labels_folder is None else Path(labels_folder)
        self.groups = dict(groups or {})
        self.kind = kind

    @classmethod
    def at(cls, root: str | os.PathLike[str], **options: Any) -> FolderCollection:
        """Return the images in a folder, or in its folder images with those in labels."""
        images, labels = Path(root, "images"), Path(root, "labels")
        if images.is_dir() and labels.is_dir():
            return cls(images, labels, **options)
        return cls(root, **options)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images sorted by stem.

        Raises
        ------
        FileNotFoundError
            A folder is missing or has no images, or an image or label has no partner.
        ValueError
            Two files of a folder share a stem.
        """
        images = files_by_stem(root)
        if self.labels_folder is None:
            labels: dict[str, str] = {}
        else:
            labels = files_by_stem(self.labels_folder, _SUFFIXES.get(self.kind, EVERY_SUFFIX))
            check_partners(images, labels)
        return [self._reference(stem, path, labels.get(stem)) for stem, path in images.items()]

    def _reference(self, stem: str, path: str, labels: str | None) -> ImageRef:
        group = self.groups.get(stem, "")
        if labels is None or self.kind == "instances":
            return ImageRef(path, labels, group, stem)
        gold = LabelsRef(labels, kind=self.kind, like=path if self.kind in _SUFFIXES else "")
        return ImageRef(path, None, group, stem, annotations=((self.kind, gold),))


def files_by_stem(folder: Path, suffixes: tuple[str, ...] = EVERY_SUFFIX) -> dict[str, str]:
    """Return stem -> path of the images in a folder, sorted; hidden files are passed over.

    Parameters
    ----------
    folder : Path
    suffixes : tuple of str
        In lower case; other files are passed over.

    Raises
    ------
    FileNotFoundError
        The folder is missing or has no images.
    ValueError
        Two files share a stem.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"a folder of images must exist; got {folder}")
    found = keyed(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    if not found:
        raise FileNotFoundError(
            f"a folder of images must hold files ending with {', '.join(suffixes)}; got {folder}"
        )
    return found
