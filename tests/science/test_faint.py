"""Objects too dim for one threshold: found where they look like objects, and only there.

Scenes are shown to need the search; what is no object is shown to be taken for one when the
rule against it is lifted. Of the halo only that it is left.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.segmentation import expand_labels

from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import default, faint, segment
from bioimage_tasks.segmentation.masks import prepare

SIDE, BRIGHT = 400, 200.0


def scene(share, *, radius=10, seed=0, blur=1.0):
    """Return 20 discs and 10 of a share of their contrast on noise of 1, and labels."""
    rng = np.random.default_rng(seed)
    side = SIDE * radius // 10
    rows, columns = np.indices((side, side))
    light, gold = np.zeros((side, side)), np.zeros((side, side), np.int32)
    order = rng.permutation(64)[:30]
    for index, place in enumerate(order):
        row, column = (np.array(divmod(place, 8)) * 5 + 2.5) * radius
        disc = (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
        light[disc], gold[disc] = BRIGHT * (share if index >= 20 else 1.0), index + 1
    image = 20 + gaussian_filter(light, blur * radius / 10) + rng.normal(0, 1, light.shape)
    return image, gold


@pytest.mark.parametrize("radius", [5, 10, 25, 50])
@pytest.mark.parametrize("share", [0.03, 0.06, 0.1])
def test_dim_objects_are_found(share, radius):
    image, gold = scene(share, radius=radius)
    assert score(segment(image, "root-contrast", faintest=1), gold).f1 == pytest.approx(0.8)
    found = score(segment(image), gold)
    assert found.f1 > 0.98
    assert found.mean_ap > 0.85


def test_noise_alone_is_no_object():
    image, gold = scene(0.0)
    gold[gold > 20] = 0
    for seed in range(3):
        noisy = image + np.random.default_rng(seed).normal(0, 4, image.shape)
        assert score(segment(noisy), gold).f1 == 1


def blob(rows, columns):
    """Out of focus: as wide as an object, but without an edge."""
    return 60 * np.exp(-(rows**2 + columns**2) / (2 * 9.0**2))


def branched(rows, columns):
    """A cross: sharp and even, and no nucleus."""
    return 10.0 * ((abs(rows) < 3) & (abs(columns) < 15) | (abs(columns) < 3) & (abs(rows) < 15))


def speck(rows, columns):
    """Sharp, round, too small."""
    return 10.0 * (rows**2 + columns**2 <= 5.2**2)


def sheet(rows, columns):
    """Sharp, solid, too large."""
    return 10.0 * ((abs(rows) < 28) & (abs(columns) < 28))


def fibre(rows, columns):
    """Sharp, solid, of the usual size, and thin."""
    return 10.0 * ((abs(rows) < 2.5) & (abs(columns) < 40))


def cloth(rows, columns):
    """An even disc in a patch that is as bright in grains."""
    away = np.hypot(rows, columns)
    grains = np.random.default_rng(5).normal(0, 6, rows.shape)
    return np.where(away <= 10, 6.0, grains * (away < 50))


FAKES = [
    (blob, {"SHARP": 0.0}, 3),
    (branched, {"SOLID": 0.0}, 3),
    (fibre, {"WIDE": 0.0}, 3),
    (speck, {"SIZES": (0.1, 2.5)}, 3),
    (sheet, {"SIZES": (0.3, 99.0)}, 3),
    (cloth, {"STANDS": 0.0}, 2),
]


def planted(fake):
    """Return a field of 20 discs with four fakes, and the labels of the discs."""
    image, gold = scene(0.0)
    gold[gold > 20] = 0
    below = 20 + np.random.default_rng(9).normal(0, 1, (160, SIDE))
    image, gold = np.vstack([image, below]), np.pad(gold, ((0, 160), (0, 0)))
    rows, columns = np.indices(image.shape)
    for place in range(4):
        image += gaussian_filter(fake(rows - SIDE - 80, columns - 50 - 100 * place), 1.0)
    return image, gold


@pytest.mark.parametrize(("fake", "lifted", "taken"), FAKES, ids=[row[0].__name__ for row in FAKES])
def test_what_is_no_object_is_left(fake, lifted, taken, monkeypatch):
    image, gold = planted(fake)
    assert score(segment(image), gold).spurious == 0
    for name, value in lifted.items():
        monkeypatch.setattr(faint, name, value)
    assert score(segment(image), gold).spurious >= taken


def test_the_halo_of_a_bright_object_is_none():
    image, gold = scene(0.0)
    gold[gold > 20] = 0
    glow = image + gaussian_filter((gold > 0) * BRIGHT, 12)
    assert score(segment(glow), gold).spurious == 0


def test_borders_are_cleared_of_dim_objects_too():
    image, _ = scene(0.06)
    cut = image[:, 15:]
    kept = segment(cut, border="clear")
    assert not kept[:, 0].any()
    assert segment(cut)[:, 0].any()


def test_where_nothing_is_dim_nothing_is_changed():
    image, _ = scene(1.0)
    np.testing.assert_array_equal(segment(image), segment(image, "root-contrast", faintest=1))


def test_how_dim_is_said_by_the_user():
    """Contrasts of 0.06: found, too dim when 0.1 is asked for, and not sought."""
    image, _ = scene(0.06)
    for least, number in ((0.0, 30), (0.02, 30), (0.1, 20), (1, 20)):
        assert segment(image, "root-contrast", faintest=least).max() == number
    with pytest.raises(ValueError, match=r"root_contrast: faintest must lie in \[0, 1\]; got 2"):
        segment(image, "root-contrast", faintest=2)


@pytest.mark.parametrize("shape", [(1, 200), (200, 1), (3, 400), (30, 400)])
def test_images_of_few_rows(shape):
    image = np.random.default_rng(0).normal(20, 1, shape)
    image[..., shape[1] // 4 : shape[1] // 2] += 100
    for diameter in (None, 10.0, float(max(shape))):
        assert segment(image, diameter=diameter).shape == shape


def test_of_an_empty_or_full_first_find():
    """Nothing to compare with, and nowhere left to look."""
    image, _ = scene(0.06)
    pixels, nothing = prepare(image), np.zeros(image.shape, np.int32)
    cut = default.Cut(0.55, 0.025, 3.0, 2, 0.05, True, 0.2)
    assert not faint.faint(pixels, pixels, nothing, 20.0, cut, 0.0).any()
    assert not faint.faint(pixels, pixels, nothing + 1, 20.0, cut, 0.0).any()


def relit(pixels, gold, seed=0):
    """Return a field whose objects have 0.1 to 1 times their contrast, as many of each decade."""
    rng = np.random.default_rng(seed)
    usual = np.sqrt(np.median(np.bincount(gold.ravel())[1:]))
    gains = np.append(1.0, 10 ** -rng.uniform(0, 1, gold.max()))
    zones = expand_labels(gold, 0.35 * usual)
    gain = np.where(gold > 0, gains[gold], gaussian_filter(gains[zones], 0.06 * usual))
    ground = np.median(pixels[zones == 0])
    fine = pixels - gaussian_filter(pixels, 1.5)
    noise = 1.4826 * np.median(np.abs(fine[zones == 0]))
    lost = rng.normal(0, noise, pixels.shape) * np.sqrt(np.clip(1 - gain**2, 0, 1))
    return ground + (pixels - ground) * gain + lost


def test_real_nuclei_of_very_different_brightness(collection, monkeypatch):
    from bioimage_tasks.datasets import NucleiU2osHand

    images = NucleiU2osHand(collection("nuclei-u2os-hand")).images()[::12]
    fields = [(image.read().astype(np.float64), image.gold.read()) for image in images]
    dark = [(relit(pixels, gold), gold) for pixels, gold in fields]

    def mean(method=None, **how):
        found = [score(segment(pixels, *method or (), **how), gold) for pixels, gold in dark]
        return np.mean([each.f1 for each in found])

    both = mean()
    assert both > mean(("local-threshold",), rule="mean") - 0.02
    assert both > mean(("global-threshold",), power=1.0) + 0.3
    monkeypatch.setattr(default, "FAR", default.CLOSE)
    narrow = mean()
    assert both > narrow + 0.02
    assert narrow > mean(("root-contrast",), faintest=1) + 0.01
