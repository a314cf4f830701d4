"""Collections of images: one file each, all with ``images() -> list[ImageRef]``."""

from __future__ import annotations

from bioimage_tasks.datasets.base import Collection, ImageRef, LabelsRef, concatenate, tiles
from bioimage_tasks.datasets.folder import FolderCollection
from bioimage_tasks.datasets.nuclei_u2os_hand import NucleiU2osHand
from bioimage_tasks.datasets.packaged import PackagedNuclei, mahotas_field, stardist_field

__all__ = [
    "Collection",
    "FolderCollection",
    "ImageRef",
    "LabelsRef",
    "NucleiU2osHand",
    "PackagedNuclei",
    "concatenate",
    "mahotas_field",
    "stardist_field",
    "tiles",
]
