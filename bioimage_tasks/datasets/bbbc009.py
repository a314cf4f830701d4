"""BBBC009: human red blood cells in differential interference contrast.

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
class Bbbc009(Published):
    """Red blood cells, 5 fields: ``Bbbc009(root).images()``."""

    name = "bbbc009"
    acronym = "BBBC009"
    title = "human red blood cells, DIC"
    licence = "stated on its page"
    citation = BBBC_CITATION
    url = "https://bbbc.broadinstitute.org/BBBC009"
    layout = "human_rbc_dic_images/*.tif, human_rbc_dic_outlines/*.tif (bool)"
    expected = ("human_rbc_dic_images/*.tif", "human_rbc_dic_outlines/*.tif")
    annotated = "5 images, outlines of every cell"
    grouping = ""
    quirks = ("outlines are filled; the pixels of a line belong to the object it encloses",)
    remotes = bbbc("BBBC009", BBBC009_v1_images="", BBBC009_v1_outlines="")

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder, an image or its outlines are missing.
        """
        found = partnered(
            files(root, "human_rbc_dic_images/*.tif"),
            files(root, "human_rbc_dic_outlines/*.tif"),
            "outlines",
        )
        return [
            ImageRef(path, name=name, annotations=(("cells", LabelsRef(line, kind="outlines")),))
            for name, path, line in found
        ]
