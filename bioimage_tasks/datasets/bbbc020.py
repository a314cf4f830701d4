"""BBBC020: mouse macrophages, one mask for each nucleus and each cell.

The unpacked archives come in, references go out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

from bioimage_tasks.datasets.base import Annotation, ImageRef, LabelsRef
from bioimage_tasks.datasets.pairing import files, keyed, named
from bioimage_tasks.datasets.published import BBBC_CITATION, Published
from bioimage_tasks.datasets.registry import register
from bioimage_tasks.datasets.remote import bbbc

_PARTS = {"nuclei": "c5", "cells": "c1"}
#: A series of five fields was published without masks.
_WITHOUT = "jw-30min"


@register
class Bbbc020(Published):
    """Macrophages, 25 fields, 20 annotated: ``Bbbc020(root, annotation="cells").images()``."""

    name = "bbbc020"
    acronym = "BBBC020"
    title = "mouse bone-marrow macrophages, nuclei and surface"
    licence = "stated on its page (CC BY 3.0 according to a copy elsewhere)"
    citation = f"BBBC020v1; {BBBC_CITATION}"
    url = "https://bbbc.broadinstitute.org/BBBC020"
    layout = (
        "BBBC020_v1_images/<name>/<name>_(c1+c5).TIF, "
        "BBC020_v1_outlines_{nuclei,cells}/<name>_{c5,c1}_<k>.TIF"
    )
    expected = ("BBBC020_v1_images/*/*_(c1+c5).tif", "BB*C020_v1_outlines_nuclei/*.tif")
    channel_names = ("cells", "nuclei")
    annotation_names = tuple(_PARTS)
    annotated = "20 of 25 images, nuclei and cells that are whole and sharp"
    grouping = "time of treatment: control, 15min, 30min, 1h, 2h or 24h"
    quirks = (
        "the merged RGB file is read: red equals green and shows the cells, blue the nuclei",
        "folders of masks lack a B (BBC020): either name is taken",
        "a mask of size zero (jw-15min 5_c5_43) is no object; the series 30min has no masks",
        "nuclei that overlap, are blurred or cut by the border have no mask",
    )
    remotes = bbbc(
        "BBBC020",
        BBBC020_v1_images="edf4a87be957ec2b7ab268bef92c2efae8e098dc0855a4fa9df80895ff7062e4",
        BBBC020_v1_outlines_nuclei=(
            "b212f10013ae2a0260976cff2134204ecba226853922aea2ab5289051a47ceb7"
        ),
        BBBC020_v1_outlines_cells=(
            "6f65b05eb5d5c52829004760a01a93c07863676547605516b6e5fce47f8516d5"
        ),
    )

    def list_images(self, root: Path, part: str) -> list[ImageRef]:
        """Return the fields, sorted by name.

        Raises
        ------
        FileNotFoundError
            A folder is missing, a field has no mask of a nucleus, or a mask has no field.
        """
        images = keyed(files(root, "BBBC020_v1_images/*/*_(c1+c5).tif"), _field)
        masks = {kind: _masks(root, kind, end) for kind, end in _PARTS.items()}
        alone = [
            f"{path} has no masks of nuclei"
            for key, path in images.items()
            if key not in masks["nuclei"] and not key.startswith(_WITHOUT)
        ]
        alone += [
            f"{paths[0]} has no image"
            for found in masks.values()
            for key, paths in found.items()
            if key not in images
        ]
        if alone:
            raise FileNotFoundError(f"images and masks must come together; got {named(alone)}")
        return [
            ImageRef(
                path, group=_series(key), name=key, channel_paths=(path, path), picks=(0, 2),
                annotations=tuple(_annotations(key, masks)), info=(("complete", False),),
            )
            for key, path in images.items()
        ]  # fmt: skip


def _field(path: Path) -> str:
    return path.stem.rpartition("_")[0]


def _masks(root: Path, kind: str, end: str) -> dict[str, list[str]]:
    """Return field -> masks of its objects in order of their numbers."""
    found: dict[str, list[tuple[int, str]]] = defaultdict(list)
    folders = f"BB*C020_v1_outlines_{kind}"
    if kind != "nuclei" and not list(root.glob(folders)):
        return {}
    for path in files(root, f"{folders}/*.tif"):
        named_as = re.fullmatch(rf"(.+)_{end}_(\d+)", path.stem)
        if named_as and path.stat().st_size:
            found[named_as[1]].append((int(named_as[2]), str(path)))
    return {key: [path for _number, path in sorted(masks)] for key, masks in found.items()}


def _annotations(key: str, masks: dict[str, dict[str, list[str]]]) -> list[tuple[str, Annotation]]:
    return [
        (kind, LabelsRef(found[key][0], kind="masks", paths=tuple(found[key])))
        for kind, found in masks.items()
        if key in found
    ]


def _series(key: str) -> str:
    words = key.removeprefix("jw-").partition(" ")[0]
    return "control" if words.startswith("Kontrolle") else words
