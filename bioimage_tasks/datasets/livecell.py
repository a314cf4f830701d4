"""Living cells in phase contrast, 1.6 million of eight lines (LIVECell).

The unpacked archive and the COCO files come in, references go out.
"""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import inside
from bioimage_tasks.datasets.pairing import files, keyed, named
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import Remote

_STORE = "https://livecell-dataset.s3.eu-central-1.amazonaws.com/LIVECell_dataset_2021"
_FILE_NAME = re.compile(rb'"file_name"\s*:\s*"([^"]+)"')
_PARTS = {"training": ("train", "val"), "test": ("test",)}


@register
class LiveCell(Published):
    """Living cells without a label, 3727 + 1512 images: ``LiveCell(root, part="test")``."""

    name = "livecell"
    acronym = "LIVECell"
    title = "living cells of eight lines, phase contrast"
    licence = "CC BY-NC 4.0"
    citation = (
        "Edlund et al. LIVECell: a large-scale dataset for label-free live cell segmentation. "
        "Nature Methods 18:1038 (2021), doi:10.1038/s41592-021-01249-6"
    )
    url = "https://sartorius-research.github.io/LIVECell/"
    layout = (
        "images/livecell_train_val_images/*.tif, images/livecell_test_images/*.tif (or without "
        "images/, or in a folder per cell line), livecell_coco_{train,val,test}.json"
    )
    expected = ("**/livecell_train_val_images/**/*.tif", "livecell_coco_*.json")
    parts = ("training", "test")
    annotated = "3,727 + 1,512 images, every cell, as polygons"
    grouping = "cell line and well: a well is photographed again and again"
    quirks = (
        "training and validation images share a folder: what annotates an image is looked up",
        "polygons overlap: a pixel belongs to the smaller cell, no label is lost",
        "the json files have hundreds of megabytes; the first labels take a while",
    )
    remotes = (
        Remote(f"{_STORE}/images.zip"),
        Remote(f"{_STORE}/annotations/LIVECell/livecell_coco_train.json"),
        Remote(f"{_STORE}/annotations/LIVECell/livecell_coco_val.json"),
        Remote(f"{_STORE}/annotations/LIVECell/livecell_coco_test.json"),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images of a part, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder or an annotation file is missing, or an image and its annotation
            don't come together.
        """
        folder = "livecell_train_val_images" if part == "training" else "livecell_test_images"
        images = keyed(files(inside(root, "images") / folder, "*.tif", "*/*.tif"), _name)
        told: dict[str, str] = {}
        for end in _PARTS[part]:
            path = root / f"livecell_coco_{end}.json"
            if not path.is_file():
                raise FileNotFoundError(f"the annotation {path.name} must exist; got no {path}")
            told |= dict.fromkeys(annotated_names(path), str(path))
        _check(images, told)
        return [
            ImageRef(
                path, group=_group(name), name=Path(name).stem,
                annotations=(("cells", LabelsRef(told[name], kind="coco", select=name)),),
            )
            for name, path in images.items()
        ]  # fmt: skip


def annotated_names(path: Path) -> set[str]:
    """Return the file names that a COCO file knows, without parsing its polygons."""
    if not path.stat().st_size:
        return set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return {Path(name.decode()).name for name in _FILE_NAME.findall(text)}


def _check(images: dict[str, str], told: dict[str, str]) -> None:
    alone = [f"{path} is in no annotation" for name, path in images.items() if name not in told]
    alone += [f"{name} of {path} is no file" for name, path in told.items() if name not in images]
    if alone:
        raise FileNotFoundError(f"images and annotations must come in pairs; got {named(alone)}")


def _name(path: Path) -> str:
    return path.name


def _group(name: str) -> str:
    """Return the cell line and well of ``A172_Phase_A7_1_00d00h00m_1.tif``."""
    parts = name.split("_")
    return f"{parts[0]}-{parts[2]}" if len(parts) > 3 else parts[0]
