"""H&E of triple-negative breast cancer, nuclei as foreground (Naylor et al. 2018).

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import inside, partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import Remote


@register
class Tnbc(Published):
    """Nuclei of breast cancer in H&E, 50 images of 11 patients: ``Tnbc(root).images()``."""

    name = "tnbc"
    acronym = "TNBC"
    title = "H&E, triple-negative breast cancer"
    licence = "CC BY 4.0"
    citation = (
        "Naylor, Laé, Reyal, Walter. Segmentation of nuclei in histopathology images by deep "
        "regression of the distance map. IEEE Trans. Med. Imaging 38:448 (2019), "
        "doi:10.1109/TMI.2018.2865709; data doi:10.5281/zenodo.1175282"
    )
    url = "https://zenodo.org/record/1175282"
    layout = "Slide_NN/NN_k.png, GT_NN/NN_k.png, or both in TNBC_NucleiSegmentation/"
    expected = ("**/Slide_*/*.png", "**/GT_*/*.png")
    channel_names = ("red", "green", "blue")
    annotated = "50 images, nuclei as foreground"
    grouping = "patient: the number of the slide's folder"
    quirks = (
        "RGBA: alpha is dropped",
        "foreground only: touching nuclei are one object",
        "version 1.1 (zenodo.2579118) has 18 more images in three more folders",
    )
    remotes = (Remote("https://zenodo.org/record/1175282/files/TNBC_NucleiSegmentation.zip"),)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images, sorted by patient and number.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a mask is missing.
        """
        folder = inside(root, "TNBC_NucleiSegmentation")
        found = partnered(files(folder, "Slide_*/*.png"), files(folder, "GT_*/*.png"), "mask")
        return [
            ImageRef(
                path, group=Path(path).parent.name.partition("_")[2], name=name,
                channel=(0, 1, 2),
                annotations=(("nuclei", LabelsRef(mask, kind="foreground")),),
            )
            for name, path, mask in found
        ]  # fmt: skip
