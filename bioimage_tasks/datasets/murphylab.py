"""Nuclei of U2OS and NIH 3T3 cells outlined by hand (Coelho, Shariff, Murphy 2009).

The authors' repository comes in, references go out. Labels are taken from the label
images that they made of their outlines, so that no reader of GIMP's format is needed.
"""

from __future__ import annotations

import re
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import inside
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import Remote

#: Fields that the authors rejected as out of focus: they have no labels.
WITHOUT = frozenset({"gnf/dna-31", "gnf/dna-43", "ic100/dna-25"})

#: Cell lines, a folder each; a third, ksr, was never outlined.
LINES = ("gnf", "ic100")

_COMMIT = "9629f3a8829982726327802af55ab6ae7a2b5316"


@register
class MurphyLab(Published):
    """Hand-outlined nuclei, 100 fields of two cell lines: ``MurphyLab(root).images()``."""

    name = "murphylab"
    acronym = "MurphyLab"
    title = "U2OS (gnf) and NIH 3T3 (ic100), fluorescent nuclei"
    licence = "none stated for the data; the authors ask to be cited"
    citation = (
        "Coelho, Shariff, Murphy. Nuclear segmentation in microscope cell images: a "
        "hand-segmented dataset and comparison of algorithms. ISBI 2009, 518-521, "
        "doi:10.1109/ISBI.2009.5193098"
    )
    url = "https://github.com/luispedro/Coelho2009_ISBI_NuclearSegmentation"
    layout = (
        "data/images/dna-images/{gnf,ic100}/dna-N.png, "
        "data/preprocessed-data/{gnf,ic100}/dna-N.png (labels)"
    )
    expected = (
        "data/images/dna-images/gnf/*.png",
        "data/images/dna-images/ic100/*.png",
        "data/preprocessed-data/gnf/*.png",
        "data/preprocessed-data/ic100/*.png",
    )
    annotated = "97 of 100 images, every nucleus"
    grouping = "cell line: gnf or ic100, two experiments"
    quirks = (
        "RGB with three equal channels: the first is read",
        "three fields that the authors rejected have no labels; nor has a cell line whose "
        "folder of label images is absent",
        "the outlines in .xcf and .psd are not read: the authors' label images are",
    )
    remotes = (Remote(f"{url}/archive/{_COMMIT}.zip", strip=1),)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by cell line and number.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        data = inside(root, "data")
        images = keyed(files(data, *(f"images/dna-images/{line}/*.png" for line in LINES)), _key)
        labels: dict[str, str] = {}
        for line in LINES:
            if (data / "preprocessed-data" / line).is_dir():
                labels |= keyed(files(data, f"preprocessed-data/{line}/*.png"), _key)
        lines = {key.partition("/")[0] for key in labels}
        without = WITHOUT | {key for key in images if key.partition("/")[0] not in lines}
        check_partners(images, labels, without=without)
        return [
            ImageRef(images[key], labels.get(key), key.partition("/")[0], key, 0)
            for key in sorted(images, key=_order)
        ]


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def _order(key: str) -> tuple[str, int]:
    number = re.search(r"\d+$", key)
    return key.partition("/")[0], int(number[0]) if number else 0
