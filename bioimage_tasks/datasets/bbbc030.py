"""BBBC030: Chinese hamster ovary cells in differential interference contrast.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import partnered
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc


@register
class Bbbc030(Published):
    """Hamster cells without a label, 60 fields: ``Bbbc030(root, aggregate="mean").images()``."""

    name = "bbbc030"
    acronym = "BBBC030"
    title = "Chinese hamster ovary cells, DIC"
    licence = "stated on its page (CC BY 3.0 according to a copy elsewhere)"
    citation = f"Koos et al. Sci. Rep. 6:30420 (2016), doi:10.1038/srep30420; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC030"
    layout = "images/*.png (RGB), ground_truth/*.png (outlines)"
    expected = ("images/*.png", "ground_truth/*.png")
    channel_names = ("red", "green", "blue")
    annotated = "60 images, outlines of the cells that the border does not cut"
    grouping = ""
    quirks = (
        "stored as RGB: channels=0 or aggregate gives a grey image",
        "outlines are filled; the pixels of a line belong to the object it encloses",
    )
    remotes = bbbc(
        "BBBC030",
        images="a6c3e4e5b22e959aef2d003d4b2112e18cdc45116af9ec49dd827b26d7c3df0c",
        ground_truth="6748fa1c0381a5841a1050338ecde6bb6f8a977f38b347352e598757e6da4711",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder, an image or its outlines are missing.
        """
        found = partnered(
            files(root, "images/*.png"), files(root, "ground_truth/*.png"), "outlines"
        )
        return [
            ImageRef(
                path, name=name, channel=(0, 1, 2),
                annotations=(("cells", LabelsRef(line, kind="outlines")),),
            )
            for name, path, line in found
        ]  # fmt: skip
