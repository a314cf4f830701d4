"""Stacks of a few planes, thinner than their objects are wide: cells that lie flat."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from bioimage_tasks import segmentation
from bioimage_tasks.datasets.made_nuclei import outlined
from bioimage_tasks.datasets.made_volumes import made_volume
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import segment, voxels
from bioimage_tasks.segmentation.masks import prepare

PLANES = 5
#: Least F1, with planes five pixels apart.
METHODS = {
    "volume-watershed": 0.9, "watershed": 0.8, "seeded-watershed": 0.6, "global-threshold": 0.9,
    "local-threshold": 0.9, "random-walker": 0.9, "bernsen": 0.75,
}  # fmt: skip


def flat(number=0):
    """Return flat cells in five planes, of uneven thickness, and their labels."""
    image, gold = outlined(28, number, 300)
    rng = np.random.default_rng(number)
    rough = gaussian_filter(rng.normal(size=(PLANES, *gold.shape)), (0, 6, 6))
    reach = np.array([-1, 0, 1, 0, -1])[:, None, None]
    labels = np.where(rough / rough.std() + 9 * reach > 0, gold, 0)
    stack = 20 + gaussian_filter(np.where(labels > 0, image - 20.0, 0), (0.3, 1.5, 1.5))
    return stack + rng.normal(0, 2, stack.shape), labels


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("spacing", [(5.0, 1.0, 1.0), (1.0, 0.2, 0.2), None])
def test_flat_cells_are_found(method, spacing):
    stack, gold = flat()
    assert score(segment(stack, method, spacing=spacing), gold).f1 >= METHODS[method]


def test_methods_are_all_tried():
    assert sorted(METHODS) == sorted(segmentation.methods(3))


def test_without_it_they_fall_apart(monkeypatch):
    """The planted fault: the distance to the nearest plane tells no cells apart."""
    monkeypatch.setattr(voxels, "upright", lambda pixels, steps: steps)
    stack, gold = flat()
    assert score(segment(stack, "volume-watershed", spacing=(5.0, 1.0, 1.0)), gold).f1 < 0.5


def test_who_gives_spacing_and_diameter_is_believed():
    pixels, steps = prepare(flat()[0]), (5.0, 1.0, 1.0)
    assert voxels.steps_or_estimate("test", steps, pixels, 56.0) == steps
    assert voxels.steps_or_estimate("test", steps, pixels) == voxels.upright(pixels, steps) != steps
    assert voxels.steps_or_estimate("test", None, pixels, 56.0)[0] > 9


def test_it_is_said_of_thin_stacks_only():
    stack, _ = flat()
    steps = voxels.upright(prepare(stack), (5.0, 1.0, 1.0))
    # Discs 56 pixels wide in five planes.
    assert 9.0 < steps[0] < 18.0
    assert steps[1:] == (1.0, 1.0)
    deep, _ = made_volume(12.0, 2.0)
    assert voxels.upright(prepare(deep), (2.0, 1.0, 1.0)) == (2.0, 1.0, 1.0)
    nothing = np.zeros((3, 20, 20), np.float32)
    assert voxels.upright(nothing, (1.0, 1.0, 1.0)) == (1.0, 1.0, 1.0)
    assert voxels.upright(nothing[:, :4, :4], (1.0, 1.0, 1.0)) == (1.0, 1.0, 1.0)
