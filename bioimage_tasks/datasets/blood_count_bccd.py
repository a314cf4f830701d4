"""Blood smears with a box around each red cell, white cell and platelet: 60 fields.

The folder comes in, references with counts and boxes go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.annotations.files import table
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.marks import BoxesRef
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register

#: Classes that are counted.
CLASSES = ("rbc", "wbc", "platelets")


@register
class BloodCountBccd(Published):
    """Blood cells to count: ``BloodCountBccd(root).images()[0].about("rbc")``."""

    name = "blood-count-bccd"
    title = "blood smears, red cells, white cells and platelets"
    licence = "MIT"
    citation = "BCCD dataset, github.com/Shenggan/BCCD_Dataset (2017)"
    url = "https://github.com/Shenggan/BCCD_Dataset"
    layout = "images/BloodImage_NNNNN.jpg, counts.csv (file, rbc, wbc, platelets), boxes.csv"
    expected = ("images/*.jpg", "counts.csv", "boxes.csv")
    channel_names = ("red", "green", "blue")
    annotated = "60 images, counts and boxes of three classes"
    grouping = ""
    quirks = (
        "info: rbc, wbc, platelets and their sum, count",
        "red cells that overlap or are cut by the border are not always counted",
        "the source tells no experiments apart: no groups",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by number.

        Raises
        ------
        FileNotFoundError
            A table, a field or its counts are missing.
        """
        counts, boxes = root / "counts.csv", root / "boxes.csv"
        for csv in (counts, boxes):
            if not csv.is_file():
                raise FileNotFoundError(f"the annotation {csv.name} must exist; got no {csv}")
        rows = {row["file"]: row for row in table(str(counts), ("file", *CLASSES))}
        images = keyed(files(root, "images/*.jpg"), _name)
        check_partners(images, dict.fromkeys(rows, str(counts)), "row of counts.csv")
        found = []
        for name, path in images.items():
            numbers = tuple((kind, int(rows[name][kind])) for kind in CLASSES)
            found.append(
                ImageRef(
                    path, channel=(0, 1, 2),
                    annotations=(("boxes", BoxesRef(str(boxes), kind="csv", select=name)),),
                    info=(*numbers, ("count", sum(number for _kind, number in numbers))),
                )
            )  # fmt: skip
        return found


def _name(path: Path) -> str:
    return path.name
