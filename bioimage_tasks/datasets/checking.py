"""What a folder lacks to be the collection it is said to be.

A class and a folder come in, sentences go out. No pixels are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import files, named

if TYPE_CHECKING:
    from bioimage_tasks.datasets.collection import ImageCollection


def missing(cls: type[ImageCollection], root: Path, part: str = "all") -> list[str]:
    """Return what is missing, one sentence each; nothing when all is there."""
    if not root.exists():
        return [f"There is no {'file' if root.suffix else 'folder'} {root}."]
    found = [
        f"{root} has nothing that matches {pattern}."
        for pattern in cls.expected
        if not _matches(root, pattern)
    ]
    if found:
        return found
    try:
        images = cls(root, part=part).images()
    except (FileNotFoundError, ValueError) as trouble:
        return [f"{str(trouble).rstrip('.')}."]
    if not images:
        return [f"{root} has no images."]
    absent = sorted({path for image in images for path in _paths(image) if not Path(path).exists()})
    return [f"Files are missing: {named(absent)}."] if absent else []


def _matches(root: Path, pattern: str) -> bool:
    try:
        return bool(files(root, pattern))
    except FileNotFoundError:
        return False


def _paths(image: ImageRef) -> list[str]:
    paths = [*image.files]
    if image.labels_path is not None:
        paths.append(image.labels_path)
    for _name, annotation in image.annotations:
        paths += getattr(annotation, "files", (annotation.path,))
    return paths
