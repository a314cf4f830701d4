"""StarDist's samples: a volume of nuclei and a plane of nuclei, both labelled.

The folder comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register

#: How much nearer the voxels of one nucleus lie along the rows and columns than along the
#: planes. The file tells no size of a voxel. Its authors call the volume synthetic nuclei
#: (stardist/data/__init__.py) and publish this for theirs: the network trained on them has
#: "anisotropy": [2.0, 1.0, 1.0] (models/examples/3D_demo/config.json), after the labels of
#: its training volumes (2.0, 1.0, 1.03; examples/3D/1_data.ipynb).
SPACING = (2.0, 1.0, 1.0)


@register
class Nuclei3dStardist(Published):
    """A volume and a plane: ``Nuclei3dStardist(root).images()[0].read().ndim == 3``."""

    name = "3d-nuclei-stardist"
    title = "a crop of nuclei in 3D, and one field in 2D"
    licence = "BSD-3-Clause (StarDist); img2d CC0 1.0"
    citation = (
        "Weigert, Schmidt, Haase, Sugawara, Myers. Star-convex polyhedra for 3D object "
        "detection and segmentation in microscopy. WACV 2020, "
        "doi:10.1109/WACV45572.2020.9093435"
    )
    url = "https://github.com/stardist/stardist"
    layout = "img3d.tif (ZYX, uint16), mask3d.tif (labels), img2d.tif, mask2d.tif"
    expected = ("img3d.tif", "mask3d.tif", "img2d.tif", "mask2d.tif")
    annotated = "1 volume and 1 image, every nucleus"
    grouping = '"3d" and "2d": two sources'
    quirks = (
        "the volume is read as (planes, height, width), its labels too",
        "numbers of labels have gaps in the file: read as 1..n",
        "img2d is of DSB2018",
        'no size of a voxel in the file; `about("spacing")` of the volume is (2, 1, 1), the '
        "anisotropy that its authors publish for their synthetic nuclei (3D_demo)",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the volume, then the plane.

        Raises
        ------
        FileNotFoundError
            One of the four files is missing.
        """
        found = []
        for end in ("3d", "2d"):
            image, labels = (str(files(root, f"{kind}{end}.tif")[0]) for kind in ("img", "mask"))
            deep = end == "3d"
            plane = (("Z", "all"),) if deep else ()
            info = (("spacing", SPACING),) if deep else ()
            found.append(ImageRef(image, labels, end, plane=plane, info=info))
        return found
