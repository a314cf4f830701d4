"""BBBC002: Drosophila Kc167 nuclei, counted by two humans.

The unpacked archive comes in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import check_partners, files, keyed
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import BBBC, Remote, bbbc

_COUNTS = "BBBC002_v1_counts.txt"


@register
class Bbbc002(Published):
    """Drosophila nuclei, 50 fields of 5 samples: ``Bbbc002(root).images()``."""

    name = "bbbc002"
    acronym = "BBBC002"
    title = "Drosophila Kc167 nuclei after gene knock-down"
    licence = "stated on its page"
    citation = (
        "Carpenter et al. CellProfiler: image analysis software for identifying and "
        "quantifying cell phenotypes. Genome Biology 7:R100 (2006), "
        f"doi:10.1186/gb-2006-7-10-r100; {BBBC_CITATION}"
    )
    url = "https://bbbc.broadinstitute.org/BBBC002"
    layout = f"drosophila_kc167_1_images/*.TIF, {_COUNTS} (optional: name, two counts)"
    expected = ("drosophila_kc167_1_images/*.tif",)
    annotated = "50 images, counts by two humans"
    grouping = "sample: the gene in the name (48, 340, Anillin, mad2, nodsRNA)"
    quirks = (
        "info: count is the mean of count_1 and count_2; nothing without the table of counts",
        "outlines of three fields (ImageJ regions) are not read",
    )
    remotes = (*bbbc("BBBC002", BBBC002_v1_images=""), Remote(f"{BBBC}/BBBC002/{_COUNTS}"))

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by name, with their counts as ``info``.

        Raises
        ------
        FileNotFoundError
            The folder is missing, or a field and its counts don't come together.
        ValueError
            A row of the table is no name with two numbers.
        """
        images = keyed(files(root, "drosophila_kc167_1_images/*.tif"))
        counts = _counts(root / _COUNTS)
        if counts:
            check_partners(images, dict.fromkeys(counts, _COUNTS), f"row of {_COUNTS}")
        return [
            ImageRef(path, group=_sample(name), name=name, info=_info(counts.get(name)))
            for name, path in images.items()
        ]


def _counts(path: Path) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    if not path.is_file():
        return found
    for line in path.read_text(encoding="latin-1").splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not (words[1].isdigit() and words[2].isdigit()):
            raise ValueError(
                f"a row of counts must be a name and two numbers; got {line!r} in {path}"
            )
        found[Path(words[0]).stem] = (int(words[1]), int(words[2]))
    return found


def _info(counts: tuple[int, int] | None) -> tuple[tuple[str, float], ...]:
    if counts is None:
        return ()
    return (("count", sum(counts) / 2), ("count_1", counts[0]), ("count_2", counts[1]))


def _sample(name: str) -> str:
    parts = name.split("_")
    return parts[1] if len(parts) > 1 else ""
