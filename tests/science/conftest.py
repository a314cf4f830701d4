"""Real images for the science tests, and where the shared collections are looked for."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import datasets

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("BIOIMAGE_TASKS_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def field():
    """StarDist's sample: pixels and hand-drawn labels of 125 nuclei."""
    try:
        image = datasets.stardist_field()
    except FileNotFoundError as missing:
        pytest.skip(str(missing))
    return image.read(), image.gold.read()


@pytest.fixture(scope="session")
def plain_field():
    """mahotas' sample: large nuclei, no gold standard."""
    return datasets.mahotas_field().read()


@pytest.fixture(scope="session")
def collection():
    """Find a shared collection's folder by name, or skip with the reason."""

    def folder(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(
                f"{DATA / name} is absent; set BIOIMAGE_TASKS_DATA to the folder that has it"
            )
        return DATA / name

    return folder


@pytest.fixture
def discs():
    """A clean scene: 12 discs of radius 9 on a grid, and its labels."""
    labels = np.zeros((96, 128), dtype=np.int32)
    rows, columns = np.mgrid[:96, :128]
    centres = [(y, x) for y in (16, 48, 80) for x in (16, 48, 80, 112)]
    for number, (y, x) in enumerate(centres, 1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= 81] = number
    noise = np.random.default_rng(0).normal(0, 4, labels.shape)
    image = np.clip(20 + 100 * (labels > 0) + noise, 0, 255).astype(np.uint8)
    return image, labels
