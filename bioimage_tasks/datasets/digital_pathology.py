"""H&E of breast cancer with some nuclei painted (Janowczyk and Madabhushi 2016).

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
class DigitalPathology(Published):
    """Nuclei of breast cancer in H&E, 141 images: ``DigitalPathology(root).images()``."""

    name = "digital-pathology"
    acronym = "DigitPath"
    title = "H&E, oestrogen-receptor-positive breast cancer"
    licence = "none stated; the authors ask to be cited"
    citation = (
        "Janowczyk, Madabhushi. Deep learning for digital pathology image analysis: a "
        "comprehensive tutorial with selected use cases. J. Pathol. Inform. 7:29 (2016), "
        "doi:10.4103/2153-3539.186902"
    )
    url = "http://www.andrewjanowczyk.com/use-case-1-nuclei-segmentation/"
    layout = "nuclei/<patient>_*_original.tif, nuclei/<patient>_*_mask.png (bool)"
    expected = ("**/*original.tif", "**/*mask.png")
    channel_names = ("red", "green", "blue")
    annotated = "141 images, some of the nuclei, as foreground"
    grouping = "patient: the number that a name begins with"
    quirks = ("not every nucleus is painted: what is not is no background to learn from",)
    remotes = (Remote("http://andrewjanowczyk.com/wp-static/nuclei.tgz", into="nuclei"),)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a mask is missing.
        """
        folder = inside(root, "nuclei", "nuclei")
        found = partnered(
            files(folder, "*original.tif"), files(folder, "*mask.png"), "mask", key=_key
        )
        return [
            ImageRef(
                path, group=key.partition("_")[0], name=key, channel=(0, 1, 2),
                annotations=(("nuclei", LabelsRef(mask, kind="foreground")),),
                info=(("complete", False),),
            )
            for key, path, mask in found
        ]  # fmt: skip


def _key(path: Path) -> str:
    return path.stem.removesuffix("original").removesuffix("mask").rstrip("_- ")
