"""Form of all objects at once against scikit-image's regionprops on each: real and hard ones."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bioimage_tasks.checks import sequential
from bioimage_tasks.features import compute, holes
from bioimage_tasks.features.outlines import euler_numbers
from bioimage_tasks.features.runs import Runs

SAME = {
    "area": "area", "perimeter": "perimeter", "eccentricity": "eccentricity",
    "solidity": "solidity", "extent": "extent", "axis_major": "axis_major_length",
    "axis_minor": "axis_minor_length", "diameter": "equivalent_diameter_area",
    "feret": "feret_diameter_max",
}  # fmt: skip
#: What scikit-image leaves of rounding in lines (minor axis 0), round objects, and moments
#: that are 0 by symmetry, of which logarithms are taken.
LOOSE = {"axis_minor": 2e-7, "eccentricity": 2e-7, **{f"hu_{rank}": 1e-7 for rank in range(1, 8)}}


def differences(labels):
    """Return the columns that are not scikit-image's."""
    from skimage.measure import regionprops_table

    table = compute(np.zeros(labels.shape), labels, ("shape",), feret=True)
    wanted = (*SAME.values(), "area_filled", "euler_number", "moments_hu")
    theirs = regionprops_table(labels, properties=wanted)
    pairs = {ours: (f"shape_{ours}", theirs[name]) for ours, name in SAME.items()}
    pairs["filled"] = "shape_filled", theirs["area"] / theirs["area_filled"]
    pairs["holes"] = "shape_holes", 1 - theirs["euler_number"]
    for rank in range(7):
        moment = theirs[f"moments_hu-{rank}"]
        pairs[f"hu_{rank + 1}"] = (
            f"shape_hu_{rank + 1}",
            np.sign(moment) * np.log10(1 + 1e12 * np.abs(moment)),
        )
    return [
        name
        for name, (ours, expected) in pairs.items()
        if not np.allclose(table.column(ours), expected, rtol=1e-9, atol=LOOSE.get(name, 1e-9))
    ]


def hard_objects():
    """One pixel, lines, rings, rings in rings, a comb, a spiral, parts apart, at the edges."""
    labels = np.zeros((64, 96), np.int32)
    labels[0, 0], labels[63, 95], labels[0, 5:30], labels[10:40, 0] = 1, 2, 3, 4
    labels[4:24, 6:26], labels[7:21, 9:23] = 5, 0  # a ring around ...
    labels[9:19, 11:21], labels[11:17, 13:19] = 6, 0  # ... a ring around ...
    labels[13:15, 15:17], labels[13:15, 17] = 7, 8  # ... two that touch
    labels[28:50, 6:30] = 9
    labels[30:50, 8:30:4], labels[30:50, 9:30:4] = 0, 0  # a comb
    for turn in range(4):  # a line of corners, and what it encloses only by corners
        labels[34 + turn, 40 + turn] = labels[34 + turn, 40 - turn] = 10
        labels[40 - turn, 40 + turn] = labels[40 - turn, 40 - turn] = 10
    labels[4:20, 32:60], labels[6:20, 34:58], labels[8:20, 40:52] = 11, 0, 11  # parts apart
    labels[30:60, 62:90], labels[32:58, 64:88], labels[35:50, 66:80] = 12, 0, 12  # in each other
    labels[37:40, 68:71], labels[55:64, 2:40] = 0, 13
    labels[57:64, 10:20] = 0  # a bay at the image's edge is no hole
    return sequential(labels)


def random_labels(seed):
    """Return specks, labyrinths, blobs with pinholes and tiles by turns."""
    from scipy.ndimage import gaussian_filter
    from skimage.measure import label

    rng = np.random.default_rng(seed)
    shape, way = rng.integers(20, 60, 2), 1 + seed % 2
    if seed % 4 == 0:
        return label(rng.random(shape) < rng.uniform(0.2, 0.9), connectivity=way).astype(np.int32)
    if seed % 4 == 1:
        return sequential(rng.integers(0, 4, shape))
    if seed % 4 == 2:
        found = label(gaussian_filter(rng.normal(size=shape), 1.5) > rng.uniform(-0.1, 0.1))
        return sequential(np.where(rng.random(shape) < 0.03, 0, found))
    return sequential(label(rng.integers(0, 3, shape), background=-1, connectivity=way))


