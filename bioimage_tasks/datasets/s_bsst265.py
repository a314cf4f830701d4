"""Fluorescent nuclei of tissues and cells, outlined by experts (Kromp et al. 2020).

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import inside
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import Remote

#: The first images of each kind are for training, the others for the test.
_TRAINING = {"ganglioneuroblastoma": 4, "neuroblastoma": 12, "normal": 26, "otherspecimen": 0}


@register
class SBsst265(Published):
    """Nuclei of tumours and normal cells, 42 + 37 images: ``SBsst265(root, part="test")``."""

    name = "s-bsst265"
    acronym = "S_BSST265"
    title = "fluorescent nuclei of tissue sections, smears and cell lines"
    licence = "CC0 1.0"
    citation = (
        "Kromp et al. An annotated fluorescence image dataset for training nuclear "
        "segmentation methods. Sci. Data 7:262 (2020), doi:10.1038/s41597-020-00608-w"
    )
    url = "https://www.ebi.ac.uk/biostudies/studies/S-BSST265"
    layout = "S-BSST265/rawimages/<kind>_<n>.tif, S-BSST265/groundtruth/<kind>_<n>.tif"
    expected = ("**/rawimages/*.tif", "**/groundtruth/*.tif")
    parts = ("training", "test")
    annotated = "42 + 37 images, every nucleus"
    grouping = "kind of specimen: Ganglioneuroblastoma, Neuroblastoma, normal, otherspecimen"
    quirks = ("some grey images have three equal channels: the first is read",)
    remotes = (
        Remote(
            "https://www.ebi.ac.uk/biostudies/files/S-BSST265/dataset.zip",
            "sha256:8285987ed4d57c46a46a55a33c1c085875ea41f429b59cde31d249741aa07ad1",
            into="S-BSST265",
        ),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images of the authors' division, sorted by kind and number.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        folder = inside(root, "S-BSST265")
        images = keyed(files(folder, "rawimages/*.tif"))
        labels = keyed(files(folder, "groundtruth/*.tif"))
        check_partners(images, labels)
        wanted = [name for name in images if _is_training(name) == (part == "training")]
        return [
            ImageRef(images[name], labels[name], _split(name)[0], name, 0)
            for name in sorted(wanted, key=_split)
        ]


def _split(name: str) -> tuple[str, int]:
    kind, _, number = name.rpartition("_")
    return (kind, int(number)) if number.isdigit() else (name, 0)


def _is_training(name: str) -> bool:
    kind, number = _split(name)
    return number < _TRAINING.get(kind.lower(), number + 1)
