"""Threshold adjacency of all objects at once against mahotas on each masked crop: equal bits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import find_objects

from bioimage_tasks.checks import sequential
from bioimage_tasks.features import compute, tas

KINDS = ("tas", "pftas")


def of_crops(image, labels, kind):
    import mahotas

    crops = [
        np.where(labels[box] == number, image[box], 0).astype(np.uint8)
        for number, box in enumerate(find_objects(labels), 1)
    ]
    return np.array([getattr(mahotas.features, kind)(crop) for crop in crops])


def of_all(image, labels, kind):
    return compute(image, labels, ("tas",), kind=kind, value_range=(0, 256)).values


@pytest.mark.parametrize("kind", KINDS)
def test_all_nuclei_of_the_real_field(field, kind):
    image, labels = field[0], sequential(field[1])
    assert labels.max() > 100
    assert np.array_equal(of_all(image, labels, kind), of_crops(image, labels, kind))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("top", [2, 3, 60, 256])
def test_random_objects_whose_boxes_overlap(kind, top):
    """Objects in many parts, of one pixel and along the image's edges; few levels tie."""
    rng = np.random.default_rng(top)
    for shape in ((30, 41), (7, 9, 11)):
        labels = rng.integers(0, 4, shape)
        labels[rng.random(shape) < 0.02] = 4
        labels = sequential(labels)
        single = np.where(labels == 4, np.arange(labels.size).reshape(shape), labels)
        for numbers in (labels, sequential(single)):
            image = rng.integers(0, top, shape)
            assert np.array_equal(of_all(image, numbers, kind), of_crops(image, numbers, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_five_thousand_tiles_in_blocks(kind, monkeypatch):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (350, 350)).astype(np.uint8)
    y, x = np.mgrid[:350, :350]
    labels = ((y // 5) * 70 + x // 5 + 1).astype(np.int32)
    monkeypatch.setattr(tas, "BLOCK", 1000)
    ours = of_all(image, labels, kind)
    some = np.where(np.isin(labels, (1, 70, 999, 1000, 1001, 4900)), labels, 0)
    theirs = of_crops(image, sequential(some), kind)
    assert np.array_equal(ours[[0, 69, 998, 999, 1000, 4899]], theirs)


def test_thresholds_are_those_of_mahotas():
    import mahotas

    rng = np.random.default_rng(0)
    tables = rng.integers(0, [[2], [5], [900]] * 20, (60, 256)) * (rng.random((60, 256)) < 0.1)
    tables[0], tables[1, 1:] = 0, 0
    for row, threshold in zip(tables, tas.otsu(tables.astype(np.float64)), strict=True):
        pixels = np.repeat(np.arange(256), row).astype(np.uint8)
        assert threshold == (mahotas.otsu(pixels) if pixels.size else 0)


def test_the_edge_of_a_box_is_a_mirror():
    """In an object one pixel high its bright pixel stands above and below itself too."""
    image = np.zeros((5, 9), np.uint8)
    image[2, 2:7] = 5, 5, 200, 5, 5
    table = compute(image, (image > 0).astype(int), ("tas",), kind="tas")
    assert table.column("tas_band_0") == 0.5
    assert table.column("tas_band_3") == 0.5
    assert table.column("tas_not_band_6") == 1, "left and right, three times each"
