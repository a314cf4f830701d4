"""The training images of Cellpose: cells of many kinds, and things that look like cells.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register

#: The first images of each part are from one source: the paper's "specialised" data.
SPECIALISED = {"training": 89, "test": 11}


@register
class Cellpose(Published):
    """Cells of many kinds, 540 + 68 images: ``Cellpose(root, specialised=True)``.

    Parameters
    ----------
    specialised : bool
        Only the images that the paper calls specialised: the first 89 and 11.
    """

    name = "cellpose"
    acronym = "Cellpose"
    title = "cells of many kinds, also shells, stones and fruit"
    licence = "for non-commercial research, by its download page"
    citation = (
        "Stringer, Wang, Michaelos, Pachitariu. Cellpose: a generalist algorithm for cellular "
        "segmentation. Nature Methods 18:100 (2021), doi:10.1038/s41592-020-01018-x"
    )
    url = "https://www.cellpose.org/dataset"
    layout = "train/NNN_img.png, train/NNN_masks.png (uint16 labels), test/ alike"
    expected = ("train/*_img.png", "train/*_masks.png")
    parts = ("training", "test")
    channel_names = ("nucleus", "cytoplasm")
    annotated = "540 + 68 images, every cell"
    grouping = ""
    quirks = (
        "RGB files: red is the nucleus, green the cytoplasm, blue empty; an image of one "
        "channel is all green",
        "the sources are not told apart; the download page asks for an address",
    )

    def __init__(self, root: str | Path, *, specialised: bool = False, **options: Any) -> None:
        super().__init__(root, **options)
        self.specialised = specialised

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images of a part, sorted by number.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        folder = root / ("train" if part == "training" else "test")
        beside = partnered(files(folder, "*_img.png"), files(folder, "*_masks.png"), key=_number)
        found = [
            ImageRef(path, labels, name=number, channel=(0, 1)) for number, path, labels in beside
        ]
        return found[: SPECIALISED[part]] if self.specialised else found


def _number(path: Path) -> str:
    return path.stem.rpartition("_")[0]
