"""BBBC041: blood smears with malaria parasites (P. vivax), a box around every cell.

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from bioimage_tasks.datasets.annotations.files import load_json
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import inside
from bioimage_tasks.datasets.marks import BoxesRef
from bioimage_tasks.datasets.pairing import named
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import BBBC, Remote

#: What a box may hold.
CATEGORIES = (
    "red blood cell", "leukocyte", "gametocyte", "ring", "trophozoite", "schizont", "difficult",
)  # fmt: skip


@register
class Bbbc041(Published):
    """Blood smears with boxes, 1,208 + 120 images: ``Bbbc041(root).images()[0].marks("boxes")``."""

    name = "bbbc041"
    acronym = "BBBC041"
    title = "blood smears with malaria parasites, Giemsa"
    licence = "CC BY-NC-SA 3.0"
    citation = (
        "Hung et al. Keras R-CNN: library for cell detection in biological images using deep "
        f"neural networks. BMC Bioinformatics 21:300 (2020), doi:10.1186/s12859-020-03635-x; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC041"
    layout = "malaria/{training,test}.json, malaria/images/*.{png,jpg}"
    expected = ("**/training.json", "**/images/*")
    parts = ("training", "test")
    channel_names = ("red", "green", "blue")
    annotated = "1,208 + 120 images, a box and one of 7 categories for every cell"
    grouping = "image size, a stand-in for the laboratory, of which there were three"
    quirks = (
        "paths in the json begin with a slash: taken as below the folder",
        "info: count of all boxes, and n_<category> of each category",
    )
    remotes = (Remote(f"{BBBC}/BBBC041/malaria.zip"),)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images in the order of the json.

        Raises
        ------
        FileNotFoundError
            The json or an image is missing.
        """
        folder = inside(root, "malaria")
        json = folder / f"{part}.json"
        if not json.is_file():
            raise FileNotFoundError(f"the annotation {json.name} must exist; got no {json}")
        entries = load_json("Bbbc041", str(json))
        found = [_reference(folder, str(json), entry) for entry in entries]
        absent = [image.path for image in found if not Path(image.path).is_file()]
        if absent:
            raise FileNotFoundError(f"every image of {json} must be there; got no {named(absent)}")
        return found


def _reference(folder: Path, json: str, entry: dict[str, Any]) -> ImageRef:
    inner = str(entry["image"]["pathname"])
    shape = entry["image"]["shape"]
    kinds = Counter(str(found["category"]) for found in entry["objects"])
    counts = tuple((f"n_{kind}", kinds[kind]) for kind in CATEGORIES if kinds[kind])
    return ImageRef(
        str(folder / inner.lstrip("/")), group=f"{shape['r']}x{shape['c']}", channel=(0, 1, 2),
        annotations=(("boxes", BoxesRef(json, kind="objects-json", select=inner)),),
        info=(("count", len(entry["objects"])), *counts),
    )  # fmt: skip
