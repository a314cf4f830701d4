"""U2OS nuclei outlined by hand by L. P. Coelho: 48 fields, 1831 nuclei.

The folder comes in, references go out. The originals lie in the authors' repository, which
is :class:`~bioimage_tasks.datasets.murphylab.MurphyLab`, collection "gnf".
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register


@register
class NucleiU2osHand(Published):
    """The hand-segmented U2OS collection: ``NucleiU2osHand("nuclei-u2os-hand").images()``."""

    name = "nuclei-u2os-hand"
    title = "U2OS nuclei, fluorescence"
    licence = "none stated; the authors ask to be cited"
    citation = (
        "Coelho, Shariff, Murphy. Nuclear segmentation in microscope cell images: a "
        "hand-segmented dataset and comparison of algorithms. ISBI 2009, 518-521, "
        "doi:10.1109/ISBI.2009.5193098"
    )
    url = "https://github.com/luispedro/Coelho2009_ISBI_NuclearSegmentation"
    layout = "images/dna-NN.png (8-bit grey), labels/dna-NN.png (0, 1..n)"
    expected = ("images/*.png", "labels/*.png")
    annotated = "48 images, every nucleus"
    grouping = '"u2os" for all: one experiment'
    quirks = ("a subset of murphylab, channels and numbers made uniform",)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields sorted by number; all are of one experiment, group "u2os".

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        found = partnered(files(root, "images/*.png"), files(root, "labels/*.png"))
        return [ImageRef(path, labels, "u2os", name) for name, path, labels in found]
