"""BBBC004: simulated cells that overlap more and more, 300 in each image.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

import re
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

#: Probability of overlap of the five subsets, in percent.
OVERLAPS = ("000", "015", "030", "045", "060")

_FOLDER = re.compile(r"(?:synthetic_|BBBC004_v1_)?(.*?)_(images|foreground)$")


@register
class Bbbc004(Published):
    """Simulated cells, 20 images at each of 5 degrees of overlap: ``Bbbc004(root).images()``."""

    name = "bbbc004"
    acronym = "BBBC004"
    title = "simulated cells with rising overlap"
    licence = "CC BY-NC-SA 3.0"
    citation = f"Ruusuvuori et al. EUSIPCO 2008; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC004"
    layout = "synthetic_<overlap>_images/NGRAY.tif, synthetic_<overlap>_foreground/N.tif (RGB)"
    expected = ("*_images/*.tif", "*_foreground/*.tif")
    annotated = "100 images, foreground and the true count, 300"
    grouping = "degree of overlap: 000, 015, 030, 045 or 060"
    quirks = (
        "every subset has the same file names: paired by subset and number",
        "the mask is RGB and only its blue channel counts",
        "foreground only: objects that touch are one",
    )
    remotes = tuple(
        remote
        for kind in ("images", "foreground")
        for overlap in OVERLAPS
        for remote in bbbc("BBBC004", **{f"BBBC004_v1_{overlap}_{kind}": ""})
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images, sorted by overlap and number, with ``info`` "count".

        Raises
        ------
        FileNotFoundError
            A folder, an image or a mask is missing.
        """
        images = keyed(files(root, "*_images/*.tif"), _key)
        masks = keyed(files(root, "*_foreground/*.tif"), _key)
        check_partners(images, masks, "mask")
        return [
            ImageRef(
                images[key], group=key.partition("/")[0], name=key,
                annotations=(
                    ("cells", LabelsRef(masks[key], kind="foreground", how=(("channel", 2),))),
                ),
                info=(("count", 300),),
            )
            for key in sorted(images, key=_order)
        ]  # fmt: skip


def _key(path: Path) -> str:
    folder = _FOLDER.match(path.parent.name)
    number = re.sub(r"gray$", "", path.stem, flags=re.IGNORECASE)
    return f"{folder[1] if folder else path.parent.name}/{number}"


def _order(key: str) -> tuple[str, int, str]:
    overlap, _, number = key.partition("/")
    return overlap, int(number) if number.isdigit() else -1, number
