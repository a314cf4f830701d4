"""Anyone's data: a folder of images and, when there is one, a folder of labels.

Two folders come in, references go out. Files belong together when their stems are
equal; sorted order is never trusted. A missing partner is reported by name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.io import SUFFIXES

#: This many missing partners are named in a message; the rest is counted.
NAMED = 5


@dataclass(frozen=True)
class FolderCollection:
    """Images and labels paired by stem: ``FolderCollection("images", "labels").images()``.

    Attributes
    ----------
    images_folder : str or path
    labels_folder : str or path, optional
        Without it the images have no gold standard.
    channel : int, optional
        Channel of every image.
    groups : mapping of str to str
        Group of a stem; those not named get "".
    """

    images_folder: str | os.PathLike[str]
    labels_folder: str | os.PathLike[str] | None = None
    channel: int | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    name: str = "folder"
    licence: str = "the owner's"
    citation: str = "the owner's"
    layout: str = "IMAGES/<stem>.<suffix> and LABELS/<stem>.<suffix>"

    def images(self) -> list[ImageRef]:
        """Return the images sorted by stem.

        Raises
        ------
        FileNotFoundError
            A folder is missing or has no images, or an image or label has no partner.
        ValueError
            Two files of a folder share a stem.
        """
        images = files_by_stem(Path(self.images_folder))
        if self.labels_folder is None:
            labels: dict[str, str] = {}
        else:
            labels = files_by_stem(Path(self.labels_folder))
            _check_partners(images, labels, Path(self.images_folder), Path(self.labels_folder))
        return [
            ImageRef(path, labels.get(stem), self.groups.get(stem, ""), stem, self.channel)
            for stem, path in images.items()
        ]


def files_by_stem(folder: Path) -> dict[str, str]:
    """Return stem -> path of the images in a folder, sorted; hidden files are passed over.

    Raises
    ------
    FileNotFoundError
        The folder is missing or has no images.
    ValueError
        Two files share a stem.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"a folder of images must exist; got {folder}")
    found: dict[str, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(
                f"each image needs a stem of its own, pairs are made by it; "
                f"got {found[path.stem]} and {path}"
            )
        found[path.stem] = str(path)
    if not found:
        raise FileNotFoundError(
            f"a folder of images must hold files ending with {', '.join(SUFFIXES)}; got {folder}"
        )
    return found


def _check_partners(
    images: Mapping[str, str], labels: Mapping[str, str], images_at: Path, labels_at: Path
) -> None:
    alone = [f"{images_at / stem} has no labels" for stem in images if stem not in labels]
    alone += [f"{labels_at / stem} has no image" for stem in labels if stem not in images]
    if alone:
        more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
        raise FileNotFoundError(
            f"images and labels must come in pairs of one stem; got {'; '.join(alone[:NAMED])}"
            f"{more}"
        )
