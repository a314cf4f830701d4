"""Images in and out, in two to five dimensions, lazily where the format allows it."""

from __future__ import annotations

from bioimage_tasks.io.channels import one_channel
from bioimage_tasks.io.image import Image, Level
from bioimage_tasks.io.labelling import label_names, read_labels, write_labels
from bioimage_tasks.io.names import (
    EVERY_SUFFIX,
    PILLOW_SUFFIXES,
    SUFFIXES,
    TIFF_SUFFIXES,
    VENDOR_SUFFIXES,
    ZARR_SUFFIXES,
    Region,
)
from bioimage_tasks.io.reading import image_shape, open_image, plane_shape, read_image
from bioimage_tasks.io.writing import write_image

__all__ = [
    "EVERY_SUFFIX",
    "PILLOW_SUFFIXES",
    "SUFFIXES",
    "TIFF_SUFFIXES",
    "VENDOR_SUFFIXES",
    "ZARR_SUFFIXES",
    "Image",
    "Level",
    "Region",
    "image_shape",
    "label_names",
    "one_channel",
    "open_image",
    "plane_shape",
    "read_image",
    "read_labels",
    "write_image",
    "write_labels",
]
