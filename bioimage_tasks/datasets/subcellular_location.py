"""Where a tagged protein sits in the cell: 2 locations, 8 proteins, 104 fields.

The folder comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.annotations.files import table
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register


@register
class SubcellularLocation(Published):
    """Tagged proteins, widefield: ``SubcellularLocation(root).images()[0].about("location")``."""

    name = "subcellular-location"
    title = "tagged proteins of two locations, widefield fluorescence"
    licence = "CC BY; preprocessed to JPEG: not for research, by its source"
    citation = (
        "Coelho et al. Determining the subcellular location of new proteins from microscope "
        "images using local features. Bioinformatics 29:2343 (2013), "
        "doi:10.1093/bioinformatics/btt392"
    )
    url = "https://github.com/luispedro/python-image-tutorial"
    layout = "<location>/PP-NNN-protein.jpeg, labels.csv (file, location, protein)"
    expected = ("*/*.jpeg", "labels.csv")
    annotated = "104 images, location and protein"
    grouping = "protein: what must not be split, as the finding of the paper says"
    quirks = ("info: location (the class) and protein",)

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by location, protein and number.

        Raises
        ------
        FileNotFoundError
            The table, a field or its row is missing.
        """
        labels = root / "labels.csv"
        if not labels.is_file():
            raise FileNotFoundError(f"the classes must lie in labels.csv; got no {labels}")
        rows = {row["file"]: row for row in table(str(labels), ("file", "location", "protein"))}
        images = keyed(files(root, "*/*.jpeg"), _key)
        check_partners(images, dict.fromkeys(rows, str(labels)), "row of labels.csv")
        return [
            ImageRef(
                path, group=rows[key]["protein"], name=key.removesuffix("-protein.jpeg"),
                info=(("location", rows[key]["location"]), ("protein", rows[key]["protein"])),
            )
            for key, path in images.items()
        ]  # fmt: skip


def _key(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
