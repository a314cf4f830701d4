"""Neuronal membranes in electron microscopy: 30 consecutive sections (ISBI 2012).

The folder comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register

#: Consecutive sections that make a group.
BLOCK = 6


@register
class EmMembraneIsbi2012(Published):
    """Sections of a fly's nerve cord: ``EmMembraneIsbi2012(root, annotation="membrane")``."""

    name = "em-membrane-isbi2012"
    title = "Drosophila nerve cord, serial-section electron microscopy"
    licence = "none stated for the data; the repository it is from is MIT"
    citation = (
        "Arganda-Carreras et al. Crowdsourcing the creation of image segmentation algorithms "
        "for connectomics. Front. Neuroanat. 9:142 (2015), doi:10.3389/fnana.2015.00142; "
        "Cardona et al. PLoS Biol. 8:e1000502 (2010), doi:10.1371/journal.pbio.1000502"
    )
    url = "https://github.com/zhixuhao/unet"
    layout = "images/NN.png (8-bit grey), labels/NN.png (0 membrane, 255 inside of a cell)"
    expected = ("images/*.png", "labels/*.png")
    annotation_names = ("cells", "membrane")
    annotated = "30 images, every membrane"
    grouping = "block of six consecutive sections (00-05 is 0): one specimen, no experiments"
    quirks = (
        "annotation cells: the components inside the membranes; membrane: what lies between",
        "neighbours look alike: never split single sections at random",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the sections in their order.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        found = partnered(files(root, "images/*.png"), files(root, "labels/*.png"))
        return [
            ImageRef(
                path, group=str(int(name) // BLOCK), name=name,
                annotations=(
                    ("cells", LabelsRef(labels, kind="components")),
                    ("membrane", LabelsRef(labels, kind="foreground", how=_INVERTED)),
                ),
            )
            for name, path, labels in found
        ]  # fmt: skip


_INVERTED = (("invert", True),)
