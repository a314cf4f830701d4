"""BBBC021: MCF7 cells treated with 113 compounds, the set for modes of action.

The unpacked archives and the tables come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.annotations.files import table
from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.layouts import by_pattern, channel_files
from bioimage_tasks.datasets.pairing import files
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import BBBC, Remote, bbbc

_SPLIT = by_pattern(
    r"(?P<key>.+?)_w(?P<channel>[124]).*",
    {"1": "dna", "2": "tubulin", "4": "actin"},
)
_FILE, _COMPOUND = "Image_FileName_DAPI", "Image_Metadata_Compound"
_DOSE = "Image_Metadata_Concentration"

#: Plates of each week.
PLATES = {
    1: (22123, 22141, 22161, 22361, 22381, 22401),
    2: (24121, 24141, 24161, 24361, 24381, 24401),
    3: (25421, 25441, 25461, 25681, 25701, 25721),
    4: (27481, 27521, 27542, 27801, 27821, 27861),
    5: (28901, 28921, 28961, 29301, 29321, 29341),
    6: (31641, 31661, 31681, 32061, 32121, 32161),
    7: (34341, 34381, 34641, 34661, 34681),
    8: (38203, 38221, 38241, 38341, 38342),
    9: (39206, 39221, 39222, 39282, 39283, 39301),
    10: (40111, 40115, 40119),
}


@register
class Bbbc021(Published):
    """Cells under 113 compounds, 13,200 fields: ``Bbbc021(root, channels="actin").images()``."""

    name = "bbbc021"
    acronym = "BBBC021"
    title = "MCF7, compounds at eight doses: DNA, tubulin and actin"
    licence = "stated on its page"
    citation = (
        "Caie et al. High-content phenotypic profiling of drug response signatures across "
        "distinct cancer cells. Mol. Cancer Ther. 9:1913 (2010), "
        f"doi:10.1158/1535-7163.MCT-09-1148; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC021"
    layout = (
        "Week<n>_<plate>/*_<well>_s<site>_w{1,2,4}<uuid>.tif, BBBC021_v1_image.csv and "
        "BBBC021_v1_moa.csv (optional)"
    )
    expected = ("Week*/*.tif",)
    channel_names = ("dna", "tubulin", "actin")
    annotated = "13,200 images; compound, dose and mode of action in tables"
    grouping = "plate: the folder; to leave out compounds, group by info compound"
    quirks = (
        "w2 is tubulin and w4 is actin, there is no w3",
        "fetch takes the tables and the first plate, 750 MB; --only 'BBBC021_v1_images_Week2*' "
        "the plates of a week",
        "without the tables info is empty",
    )
    remotes = (
        Remote(f"{BBBC}/BBBC021/BBBC021_v1_image.csv"),
        Remote(f"{BBBC}/BBBC021/BBBC021_v1_moa.csv"),
        *(
            remote
            for week, plates in PLATES.items()
            for plate in plates
            for remote in bbbc("BBBC021", **{f"BBBC021_v1_images_Week{week}_{plate}": ""})
        ),
    )
    first = (
        "BBBC021_v1_image.csv",
        "BBBC021_v1_moa.csv",
        "BBBC021_v1_images_Week1_22123.zip",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by plate, well and site.

        Raises
        ------
        FileNotFoundError
            There is no plate, or a channel is missing.
        """
        found = channel_files(files(root, "Week*/*.tif"), _split, self.channel_names)
        known = _treatments(root)
        return [
            ImageRef(
                three[0], group=key.partition("/")[0], name=key, channel_paths=three,
                info=known.get((key.partition("/")[0], Path(three[0]).name), ()),
            )
            for key, three in found.items()
        ]  # fmt: skip


def _split(path: Path) -> tuple[str, str] | None:
    parts = _SPLIT(path)
    return None if parts is None else (f"{path.parent.name}/{parts[0]}", parts[1])


def _treatments(root: Path) -> dict[tuple[str, str], tuple[tuple[str, str], ...]]:
    """Return (plate, DNA file) -> what was done to the cells."""
    images, modes = root / "BBBC021_v1_image.csv", root / "BBBC021_v1_moa.csv"
    if not images.is_file():
        return {}
    moa = {}
    if modes.is_file():
        rows = table(str(modes), ("compound", "concentration", "moa"))
        moa = {(row["compound"], float(row["concentration"])): row["moa"] for row in rows}
    known = {}
    plate = "Image_Metadata_Plate_DAPI"
    for row in table(str(images), (_FILE, plate, _COMPOUND, _DOSE)):
        compound, dose = row[_COMPOUND], row[_DOSE]
        mode = moa.get((compound, float(dose)), "")
        known[row[plate], row[_FILE]] = (
            ("compound", compound),
            ("concentration", dose),
            *((("moa", mode),) if mode else ()),
        )
    return known
