"""BBBC013: U2OS cells, a protein that moves from cytoplasm to nucleus, one plate of doses.

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

_MAP = "BBBC013_v1_platemap_all.txt"
_SPLIT = by_pattern(r"Channel ?(?P<channel>[12])-\d+-(?P<key>[A-H]-\d+)", {"1": "gfp", "2": "dna"})


@register
class Bbbc013(Published):
    """FKHR translocation, 96 wells: ``Bbbc013(root, channels="dna").images()``."""

    name = "bbbc013"
    acronym = "BBBC013"
    title = "U2OS, FKHR-GFP translocation, two drugs in rising doses"
    licence = "CC BY 3.0 (Ilya Ravkin)"
    citation = f"BBBC013v1, provided by Ilya Ravkin; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC013"
    layout = f"BBBC013_v1_images_bmp/Channel{{1,2}}-NN-R-CC.BMP, {_MAP} (optional)"
    expected = ("BBBC013_v1_images_bmp/*.bmp",)
    channel_names = ("gfp", "dna")
    annotated = "96 images, drug and dose"
    grouping = "row of the plate: each of A to H is one replicate of all doses of a drug"
    quirks = (
        "info: drug (rows A-D Wortmannin, E-H LY294002) and, with the plate map, dose",
        "the .FRM files of the microscope are not read",
    )
    remotes = (
        *bbbc(
            "BBBC013",
            BBBC013_v1_images_bmp="c059b569d96f70ad5626fad144867e6ece4353622119c46a8af8f9794f1e7985",
        ),
        Remote(
            f"{BBBC}/BBBC013/{_MAP}",
            "sha256:e8db6666271d47962fa7d2abfa3ea965352b8e87bee461f2983d0f667bc7ff08",
        ),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the wells, row by row, with ``info`` "drug" and "dose".

        Raises
        ------
        FileNotFoundError
            The folder or a channel is missing.
        """
        paths = files(root, "BBBC013_v1_images_bmp/*.bmp")
        found = channel_files(paths, _SPLIT, self.channel_names)
        return dosed_plate(found, root / _MAP, _drug)


def _drug(row: str) -> tuple[str, str]:
    return "drug", "Wortmannin" if row <= "D" else "LY294002"
