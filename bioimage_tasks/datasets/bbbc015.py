"""BBBC015: U2OS cells with an arrestin that gathers in vesicles, part of a plate of doses.

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import by_end, channel_files
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

_SPLIT = by_end(
    {
        "green": ("_green", "_g", "_1", "_ch1", "_gfp"),
        "crimson": ("_crimson", "_c", "_2", "_ch2", "_r", "_red"),
    }
)


@register
class Bbbc015(Published):
    """Transfluor assay of vesicles, 144 fields: ``Bbbc015(root, channels="green").images()``."""

    name = "bbbc015"
    acronym = "BBBC015"
    title = "U2OS, beta-arrestin GFP in vesicles, isoproterenol in rising doses"
    licence = "stated on its page (its sister sets of the same donor are CC BY 3.0)"
    citation = f"BBBC015v1, provided by Ilya Ravkin; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC015"
    layout = "BBBC015_v1_images/<well>_<field>_<channel>.JPG"
    expected = ("BBBC015_v1_images/*.jpg",)
    channel_names = ("green", "crimson")
    annotated = "144 images, no labels; doses in a plate map"
    grouping = "well, with four fields each"
    quirks = ("grey JPEG stored as RGB with equal channels: red is read",)
    remotes = bbbc("BBBC015", BBBC015_v1_images="")

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by well and field.

        Raises
        ------
        FileNotFoundError
            The folder or a channel is missing.
        """
        paths = files(root, "BBBC015_v1_images/*.jpg", "BBBC015_v1_images/*.jpeg")
        return [
            ImageRef(
                both[0], group=key.partition("_")[0], name=key, channel_paths=both, picks=(0, 0)
            )
            for key, both in channel_files(paths, _SPLIT, self.channel_names).items()
        ]