def test_all_nuclei_of_the_real_field(field):
    assert differences(sequential(field[1])) == []


def test_hand_drawn_nuclei_of_a_collection(collection):
    from bioimage_tasks.datasets import NucleiU2osHand

    for image in NucleiU2osHand(collection("nuclei-u2os-hand")).images()[:2]:
        assert differences(sequential(image.gold.read())) == []


def test_hard_objects():
    labels = hard_objects()
    assert labels.max() == 13
    assert differences(labels) == []
    assert differences(np.ascontiguousarray(labels[::-1].T)) == []


@pytest.mark.parametrize("seed", range(16))
def test_random_objects(seed):
    assert differences(random_labels(seed)) == []


def test_a_wrong_hole_is_seen(monkeypatch):
    """The check above is not blind: without the graph of regions it fails."""
    monkeypatch.setattr(
        holes, "_taken_off", lambda edges, size, outside: (np.zeros_like(size), edges)
    )
    monkeypatch.setattr(holes, "_in_doubt", lambda *_: [])
    assert differences(hard_objects()) == ["filled"]


@pytest.mark.parametrize("seed", range(12))
def test_volumes(seed):
    from scipy.ndimage import gaussian_filter
    from skimage.measure import label, regionprops_table

    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        labels = label(rng.random((9, 11, 13)) < rng.uniform(0.2, 0.85), connectivity=3)
    elif seed % 3 == 1:
        labels = rng.integers(0, 5, (6, 7, 8))
    else:
        labels = label(gaussian_filter(rng.normal(size=(14, 20, 20)), 1.5) > 0, background=-1)
    labels = sequential(labels)
    table = compute(np.zeros(labels.shape), labels, ("shape",))
    wanted = ("area", "area_filled", "equivalent_diameter_area", "extent", "euler_number")
    theirs = regionprops_table(labels, properties=wanted)
    for ours, expected in (
        ("volume", theirs["area"]),
        ("diameter", theirs["equivalent_diameter_area"]),
        ("extent", theirs["extent"]),
        ("euler_number", theirs["euler_number"]),
        ("filled", theirs["area"] / theirs["area_filled"]),
    ):
        assert np.allclose(table.column(f"shape_{ours}"), expected, rtol=1e-9), ours


def test_a_ball_with_a_cavity_and_a_tunnel():
    z, y, x = np.mgrid[:21, :21, :50]
    labels = ((z - 10) ** 2 + (y - 10) ** 2 + (x - 11) ** 2 <= 81).astype(np.int32)
    labels[10, 10, 11] = 0
    labels += 2 * ((z - 10) ** 2 + (y - 10) ** 2 + (x - 35) ** 2 <= 81).astype(np.int32)
    labels[:, 10, 35] = 0
    assert euler_numbers(Runs.of(labels)).tolist() == [2, 0]


def test_the_cost_follows_the_outlines_not_the_number_of_objects_or_their_boxes():
    """Rings around rings: their boxes hold forty times the image. 4,900 tiles cost no more."""
    y, x = np.mgrid[:490, :490]
    rings = (np.hypot(y - 245, x - 245) // 2).astype(np.int32)
    rings[rings > 120] = 0
    tiles = ((y // 7) * 70 + x // 7 + 1).astype(np.int32)
    seconds = {}
    for name, labels in (("tiles", tiles), ("rings", sequential(rings)), ("tiles again", tiles)):
        start = time.process_time()
        table = compute(np.zeros(labels.shape), labels, ("shape",), feret=True)
        seconds[name] = time.process_time() - start
        assert len(table) == labels.max()
    assert max(seconds["rings"], seconds["tiles again"]) < 2.0, seconds
