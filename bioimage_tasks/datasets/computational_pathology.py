"""H&E tissue of seven organs with a polygon around every nucleus (Kumar, MoNuSeg).

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register


@register
class ComputationalPathology(Published):
    """Nuclei in H&E, 30 slides: ``ComputationalPathology(root).images()``."""

    name = "computational-pathology"
    acronym = "ComPath"
    title = "H&E, nuclei of seven organs"
    licence = "CC BY-NC-SA 4.0 (MoNuSeg); slides of The Cancer Genome Atlas"
    citation = (
        "Kumar, Verma, Sharma, Bhargava, Vahadane, Sethi. A dataset and a technique for "
        "generalized nuclear segmentation for computational pathology. IEEE Trans. Med. "
        "Imaging 36:1550 (2017), doi:10.1109/TMI.2017.2677499"
    )
    url = "https://monuseg.grand-challenge.org/Data/"
    layout = "Tissue images/<slide>.png, Annotations/<slide>.xml (Aperio ImageScope)"
    expected = ("Tissue images/*", "Annotations/*.xml")
    channel_names = ("red", "green", "blue")
    annotated = "30 images, every nucleus"
    grouping = "patient: the first three parts of a TCGA barcode"
    quirks = (
        "some images are RGBA: alpha is dropped",
        "polygons overlap: a pixel belongs to the smaller nucleus",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the slides, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder, an image or its annotation is missing.
        """
        found = partnered(
            files(root, "Tissue images/*.png", "Tissue images/*.tif"),
            files(root, "Annotations/*.xml"),
            "annotation",
        )
        return [
            ImageRef(
                path, group="-".join(name.split("-")[:3]), name=name, channel=(0, 1, 2),
                annotations=(
                    ("nuclei", LabelsRef(polygon, kind="polygons-xml", like=path)),
                ),
            )
            for name, path, polygon in found
        ]  # fmt: skip
