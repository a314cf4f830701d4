"""What a folder lacks to be the collection it is said to be.

A class and a folder come in, sentences go out. No pixels are read.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import files, named

if TYPE_CHECKING:
    from bioimage_tasks.datasets.collection import ImageCollection

#: So many folders below a wrong root are looked into.
NEAR = 100


def missing(cls: type[ImageCollection], root: Path, part: str = "all") -> list[str]:
    """Return what is missing, one sentence each; nothing when all is there."""
    if not root.exists():
        return [f"There is no {'file' if root.suffix else 'folder'} {root}."]
    if cls.expected and not root.is_dir():
        return [f"{root} is a file, not a folder."]
    found = [
        f"{root} has nothing that matches {pattern}."
        for pattern in cls.expected
        if not _matches(root, pattern)
    ]
    if found:
        return found + [
            f"But {near} has all of it: is that the folder?" for near in _near(cls, root)
        ]
    try:
        images = cls.at(root, part=part).images()
    except (FileNotFoundError, ValueError) as trouble:
        return [f"{str(trouble).rstrip('.')}."]
    if not images:
        return [f"{root} has no images."]
    absent = sorted({path for image in images for path in _paths(image) if not Path(path).exists()})
    return [f"Files are missing: {named(absent)}."] if absent else []


def _near(cls: type[ImageCollection], root: Path) -> list[Path]:
    """Return the folder above or directly below that would do, the first one."""
    if any(pattern.startswith("**") for pattern in cls.expected):
        return []  # it was looked for at every depth, and above may be the whole disk
    try:
        below = sorted(path for path in root.iterdir() if path.is_dir())[:NEAR]
    except OSError:
        return []
    fit = (
        path
        for path in (*below, root.resolve().parent)
        if all(_matches(path, pattern) for pattern in cls.expected)
    )
    return list(islice(fit, 1))


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
