"""Neutrophil extracellular traps: how much of an image they cover, by two humans.

The folder comes in, references with both channels and the coverage go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.annotations.files import Row, table
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import by_end, channel_files
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register

_SPLIT = by_end({"dna": ("_dna",), "protein": ("_protein",)})
_TABLE, _FIRST, _SECOND = "coverage.csv", "net_fraction_human1", "net_fraction_human2"


@register
class NetsCoverage(Published):
    """NETs in 42 fields of 15 samples: ``NetsCoverage(root)[0]["image"].shape``."""

    name = "nets-coverage"
    title = "neutrophil extracellular traps, DNA and protein"
    licence = "none stated for the data; the code beside it is MIT"
    citation = (
        "Coelho et al. Automatic determination of NET (neutrophil extracellular traps) "
        "coverage in fluorescent microscopy images. Bioinformatics 31:2364 (2015), "
        "doi:10.1093/bioinformatics/btv156"
    )
    url = "https://github.com/luispedro/Coelho2015_NetsDetermination"
    layout = "images/image_SS_FF_{dna,protein,rois,rois2}.png, coverage.csv"
    expected = ("images/*_dna.png", "images/*_protein.png", "images/*_rois.png", _TABLE)
    channel_names = ("dna", "protein")
    annotation_names = ("human1", "human2")
    annotated = "42 images, areas by one human, 13 of them by a second"
    grouping = "sample: SS of the name, the experiment"
    quirks = (
        "info: coverage is the fraction of pixels that the first human called NET, coverage_2 "
        "the second's where there is one",
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by sample and number.

        Raises
        ------
        FileNotFoundError
            A folder, a channel, the areas of the first human or a row of the table is
            missing.
        """
        images = channel_files(
            files(root, "images/*_dna.png", "images/*_protein.png"), _SPLIT, ("dna", "protein")
        )
        first = {key: both[0] for key, both in images.items()}
        one = keyed(files(root, "images/*_rois.png"), _key)
        check_partners(first, one, "areas")
        two = keyed(root.glob("images/*_rois2.png"), _key)
        rows = {row["image"]: row for row in _rows(root)}
        check_partners(first, dict.fromkeys(rows, _TABLE), f"row of {_TABLE}")
        return [
            ImageRef(
                both[0], group=rows[key]["sample"], name=key, channel_paths=both,
                annotations=tuple(
                    (who, LabelsRef(areas[key]))
                    for who, areas in (("human1", one), ("human2", two)) if key in areas
                ),
                info=_info(rows[key]),
            )
            for key, both in images.items()
        ]  # fmt: skip


def _key(path: Path) -> str:
    return path.stem.rpartition("_")[0]


def _rows(root: Path) -> tuple[Row, ...]:
    if not (root / _TABLE).is_file():
        raise FileNotFoundError(f"the coverage must lie in {_TABLE}; got no {root / _TABLE}")
    return table(str(root / _TABLE), ("image", "sample", _FIRST, _SECOND))


def _info(row: Row) -> tuple[tuple[str, float], ...]:
    second = (("coverage_2", float(row[_SECOND])),) if row[_SECOND] else ()
    return (("coverage", float(row[_FIRST])), *second)
