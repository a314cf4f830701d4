"""U2OS nuclei outlined by hand by L. P. Coelho: 48 fields, 1831 nuclei.

The folder comes in, references go out. The originals lie in the authors' repository
(github.com/luispedro/Coelho2009_ISBI_NuclearSegmentation, collection "gnf").
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.folder import FolderCollection

#: Fields that the authors kept; they rejected two as out of focus.
FIELDS = 48


@dataclass(frozen=True)
class NucleiU2osHand:
    """The hand-segmented U2OS collection: ``NucleiU2osHand("nuclei-u2os-hand").images()``.

    Attributes
    ----------
    root : str or path
        Folder with ``images`` and ``labels``.
    """

    root: str | os.PathLike[str]
    name: str = "nuclei-u2os-hand"
    licence: str = "none stated; the authors ask to be cited"
    citation: str = (
        "Coelho, Shariff, Murphy. Nuclear segmentation in microscope cell images: a "
        "hand-segmented dataset and comparison of algorithms. ISBI 2009, 518-521, "
        "doi:10.1109/ISBI.2009.5193098"
    )
    layout: str = "ROOT/images/dna-NN.png (8-bit grey) and ROOT/labels/dna-NN.png (0, 1..n)"

    def images(self) -> list[ImageRef]:
        """Return the fields sorted by number; all are of one experiment, group "u2os".

        Raises
        ------
        FileNotFoundError
            A folder, an image or a label image is missing.
        """
        root = Path(self.root)
        found = FolderCollection(root / "images", root / "labels").images()
        return [
            ImageRef(image.path, image.labels_path, group="u2os", name=image.name)
            for image in found
        ]
