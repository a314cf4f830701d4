"""H&E of benign and malignant breast tissue, nuclei partly outlined (UCSB).

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register


@register
class Ucsb(Published):
    """Breast tissue in H&E, 32 benign and 26 malignant: ``Ucsb(root).images()``."""

    name = "ucsb"
    acronym = "UCSB"
    title = "H&E, benign and malignant breast tissue"
    licence = "none stated; the authors ask to be cited"
    citation = (
        "Drelie Gelasca, Obara, Fedorov, Kvilekval, Manjunath. A biosegmentation benchmark for "
        "evaluation of bioimage analysis methods. BMC Bioinformatics 10:368 (2009), "
        "doi:10.1186/1471-2105-10-368"
    )
    url = "https://bioimage.ucsb.edu/research/bio-segmentation"
    layout = (
        "Breast Cancer Cells/<core>_{benign,malignant}N_ccd.tif, "
        "Breast Cancer Cells GroundTruth/<core>_{benign,malignant}N.TIF"
    )
    expected = ("Breast Cancer Cells/*.tif", "Breast Cancer Cells GroundTruth/*.tif")
    channel_names = ("red", "green", "blue")
    annotated = "58 images, some of the nuclei, as foreground; benign or malignant"
    grouping = "tissue core: the name before benign or malignant"
    quirks = (
        "an image ends with _ccd and its mask does not",
        "not every nucleus is outlined",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images, sorted by name, with ``info`` "diagnosis".

        Raises
        ------
        FileNotFoundError
            A folder, an image or a mask is missing.
        """
        found = partnered(
            files(root, "Breast Cancer Cells/*.tif"),
            files(root, "Breast Cancer Cells GroundTruth/*.tif"),
            "mask",
            key=_key,
        )
        return [
            ImageRef(
                path, group="_".join(key.split("_")[:2]), name=key, channel=(0, 1, 2),
                annotations=(("nuclei", LabelsRef(mask, kind="foreground")),),
                info=(("diagnosis", _diagnosis(key)), ("complete", False)),
            )
            for key, path, mask in found
        ]  # fmt: skip


def _key(path: Path) -> str:
    return path.stem.removesuffix("_ccd")


def _diagnosis(key: str) -> str:
    return "malignant" if "malignant" in key else "benign" if "benign" in key else ""
