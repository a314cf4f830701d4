"""BBBC016: U2OS cells with an arrestin that gathers at an orphan receptor, a dose series.

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import by_end, channel_files, plate_map, well
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import BBBC, Remote, bbbc

_MAP = "BBBC016_v1_platemap.txt"
_SPLIT = by_end({"gfp": ("d2", "d1", "_gfp", "_green", "_g"), "dna": ("d0", "_dna", "_blue", "_b")})


@register
class Bbbc016(Published):
    """Transfluor assay of an orphan receptor, 72 fields: ``Bbbc016(root).images()``."""

    name = "bbbc016"
    acronym = "BBBC016"
    title = "U2OS, beta-arrestin GFP at an orphan receptor, a compound in rising doses"
    licence = "CC BY 3.0 (Ilya Ravkin)"
    citation = f"BBBC016v1, provided by Ilya Ravkin; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC016"
    layout = f"BBBC016_v1_images/*_<well>fNNd{{0,2}}.TIF, {_MAP} (optional)"
    expected = ("BBBC016_v1_images/*.tif",)
    channel_names = ("gfp", "dna")
    annotated = "72 images, dose"
    grouping = "well, with three fields each"
    quirks = (
        "the DNA file (d0) sorts before the GFP file (d2): told by name, not by order",
        "the plate map has an entry per field in sorted order: read when all 72 are there",
    )
    remotes = (
        *bbbc(
            "BBBC016",
            BBBC016_v1_images="866ea3e6229a0f6fa2c9a18852b3274f7617326ecfae15d40f7f5e1123df7dd1",
        ),
        Remote(
            f"{BBBC}/BBBC016/{_MAP}",
            "sha256:5324f1958d264d2f9a732dbad554a851b7e77a3cc6dd8719973dce0f46e44076",
        ),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by name, with ``info`` "dose" where it is known.

        Raises
        ------
        FileNotFoundError
            The folder or a channel is missing.
        """
        paths = files(root, "BBBC016_v1_images/*.tif")
        found = channel_files(paths, _SPLIT, self.channel_names)
        doses = plate_map(root / _MAP, 72) if len(found) == 72 else [""] * len(found)
        return [
            ImageRef(
                both[0], group=well(key), name=key, channel_paths=both,
                info=(("dose", dose),) if dose else (),
            )
            for (key, both), dose in zip(found.items(), doses, strict=True)
        ]  # fmt: skip
