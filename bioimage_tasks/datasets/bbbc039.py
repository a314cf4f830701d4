"""BBBC039: nuclei of U2OS cells in a chemical screen, labelled by hand.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.pairing import named
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

_LISTS = {"training": ("training", "validation"), "test": ("test",)}


@register
class Bbbc039(Published):
    """Nuclei under 200 compounds, 150 + 50 fields: ``Bbbc039(root, part="test").images()``."""

    name = "bbbc039"
    acronym = "BBBC039"
    title = "U2OS nuclei under 200 compounds"
    licence = "CC0 1.0"
    citation = (
        "Caicedo et al. Evaluation of deep learning strategies for nucleus segmentation in "
        "fluorescence images. Cytometry A 95:952 (2019), "
        f"doi:10.1002/cyto.a.23863; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC039"
    layout = "images/<name>.tif, masks/<name>.png (RGBA), metadata/{training,validation,test}.txt"
    expected = ("images/*.tif", "masks/*.png", "metadata/training.txt")
    parts = ("training", "test")
    annotated = "200 images, every nucleus"
    grouping = ""
    quirks = (
        "12 bits in uint16: 4095 is the most",
        "numbers lie in the red channel: 1 for all nuclei that stand alone, more where they "
        "touch; each component of each number is an object, 16-bit or more of them",
        "training and validation are one part; info list tells them apart",
        "one field per compound, and the plates are not told apart: no groups",
    )
    remotes = bbbc(
        "BBBC039",
        images="6f30a5d4fe38c928ded972704f085975f8dc0d65d9aa366df00e5a9d449fddd7",
        masks="f9e6043d8ca56344a4886f96a700d804d6ee982f31e2b2cd3194af2a053c2710",
        metadata="a2c1f900bed9ba92a99553efd4c2ae98598433691c7401d818653ab61110deb2",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields in the order of the publishers' lists.

        Raises
        ------
        FileNotFoundError
            A list, an image or a mask is missing.
        """
        found, absent = [], []
        for listed in _LISTS[part]:
            for name in _names(root / "metadata" / f"{listed}.txt"):
                image, mask = root / "images" / f"{name}.tif", root / "masks" / f"{name}.png"
                absent += [str(path) for path in (image, mask) if not path.is_file()]
                gold = LabelsRef(str(mask), kind="components", how=(("channel", 0),))
                found.append(
                    ImageRef(
                        str(image), name=name, annotations=(("nuclei", gold),),
                        info=(("list", listed),),
                    )
                )  # fmt: skip
        if absent:
            raise FileNotFoundError(f"every listed field must be there; got no {named(absent)}")
        return found


def _names(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"the publishers' division must exist; got no {path}")
    return [Path(line.strip()).stem for line in path.read_text().splitlines() if line.strip()]
