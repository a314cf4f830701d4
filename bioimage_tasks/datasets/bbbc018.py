"""BBBC018: human HT29 cells of unusual looks, nuclei and cells outlined.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import Annotation, ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import by_end, channel_files
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

#: Published without outlines.
WITHOUT = frozenset({"10779"})

#: Outlines that were drawn over the image.
OVER_IMAGE = frozenset({"17675-nuclei"})

_SPLIT = by_end({"dna": ("-dna",), "actin": ("-actin",), "ph3": ("-ph3",)})
_PARTS = ("nuclei", "cells")


@register
class Bbbc018(Published):
    """HT29 cells, 56 fields of 14 samples: ``Bbbc018(root, annotation="cells").images()``."""

    name = "bbbc018"
    acronym = "BBBC018"
    title = "human HT29 cells of diverse phenotypes, nuclei, actin and mitosis"
    licence = "stated on its page"
    citation = (
        "Jones et al. Scoring diverse cellular morphologies in image-based screens with "
        "iterative feedback and machine learning. PNAS 106:1826 (2009), "
        f"doi:10.1073/pnas.0808843106; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC018"
    layout = (
        "BBBC018_v1_images/NNNNN-{DNA,actin,pH3}.DIB, BBBC018_v1_outlines/NNNNN-{nuclei,cells}.png"
    )
    expected = ("BBBC018_v1_images/*.dib", "BBBC018_v1_outlines/*.png")
    channel_names = ("dna", "actin", "ph3")
    annotation_names = _PARTS
    annotated = "55 of 56 images, outlines of nuclei and of cells"
    grouping = ""
    quirks = (
        "RGB bitmaps that hold the image in green: green is read",
        "outlines lie upside down: turned; 17675-nuclei has the image beneath: there only "
        "pixels of 255 are lines",
        "10779 has no outlines",
        "which four fields are one sample is not told by the names",
    )
    remotes = bbbc("BBBC018", BBBC018_v1_images="", BBBC018_v1_outlines="")

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by number.

        Raises
        ------
        FileNotFoundError
            A folder, a channel or an outline is missing.
        """
        paths = files(root, "BBBC018_v1_images/*.dib")
        images = channel_files(paths, _SPLIT, self.channel_names)
        first = {key: three[0] for key, three in images.items()}
        lines = {}
        for kind in _PARTS:
            lines[kind] = keyed(files(root, f"BBBC018_v1_outlines/*-{kind}.png"), _number)
            check_partners(first, lines[kind], f"outlines of {kind}", WITHOUT)
        return [
            ImageRef(
                three[0], name=key, channel_paths=three, picks=(1, 1, 1),
                annotations=tuple(
                    (kind, _outlines(lines[kind][key])) for kind in _PARTS if key in lines[kind]
                ),
            )
            for key, three in images.items()
        ]  # fmt: skip


def _number(path: Path) -> str:
    return path.stem.rpartition("-")[0]


def _outlines(path: str) -> Annotation:
    beneath = (("equals", 255),) if Path(path).stem in OVER_IMAGE else ()
    return LabelsRef(path, kind="outlines", how=(*beneath, ("flip", "y")))
