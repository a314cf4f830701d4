"""BBBC026: human hepatocytes among mouse fibroblasts, nuclei, one plate.

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

import re
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import well
from bioimage_tasks.datasets.pairing import files, keyed
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc


@register
class Bbbc026(Published):
    """Nuclei of a co-culture, 864 fields of 96 wells: ``Bbbc026(root).images()``."""

    name = "bbbc026"
    acronym = "BBBC026"
    title = "co-culture of human hepatocytes and mouse fibroblasts, nuclei"
    licence = "stated on its page"
    citation = (
        "Logan, Shan, Bhatia, Carpenter. Quantifying co-cultured cell phenotypes in "
        "high-throughput using pixel-based classification. Methods 96:6 (2016), "
        f"doi:10.1016/j.ymeth.2015.12.002; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC026"
    layout = "BBBC026_v1_images/*_<well>_s<site>_w1<uuid>.png"
    expected = ("BBBC026_v1_images/*.png",)
    annotated = "864 images, no labels (five have centres of nuclei, not read)"
    grouping = "well, with nine fields each"
    quirks = ("every other well is filled; the treatment is in the plate map of its page",)
    remotes = bbbc("BBBC026", BBBC026_v1_images="")

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by well and site.

        Raises
        ------
        FileNotFoundError
            The folder is missing or empty.
        """
        found = keyed(files(root, "BBBC026_v1_images/*.png"), _key)
        return [ImageRef(path, group=well(name), name=name) for name, path in found.items()]


def _key(path: Path) -> str:
    found = re.search(r"[A-P]\d\d_s\d+(?=_)", path.stem, re.IGNORECASE)
    return found[0] if found else path.stem
