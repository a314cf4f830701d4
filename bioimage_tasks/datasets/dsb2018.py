"""Nuclei of the 2018 Data Science Bowl (BBBC038, stage 1), of many laboratories.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

from pathlib import Path

from bioimage_tasks.datasets.annotations.files import table
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.datasets.layouts import colours, size_group
from bioimage_tasks.datasets.pairing import files, named
from bioimage_tasks.datasets.published import Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import BBBC, Remote


@register
class Dsb2018(Published):
    """Nuclei in fluorescence, H&E and brightfield: ``Dsb2018(root, part="test")``."""

    name = "dsb2018"
    acronym = "DSB2018"
    title = "nuclei of many laboratories, fluorescence, H&E and brightfield"
    licence = "CC0 1.0"
    citation = (
        "Caicedo et al. Nucleus segmentation across imaging experiments: the 2018 Data "
        "Science Bowl. Nature Methods 16:1247 (2019), doi:10.1038/s41592-019-0612-7"
    )
    url = "https://bbbc.broadinstitute.org/BBBC038"
    layout = (
        "stage1_train/<id>/images/<id>.png, stage1_train/<id>/masks/*.png (one per nucleus), "
        "stage1_train_labels.csv; stage1_test/<id>/images/<id>.png, stage1_solution.csv"
    )
    expected = ("stage1_train/*/images/*.png", "stage1_train/*/masks/*.png")
    parts = ("training", "test")
    channel_names = ("red", "green", "blue")
    annotated = "670 + 65 images, every nucleus"
    grouping = "image size, a stand-in for the laboratory, which is not told"
    quirks = (
        "RGBA throughout, grey images too: red, green and blue are read, alpha is dropped",
        "up to hundreds of masks per image, numbered in the order of their names",
        "run lengths of the test part count from 1, down the columns",
    )
    remotes = (
        Remote(f"{BBBC}/BBBC038/stage1_train.zip", into="stage1_train"),
        Remote(f"{BBBC}/BBBC038/stage1_train_labels.csv"),
        Remote(f"{BBBC}/BBBC038/stage1_test.zip", into="stage1_test"),
        Remote(f"{BBBC}/BBBC038/stage1_solution.csv"),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the images of a part, sorted by identifier.

        Raises
        ------
        FileNotFoundError
            An image of the tables is missing, or has no masks.
        """
        folder = "stage1_train" if part == "training" else "stage1_test"
        found = {path.stem: path for path in files(root, f"{folder}/*/images/*.png")}
        if part == "training":
            _check_complete(root / "stage1_train_labels.csv", found)
            gold = {name: _masks(path) for name, path in found.items()}
        else:
            solution = root / "stage1_solution.csv"
            _check_complete(solution, found, needed=True)
            gold = {name: LabelsRef(str(solution), kind="runs", select=name) for name in found}
        return [
            ImageRef(
                str(path), group=size_group(path), name=name, channel=colours(path),
                annotations=(("nuclei", gold[name]),),
            )
            for name, path in found.items()
        ]  # fmt: skip


def _check_complete(csv: Path, found: dict[str, Path], *, needed: bool = False) -> None:
    """Raise unless the images of a table and those of the folder are the same."""
    if not csv.is_file():
        if needed:
            raise FileNotFoundError(f"the annotation of the test part must exist; got no {csv}")
        return
    told = {row["ImageId"] for row in table(str(csv), ("ImageId",))}
    absent = sorted(told - set(found))
    if absent:
        raise FileNotFoundError(f"every image of {csv} must be there; got no {named(absent)}")
    if needed and set(found) - told:
        raise FileNotFoundError(
            f"{csv} must annotate every image; got no {named(sorted(set(found) - told))}"
        )


def _masks(image: Path) -> LabelsRef:
    masks = tuple(str(path) for path in sorted(image.parent.parent.glob("masks/*.png")))
    if not masks:
        raise FileNotFoundError(f"every image must have masks beside it; got none for {image}")
    return LabelsRef(masks[0], kind="masks", paths=masks)
