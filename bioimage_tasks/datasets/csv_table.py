"""Anyone's data: a csv with a row for every image.

A csv comes in, references go out: columns name the image, its labels, group, channel and
part; every other column is kept as what is known of the image.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bioimage_tasks.datasets.annotations.files import Row, table
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.pairing import named
from bioimage_tasks.datasets.registry import register

#: What the columns say, and how they are called unless told otherwise.
ROLES = ("image", "labels", "group", "channel", "part", "name")
_REMEDY = '; tell how the column of files is called: CsvCollection(path, columns={"image": ...})'


@register
class CsvCollection(ImageCollection):
    """Images that a csv lists: ``CsvCollection("images.csv").images()``.

    Parameters
    ----------
    path : str or path
        The csv, with a header. An empty field of labels, group or channel says nothing.
    folder : str or path, optional
        What paths in the csv are relative to; by default the csv's own folder.
    columns : mapping of str to str, optional
        Names of the columns where they differ: ``{"image": "file", "group": "plate"}``.
        Roles are image, labels, group, channel, part (training or test) and name; only
        image must be there. Other columns become ``about``: numbers where the whole
        column is.
    kind : str
        Form of the annotations, one of :func:`bioimage_tasks.datasets.annotations.kinds`.
    options
        Those of :class:`~bioimage_tasks.datasets.collection.ImageCollection`.
    """

    name = "csv"
    licence = "the owner's"
    citation = "the owner's"
    layout = "a csv with the columns image and, as there are, labels, group, channel, part, name"
    parts = ("training", "test")

    def __init__(
        self,
        path: str | os.PathLike[str],
        folder: str | os.PathLike[str] | None = None,
        columns: dict[str, str] | None = None,
        kind: str = "instances",
        **options: Any,
    ) -> None:
        super().__init__(path, **options)
        self.folder = self.root.parent if folder is None else Path(folder)
        unknown = sorted(set(columns or {}) - set(ROLES))
        if unknown:
            raise ValueError(
                f"CsvCollection: columns names the roles {', '.join(ROLES)}; "
                f"got {', '.join(unknown)}"
            )
        self.columns = {role: role for role in ROLES} | dict(columns or {})
        self.kind = kind

    def check_root(self) -> None:
        """Raise ``FileNotFoundError`` unless the csv is there."""
        if not self.root.is_file():
            raise FileNotFoundError(f"CsvCollection: the csv must exist; got {self.root}")

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images of one part in the order of the rows.

        Raises
        ------
        FileNotFoundError
            The csv, an image or labels are missing; names them.
        ValueError
            The csv has no column of images, or a part or channel is none.
        """
        rows = table(str(root), (self.columns["image"],), _REMEDY)
        parts = {self._field(row, "part") or "training" for row in rows}
        if parts - set(self.parts):
            raise ValueError(
                f"CsvCollection: the column {self.columns['part']} says training or test; "
                f"got {', '.join(sorted(parts - set(self.parts)))} in {root}"
            )
        facts = _facts(rows, set(self.columns.values()))
        found = [
            self._reference(row, fact)
            for row, fact in zip(rows, facts, strict=True)
            if (self._field(row, "part") or "training") == part
        ]
        absent = [
            path
            for image in found
            for path in (image.path, *(image.gold.files if image.gold else ()))
            if not Path(path).exists()
        ]
        if absent:
            raise FileNotFoundError(
                f"CsvCollection: every file that {root} names must exist; got none at "
                f"{named(absent)}"
            )
        return found

    def _field(self, row: Row, role: str) -> str:
        return row.get(self.columns[role], "").strip()

    def _reference(self, row: Row, info: tuple[tuple[str, Any], ...]) -> ImageRef:
        path = str(self.folder / self._field(row, "image"))
        labels = self._field(row, "labels")
        channel = self._field(row, "channel")
        if channel and not channel.isdecimal():
            raise ValueError(
                f"CsvCollection: a channel is a number from 0; got {channel!r} for {path}"
            )
        like = path if self.kind == "polygons-xml" else ""
        gold = LabelsRef(str(self.folder / labels), kind=self.kind, like=like) if labels else None
        plain = self.kind == "instances"
        return ImageRef(
            path,
            gold.path if gold and plain else None,
            self._field(row, "group"),
            self._field(row, "name"),
            int(channel) if channel else None,
            annotations=((self.kind, gold),) if gold and not plain else (),
            info=info,
        )


def _facts(rows: tuple[Row, ...], taken: set[str]) -> list[tuple[tuple[str, Any], ...]]:
    """Return what the other columns say of each row, as numbers where a whole column is."""
    names = [name for name in (rows[0] if rows else {}) if name not in taken]
    columns = {name: _numbers([row[name] for row in rows]) for name in names}
    return [tuple((name, columns[name][place]) for name in names) for place in range(len(rows))]


def _numbers(texts: list[str]) -> list[Any]:
    # "007" is a name and not a number; an empty field of a column of numbers is unknown.
    if any(text.lstrip("-").startswith("0") and text.lstrip("-0").isdecimal() for text in texts):
        return list(texts)
    for kind in (int, float):
        try:
            return [kind(text) if text.strip() else None for text in texts]
        except ValueError:
            continue
    return list(texts)
