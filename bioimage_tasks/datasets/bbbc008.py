"""BBBC008: human HT29 colon-cancer cells, foreground of nuclei and cells.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import by_end, channel_files, well
from bioimage_tasks.datasets.pairing import check_partners, files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

_SPLIT = by_end(
    {
        "dna": ("channel1", "ch1", "d0", "w1", "dna"),
        "actin": ("channel3", "channel2", "ch3", "ch2", "d1", "d2", "w2", "w3", "actin"),
    }
)
_FOREGROUND = (("invert", True),)


@register
class Bbbc008(Published):
    """HT29 cells, 12 fields: ``Bbbc008(root, annotation="cells").images()``."""

    name = "bbbc008"
    acronym = "BBBC008"
    title = "human HT29 cells, nuclei and actin"
    licence = "CC BY-NC-SA 3.0"
    citation = (
        "Carpenter et al. CellProfiler: image analysis software for identifying and "
        "quantifying cell phenotypes. Genome Biology 7:R100 (2006), "
        f"doi:10.1186/gb-2006-7-10-r100; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC008"
    layout = (
        "human_ht29_colon_cancer_2_images/*_channel{1,3}.tif, "
        "human_ht29_colon_cancer_2_foreground/*_channel{1,3}.tif (bool)"
    )
    expected = (
        "human_ht29_colon_cancer_2_images/*.tif",
        "human_ht29_colon_cancer_2_foreground/*.tif",
    )
    channel_names = ("dna", "actin")
    annotation_names = ("nuclei", "cells")
    annotated = "12 images, foreground of nuclei and of cells"
    grouping = "well, of which there are two"
    quirks = (
        "in the masks 1 is background and 0 foreground: turned round",
        "foreground only: objects that touch are one",
    )
    remotes = bbbc("BBBC008", BBBC008_v1_images="", BBBC008_v1_foreground="")

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder, a channel or a mask is missing.
        """
        base = "human_ht29_colon_cancer_2"
        images = channel_files(files(root, f"{base}_images/*.tif"), _SPLIT, ("dna", "actin"))
        masks = channel_files(files(root, f"{base}_foreground/*.tif"), _SPLIT, ("dna", "actin"))
        check_partners(
            {key: both[0] for key, both in images.items()},
            {key: both[0] for key, both in masks.items()},
            "mask",
        )
        return [
            ImageRef(
                both[0], group=well(key), name=key, channel_paths=both,
                annotations=(
                    ("nuclei", LabelsRef(masks[key][0], kind="foreground", how=_FOREGROUND)),
                    ("cells", LabelsRef(masks[key][1], kind="foreground", how=_FOREGROUND)),
                ),
            )
            for key, both in images.items()
        ]  # fmt: skip
