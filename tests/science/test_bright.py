"""A few objects that outshine all others: the others must be found, made-up and real.

Each scene is first shown to fail without the ceiling.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from bioimage_tasks.checks import sequential
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import bright, default, masks, objects, scale
from bioimage_tasks.segmentation.masks import prepare

SIDE, RADIUS, ORDINARY = 400, 10, 40


def scene(ratio, number, *, debris=0, seed=0):
    """Return 40 discs of contrast 40 on noise of 4, others ``ratio`` times that, and labels.

    ``debris`` is the side of four bright squares; they have no label.
    """
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((SIDE, SIDE))
    places = [(25 + 50 * row, 25 + 50 * column) for row in range(8) for column in range(8)]
    places = [places[index] for index in rng.permutation(64)[:50]]
    light, gold = np.full((SIDE, SIDE), 20.0), np.zeros((SIDE, SIDE), np.int32)
    for index, (row, column) in enumerate(places[: ORDINARY + number]):
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= RADIUS**2
        light[disc] += 40 * (ratio if index >= ORDINARY else 1)
        gold[disc] = index + 1
    for row, column in places[46 : 50 if debris else 46]:
        light[row : row + debris, column : column + debris] += 40 * ratio
    return (light + rng.normal(0, 4, light.shape)).clip(0, 65535).astype(np.uint16), gold


def ordinary(labels, gold, bright_ones, *, seen=0):
    """Score without the bright objects and what lies on them; ``seen`` more are no fault."""
    shone = np.isin(gold, bright_ones) | (seen > 0)
    on = np.bincount(labels[shone], minlength=labels.max() + 1)
    kept = np.where(on[labels] > 0.5 * np.bincount(labels.ravel())[labels], 0, labels)
    return score(kept, np.where(shone, 0, gold)).f1


@pytest.fixture
def old_rule(monkeypatch):
    """Segment without a ceiling, and without a search for what is dim."""

    def segment(image):
        with monkeypatch.context() as patch:
            for module in (bright, objects, scale):
                patch.setattr(module, "dimmed", lambda pixels: pixels)
            return default.root_contrast(image, faintest=1)

    return segment


HIDING = [(50, 1, 0), (1000, 1, 0), (15, 3, 0), (50, 3, 0), (50, 0, 8), (50, 0, 12)]
HARMLESS = [(1, 1, 0), (10, 1, 0), (10, 3, 0), (50, 0, 2), (50, 0, 3)]


def found(segment, ratio, number, debris):
    image, gold = scene(ratio, number, debris=debris)
    specks = binary_dilation(image > 20 + 20 * ratio, iterations=2) if debris else 0
    return ordinary(segment(image), gold, np.arange(ORDINARY + 1, 50), seen=specks)


@pytest.mark.parametrize(("ratio", "number", "debris"), HIDING)
def test_the_old_rule_finds_nothing_else(ratio, number, debris, old_rule):
    assert found(old_rule, ratio, number, debris) < 0.1


@pytest.mark.parametrize(("ratio", "number", "debris"), HIDING + HARMLESS)
def test_ordinary_objects_are_found(ratio, number, debris):
    assert found(default.root_contrast, ratio, number, debris) > 0.95


def test_two_kinds_of_bright_objects():
    """One a thousand times as bright as the rest, one 50 times."""
    image, gold = scene(50, 1)
    rows, columns = np.indices(image.shape)
    image = image.astype(np.float64)
    image[(rows - 50) ** 2 + (columns - 50) ** 2 <= RADIUS**2] = 40_000
    shone = (rows - 50) ** 2 + (columns - 50) ** 2 <= (RADIUS + 2) ** 2
    assert ordinary(default.root_contrast(image), gold, [ORDINARY + 1], seen=shone) > 0.95


@pytest.mark.parametrize("ratio", [50, 1000])
def test_a_lone_bright_object_is_kept(ratio):
    image, gold = scene(ratio, 1)
    labels = default.root_contrast(image)
    here = gold == ORDINARY + 1
    assert (
        np.count_nonzero((labels == np.bincount(labels[here]).argmax()) & here) > 0.9 * here.sum()
    )


def painted(image, gold, ratio=50.0):
    """Return the image with one usual object at ``ratio`` times the contrast, and its number."""
    areas = np.bincount(gold.ravel())[1:]
    one = int(np.argsort(areas)[len(areas) // 2]) + 1
    low = np.median(image[gold == 0])
    usual = np.median([image[gold == number].mean() for number in range(1, len(areas) + 1)]) - low
    times = ratio * usual / (image[gold == one].mean() - low)
    there = gaussian_filter(binary_dilation(gold == one).astype(float), 1.0)
    return image + there * np.maximum(image - low, 0) * (times - 1), one


def test_a_bright_nucleus_in_a_real_field(collection, old_rule):
    from bioimage_tasks.datasets import NucleiU2osHand

    image = NucleiU2osHand(collection("nuclei-u2os-hand")).images()[0]
    pixels, gold = image.read()[:600, :600].astype(np.float64), image.gold.read()[:600, :600]
    gold = sequential(gold)
    shining, one = painted(pixels, gold)
    plain = ordinary(default.root_contrast(pixels), gold, [one])
    assert plain > 0.9
    assert ordinary(default.root_contrast(shining), gold, [one]) > plain - 0.03
    assert ordinary(old_rule(shining), gold, [one]) < 0.2


def test_bright_nuclei_of_other_laboratories(collection, old_rule):
    from bioimage_tasks.datasets import get

    images = get("nuclei-fluo-dsb2018")(collection("nuclei-fluo-dsb2018")).images()[::8]
    plain, shining, old = [], [], []
    for image in images:
        pixels, gold = image.read().astype(np.float64), image.gold.read()
        bright_one, one = painted(pixels, gold)
        plain.append(ordinary(default.root_contrast(pixels), gold, [one]))
        shining.append(ordinary(default.root_contrast(bright_one), gold, [one]))
        old.append(ordinary(old_rule(bright_one), gold, [one]))
    assert np.mean(shining) > np.mean(plain) - 0.03
    assert np.mean(old) < np.mean(plain) - 0.3


def test_without_a_second_kind_little_is_changed(field, old_rule):
    """Where no object outshines the rest the ceiling is above most of them."""
    image, gold = (array[:256, :256] for array in field)
    lowered = bright.dimmed(prepare(image))
    assert np.mean(lowered < prepare(image)) < 0.01
    assert (
        abs(score(default.root_contrast(image), gold).f1 - score(old_rule(image), gold).f1) < 0.01
    )


NOISY = {"8": (40, 8), "12": (40, 12), "10 discs": (10, 4), "3 discs": (3, 4)}
NOISIER = {"16": (40, 16), "10 discs at 12": (10, 12), "3 discs at 8": (3, 8)}


def in_noise(name):
    """Discs on more noise than usual, or fewer of them: the background is most of the image."""
    number, noise = (NOISY | NOISIER)[name]
    image, gold = scene(1, 0)
    more = np.random.default_rng(1).normal(0, np.sqrt(noise**2 - 15.9), image.shape)
    gold = np.where(gold <= number, gold, 0)
    return np.where((gold == 0) & (image > 40), 20, image) + more, gold


@pytest.mark.parametrize("name", NOISY | NOISIER)
def test_noise_is_no_object(name):
    image, gold = in_noise(name)
    assert score(default.root_contrast(image), gold).f1 > 0.95


@pytest.mark.parametrize("name", NOISY)
def test_the_root_alone_falls_into_the_noise(name, monkeypatch):
    """Shown with objects of any size: the least size drops specks, but not the rule's fault."""
    monkeypatch.setattr(masks, "SOLID", 0.0)
    image, gold = in_noise(name)
    assert score(default.root_contrast(image, min_size=0.0), gold).f1 < 0.2


