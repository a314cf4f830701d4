"""The part of the 2018 Data Science Bowl that StarDist was trained on: fluorescence only.

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import inside, partnered, size_group
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import Remote


@register
class StarDist(Published):
    """Fluorescent nuclei with corrected labels: ``StarDist(root, part="test")``."""

    name = "stardist"
    acronym = "StarDist"
    title = "fluorescent nuclei, a selection of DSB2018 with labels as images"
    licence = "CC0 1.0 (the images are DSB2018's)"
    citation = (
        "Schmidt, Weigert, Broaddus, Myers. Cell detection with star-convex polygons. MICCAI "
        "2018, doi:10.1007/978-3-030-00934-2_30; Caicedo et al. 2019, "
        "doi:10.1038/s41592-019-0612-7"
    )
    url = "https://github.com/stardist/stardist/releases/tag/0.1.0"
    layout = "dsb2018/{train,test}/images/<id>.tif, dsb2018/{train,test}/masks/<id>.tif"
    expected = ("**/train/images/*.tif", "**/train/masks/*.tif")
    parts = ("training", "test")
    annotated = "447 + 50 images, every nucleus"
    grouping = "image size, a stand-in for the laboratory, which is not told"
    quirks = ("a subset of dsb2018: never train on one and test on the other",)
    remotes = (
        Remote(
            "https://github.com/stardist/stardist/releases/download/0.1.0/dsb2018.zip",
            "sha256:e44921950edce378063aa4457e625581ba35b4c2dbd9a07c19d48900129f386f",
        ),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images of a part, sorted by identifier.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        folder = inside(root, "dsb2018") / ("train" if part == "training" else "test")
        found = partnered(files(folder, "images/*.tif"), files(folder, "masks/*.tif"))
        return [ImageRef(path, labels, size_group(path), name) for name, path, labels in found]
