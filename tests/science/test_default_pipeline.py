"""The default pipeline on scenes that break thresholds: haze, noise, bright outliers, sizes."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.datasets.made_nuclei import outlined
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import haze, objects, segment
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


def cloudy(image, gold, top, wide):
    """Return the image below a cloud ``top`` times the contrast of its objects at its peak."""
    usual = np.median([image[gold == number].mean() for number in range(1, gold.max() + 1)])
    contrast = usual - np.median(image[gold == 0])
    rows, columns = np.indices(image.shape) / max(image.shape)
    away = (rows - 0.55) ** 2 + (columns - 0.85) ** 2
    return image + top * contrast * np.exp(-away / (2 * wide**2))


@pytest.fixture(scope="module")
def real(collection):
    from bioimage_tasks.datasets import get

    images = get("nuclei-fluo-dsb2018")(collection("nuclei-fluo-dsb2018")).images()
    chosen = [image for image in images if image.name.startswith(("f256-13", "f360-05"))]
    assert len(chosen) == 2
    return [(image.read().astype(np.float64), image.gold.read()) for image in chosen]


@pytest.mark.parametrize(("top", "wide"), [(1, 0.5), (5, 0.5), (10, 0.5), (2, 0.25), (5, 0.25)])
def test_real_nuclei_below_haze(real, top, wide):
    for image, gold in real:
        assert score(segment(cloudy(image, gold, top, wide)), gold).f1 > 0.9


def test_the_darkest_of_each_window_is_no_ground_for_steep_haze(real, monkeypatch):
    """The planted fault: without the opening the same haze hides everything."""
    from scipy.ndimage import gaussian_filter, minimum_filter

    def darkest(pixels, window):
        return gaussian_filter(minimum_filter(pixels, window), window / 4)

    monkeypatch.setattr(haze, "_ground", darkest)
    for image, gold in real:
        assert score(segment(cloudy(image, gold, 5, 0.25)), gold).f1 < 0.2


def test_a_pedestal_changes_nothing():
    """One dead pixel lifts everything else; outlines stay at the same share."""
    image, _ = scene()
    lifted = image + 5000
    lifted[0, 0] = 0
    plain, high = segment(image), segment(lifted)
    assert score(high, plain).mean_ap > 0.95


@pytest.mark.parametrize("radius", [8, 20, 50])
def test_outlines_lie_a_margin_outside_of_half_of_the_contrast(radius):
    side = 5 * radius
    rows, columns = np.indices((side, side)) - side / 2
    image = 100 / (1 + np.exp(np.hypot(rows, columns) - radius))
    area = np.count_nonzero(segment(image))
    beyond = np.sqrt(area / np.pi) - radius
    # The mean of a disc with a blurred rim lies below its plateau, half of it further out.
    assert 0.02 * 2 * radius - 0.6 < beyond < 0.03 * 2 * radius + 0.6


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5])
def test_grown_is_a_walk_by_edges_and_corners_in_turn(steps):
    """The slow twin: SciPy's grey dilation, pixels of objects kept."""
    from scipy.ndimage import generate_binary_structure, grey_dilation

    labels = np.zeros((60, 80), np.int32)
    labels[10:20, 10:20], labels[30:40, 20:50], labels[25, 22] = 1, 2, 3
    twin = labels
    for step in range(steps):
        near = grey_dilation(twin, footprint=generate_binary_structure(2, 1 + step % 2))
        twin = np.where(twin == 0, near, twin)
    np.testing.assert_array_equal(objects.grown(labels, steps), twin)


def test_on_two_laboratories(collection):
    from bioimage_tasks.datasets import get
    from bioimage_tasks.metrics import mean_scores

    images = get("nuclei-fluo-dsb2018")(collection("nuclei-fluo-dsb2018")).images()
    for group in ("f256", "f360"):
        part = [image for image in images if image.group == group]
        mean = mean_scores(score(segment(image.read()), image.gold.read()) for image in part)
        assert mean.f1 > 0.87
