"""BBBC007: Drosophila Kc167 cells, nuclei and cells outlined by hand.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import by_end, channel_files
from bioimage_tasks.datasets.pairing import check_partners, files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

_SPLIT = by_end({"dna": ("d0", "_d_1ul", "d", "dna"), "actin": ("d1", "_f_2ul", "f", "actin")})


@register
class Bbbc007(Published):
    """Drosophila cells, 16 fields: ``Bbbc007(root, annotation="cells").images()``."""

    name = "bbbc007"
    acronym = "BBBC007"
    title = "Drosophila Kc167 cells, nuclei and actin"
    licence = "CC0 1.0"
    citation = (
        "Jones, Carpenter, Golland. Voronoi-based segmentation of cells on image manifolds. "
        f"CVBIA 2005, doi:10.1007/11569541_54; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC007"
    layout = "BBBC007_v1_images/<folder>/*.tif, BBBC007_v1_outlines/<folder>/*.tif (bool)"
    expected = ("BBBC007_v1_images/*/*.tif", "BBBC007_v1_outlines/*/*.tif")
    channel_names = ("dna", "actin")
    annotation_names = ("nuclei", "cells")
    annotated = "16 images, outlines of nuclei and of cells"
    grouping = "folder: A9, f113, f96 (17) or f9620, as they were photographed"
    quirks = (
        "channels are told by the end of the name: d0/d1, _D_1UL/_F_2UL or d/f",
        "some grey images are RGB with coloured marks in the corners: red is read",
        "outlines are filled; the pixels of a line belong to the object it encloses",
    )
    remotes = bbbc(
        "BBBC007",
        BBBC007_v1_images="b7009e2fce0a3152a5c9adda916eaa699d09696f4bd02a7d05d12d041e30c6d1",
        BBBC007_v1_outlines="6a5246f9a9d743d22eafdb409fae638a8461af97e9ff9c4a92f25eba236224d3",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by folder and name.

        Raises
        ------
        FileNotFoundError
            A folder, a channel or an outline is missing.
        """
        images = channel_files(files(root, "BBBC007_v1_images/*/*.tif"), _split, ("dna", "actin"))
        lines = channel_files(files(root, "BBBC007_v1_outlines/*/*.tif"), _split, ("dna", "actin"))
        check_partners(
            {key: both[0] for key, both in images.items()},
            {key: both[0] for key, both in lines.items()},
            "outlines",
        )
        return [
            ImageRef(
                both[0], group=key.partition("/")[0], name=key, channel_paths=both, picks=(0, 0),
                annotations=(
                    ("nuclei", LabelsRef(lines[key][0], kind="outlines")),
                    ("cells", LabelsRef(lines[key][1], kind="outlines")),
                ),
            )
            for key, both in images.items()
        ]  # fmt: skip


def _split(path: Path) -> tuple[str, str] | None:
    parts = _SPLIT(path)
    return None if parts is None else (f"{path.parent.name}/{parts[0]}", parts[1])
