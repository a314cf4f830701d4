"""Collections of images: one file each, all with ``images() -> list[ImageRef]``."""

from __future__ import annotations

from bioimage_tasks.datasets.base import Collection, ImageRef, LabelsRef, concatenate, tiles
from bioimage_tasks.datasets.boxes import Boxes, read_boxes, read_points
from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.folder import FolderCollection
from bioimage_tasks.datasets.marks import BoxesRef, PointsRef
from bioimage_tasks.datasets.nuclei_u2os_hand import NucleiU2osHand
from bioimage_tasks.datasets.packaged import PackagedNuclei, mahotas_field, stardist_field
from bioimage_tasks.datasets.registry import get, names, register
from bioimage_tasks.datasets.samples import Samples, sample

__all__ = [
    "Boxes",
    "BoxesRef",
    "Collection",
    "FolderCollection",
    "ImageCollection",
    "ImageRef",
    "LabelsRef",
    "NucleiU2osHand",
    "PackagedNuclei",
    "PointsRef",
    "Samples",
    "concatenate",
    "get",
    "mahotas_field",
    "names",
    "read_boxes",
    "read_points",
    "register",
    "sample",
    "stardist_field",
    "tiles",
]
