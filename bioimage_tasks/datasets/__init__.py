"""Collections of images: one file each, all with ``images() -> list[ImageRef]``."""

from __future__ import annotations

from bioimage_tasks.datasets.base import Collection, ImageRef, LabelsRef, concatenate, tiles
from bioimage_tasks.datasets.batches import batches
from bioimage_tasks.datasets.boxes import Boxes, read_boxes, read_points
from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.config import Config, read_config
from bioimage_tasks.datasets.csv_table import CsvCollection
from bioimage_tasks.datasets.folder import FolderCollection
from bioimage_tasks.datasets.marks import BoxesRef, PointsRef
from bioimage_tasks.datasets.nuclei_u2os_hand import NucleiU2osHand
from bioimage_tasks.datasets.packaged import PackagedNuclei, mahotas_field, stardist_field
from bioimage_tasks.datasets.registry import get, names, register
from bioimage_tasks.datasets.samples import Samples, sample
from bioimage_tasks.datasets.splits import (
    group_folds,
    random_split,
    split_by_group,
    split_by_indices,
    subset,
)

__all__ = [
    "Boxes",
    "BoxesRef",
    "Collection",
    "Config",
    "CsvCollection",
    "FolderCollection",
    "ImageCollection",
    "ImageRef",
    "LabelsRef",
    "NucleiU2osHand",
    "PackagedNuclei",
    "PointsRef",
    "Samples",
    "batches",
    "concatenate",
    "get",
    "group_folds",
    "mahotas_field",
    "names",
    "random_split",
    "read_boxes",
    "read_config",
    "read_points",
    "register",
    "sample",
    "split_by_group",
    "split_by_indices",
    "stardist_field",
    "subset",
    "tiles",
]
