"""BBBC014: MCF7 and A549 cells, NF-kB that moves to the nucleus, one plate of doses.

The unpacked archive and the plate map come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import by_pattern, channel_files, dosed_plate
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import BBBC, Remote, bbbc

_MAP = "BBBC014_v1_platemap_all.txt"
_SPLIT = by_pattern(
    r"Channel ?(?P<channel>[12])-\d+-(?P<key>[A-H]-\d+)(-\d+)?", {"1": "fitc", "2": "dapi"}
)


@register
class Bbbc014(Published):
    """NF-kB translocation, 96 wells: ``Bbbc014(root, channels="dapi").images()``."""

    name = "bbbc014"
    acronym = "BBBC014"
    title = "MCF7 and A549, NF-kB translocation, TNF-alpha in rising doses"
    licence = "CC BY 3.0 (Ilya Ravkin)"
    citation = f"BBBC014v1, provided by Ilya Ravkin; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC014"
    layout = f"BBBC014_v1_images/Channel {{1,2}}-NN-R-CC-00.Bmp, {_MAP} (optional)"
    expected = ("BBBC014_v1_images/*.bmp",)
    channel_names = ("fitc", "dapi")
    annotated = "96 images, cell line and dose"
    grouping = "row of the plate: each of A to H is one replicate of all doses in a cell line"
    quirks = (
        "Channel 1 shows the signal (FITC) and Channel 2 the nuclei (DAPI), although the page "
        "names DAPI first",
        "info: cells (rows A-D MCF7, E-H A549) and, with the plate map, dose",
    )
    remotes = (
        *bbbc(
            "BBBC014",
            BBBC014_v1_images="223c3230c164c8295f4626f82e4bd9fe394d8e9339a4f82faf697fdd9b835341",
        ),
        Remote(
            f"{BBBC}/BBBC014/{_MAP}",
            "sha256:c3c4e645f9d16d2d8f0304038824cb7daccfd3a385cf10fce2a1b8ee395be266",
        ),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the wells, row by row, with ``info`` "cells" and "dose".

        Raises
        ------
        FileNotFoundError
            The folder or a channel is missing.
        """
        paths = files(root, "BBBC014_v1_images/*.bmp")
        found = channel_files(paths, _SPLIT, self.channel_names)
        return dosed_plate(found, root / _MAP, _cells)


def _cells(row: str) -> tuple[str, str]:
    return "cells", "MCF7" if row <= "D" else "A549"
