"""The default pipeline on scenes that break thresholds: haze, noise, bright outliers, sizes."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.datasets.made_nuclei import outlined
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import haze, segment
from bioimage_tasks.segmentation.masks import prepare


def scene(size=9, number=3, side=200):
    image, gold = outlined(size, number, side)
    return image.astype(np.float32), gold


def veil(shape, top):
    """A cloud of light over one corner, many objects wide."""
    rows, columns = np.indices(shape) / shape[0]
    return (top * np.exp(-((rows - 0.2) ** 2 + (columns - 0.2) ** 2) / 0.12)).astype(np.float32)


SCENES = {
    "plain": lambda image: image,
    "haze": lambda image: image + veil(image.shape, 250),
    "uneven light": lambda image: image * np.linspace(0.4, 1.6, image.shape[1], dtype=np.float32),
    "16 bits": lambda image: (image * 200).astype(np.uint16),
    "noise": lambda image: image + np.random.default_rng(1).normal(0, 25, image.shape),
}


@pytest.mark.parametrize("name", SCENES)
def test_scenes(name):
    image, gold = scene()
    found = score(segment(SCENES[name](image)), gold)
    assert found.f1 > 0.9, name


def test_a_plain_global_threshold_fails_in_haze():
    """The planted fault: the scene is as hard as it says."""
    image, gold = scene()
    hazy = SCENES["haze"](image)
    assert score(segment(hazy, "global-threshold", power=1.0), gold).f1 < 0.6


@pytest.mark.parametrize("radius", [5, 12, 30, 70])
def test_sizes(radius):
    image, gold = outlined(radius, 1, max(160, 5 * radius))
    assert score(segment(image), gold).f1 > 0.9


def test_few_objects():
    image, gold = scene(10)
    one = np.where(gold > 1, 20, image)
    assert score(segment(one), np.where(gold > 1, 0, gold)).f1 == 1


@pytest.mark.parametrize("constant", [{"fraction": 0.45}, {"window": 1.5}, {"window": 6.0}])
@pytest.mark.parametrize("more", [{}, {"split": 0.03}, {"split": 0.1}, {"smoothing": 0.04}])
def test_constants_may_be_halved_and_doubled(constant, more):
    image, gold = scene()
    assert score(segment(image, **constant, **more), gold).f1 > 0.9


def test_even_ground_leaves_what_has_no_haze_and_takes_what_has():
    image, _ = scene()
    pixels = prepare(image)
    assert haze.even(pixels) is pixels
    hazy = prepare(SCENES["haze"](image))
    ground = haze.even(hazy)
    assert ground is not hazy
    outside = scene()[1] == 0
    assert np.ptp(ground[outside]) < 0.5 * np.ptp(hazy[outside])


def test_on_two_laboratories(collection):
    from bioimage_tasks.datasets import get
    from bioimage_tasks.metrics import mean_scores

    images = get("nuclei-fluo-dsb2018")(collection("nuclei-fluo-dsb2018")).images()
    for group in ("f256", "f360"):
        part = [image for image in images if image.group == group]
        mean = mean_scores(score(segment(image.read()), image.gold.read()) for image in part)
        assert mean.f1 > 0.87