@pytest.mark.parametrize("name", NOISIER)
def test_more_noise_hides_all_from_pixels_that_are_not_smoothed(name, monkeypatch):
    monkeypatch.setattr(masks, "BLURS", ())
    image, gold = in_noise(name)
    assert score(default.root_contrast(image), gold).f1 < 0.2


def test_haze_brighter_than_objects_is_no_kind_at_all(monkeypatch):
    """Ten times as bright as the discs, and found first: the discs are no second kind."""
    image, _ = scene(1, 0)
    rows, columns = np.indices(image.shape) / SIDE
    cloud = 400 * np.exp(-((rows - 0.5) ** 2 + (columns - 0.5) ** 2) / 0.1)
    hazy = prepare(image + cloud)
    assert bright.dimmed(hazy).max() > 0.9 * hazy.max()
    monkeypatch.setattr(bright, "_steepness", lambda *_: 0.0)
    assert bright.dimmed(hazy).max() < 0.9 * hazy.max(), "the scene is not as hard as it says"


def test_haze_is_no_second_kind():
    """A cloud beside bright objects is wider and brighter than noise, its outline is flat."""
    image, _ = scene(1, 0)
    rows, columns = np.indices(image.shape) / SIDE
    cloud = 30 * np.exp(-((rows - 0.5) ** 2 + (columns - 0.5) ** 2) / 0.1)
    hazy = prepare(20 * image.astype(np.float64) + cloud)
    assert bright.dimmed(hazy) is hazy
