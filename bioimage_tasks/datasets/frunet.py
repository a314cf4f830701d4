"""Small extracellular vesicles in transmission electron microscopy (FRU-Net).

The authors' folder comes in, references go out.
"""

from __future__ import annotations

import re
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import inside, partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register

#: Words of a file name that say what it is, not what it is of.
_WORDS = "annotations?|masks?|labels?|gt|seg|images?|img|im"
_KIND = re.compile(rf"^({_WORDS})[_ -]|[_ -]({_WORDS})$", re.IGNORECASE)


@register
class FruNet(Published):
    """Exosomes in TEM, 72 images: ``FruNet(root).images()``."""

    name = "frunet"
    acronym = "FRUNet"
    title = "extracellular vesicles, transmission electron microscopy"
    licence = "none stated; the authors ask to be cited"
    citation = (
        "Gómez-de-Mariscal et al. Deep-learning-based segmentation of small extracellular "
        "vesicles in transmission electron microscopy images. Sci. Rep. 9:13211 (2019), "
        "doi:10.1038/s41598-019-49431-3"
    )
    url = "https://github.com/esgomezm/FRU_processing"
    layout = "code/data/dataset_<set>/*.tif (uint16), code/data/annotations_<set>/*.tif (labels)"
    expected = ("**/dataset_*/*.tif", "**/annotations_*/*.tif")
    annotated = "72 images, every vesicle"
    grouping = "the authors' set: the end of the folder's name"
    quirks = (
        "uint16 that reaches 20,444 at most, contrast differs a lot: normalise by image",
        "paired by set and name; words like mask at an end of the name don't count",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images, sorted by set and name.

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        folder = inside(root, "code", "data")
        found = partnered(
            files(folder, "dataset_*/*.tif"), files(folder, "annotations_*/*.tif"), key=_key
        )
        return [ImageRef(path, labels, key.partition("/")[0], key) for key, path, labels in found]


def _key(path: Path) -> str:
    return f"{path.parent.name.partition('_')[2]}/{_KIND.sub('', path.stem)}"
