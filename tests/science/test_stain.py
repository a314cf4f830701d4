"""Stains: against scikit-image, against stains that were mixed, and the traps of Macenko."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.datasets import get
from bioimage_tasks.datasets.made import made_tissue
from bioimage_tasks.segmentation import stain


def mixed(colours, shape=(60, 60), seed=0):
    """Return an image of known amounts of two stains, and the amounts."""
    rng = np.random.default_rng(seed)
    amounts = rng.gamma(1.5, 0.4, (*shape, 2)) * (rng.random((*shape, 2)) < 0.6)
    unit = np.asarray(colours) / np.linalg.norm(colours, axis=1, keepdims=True)
    light = 240 * np.exp(-amounts @ unit) - 1
    return np.clip(np.round(light), 0, 255).astype(np.uint8), amounts, unit


def test_deconvolution_finds_the_amounts_that_were_mixed():
    image, amounts, unit = mixed(stain.RUIFROK[:2])
    found = stain.deconvolve(image, tuple(map(tuple, unit)))
    dark = amounts.sum(-1) > 2  # eight bits are coarse there
    assert np.abs(found[~dark][:, :2] - amounts[~dark]).max() < 0.15
    assert found.dtype == np.float32


def test_deconvolution_is_scikit_images():
    from skimage.color import rgb2hed

    image = made_tissue(1)[0][0]
    ours, theirs = stain.deconvolve(image), rgb2hed(image)
    for channel in range(2):
        assert np.corrcoef(ours[..., channel].ravel(), theirs[..., channel].ravel())[0, 1] > 0.999
    assert np.corrcoef(ours[..., 0].ravel(), theirs[..., 1].ravel())[0, 1] < 0.9


@pytest.mark.parametrize("seed", range(4))
def test_macenko_finds_the_colours_that_were_mixed(seed):
    rng = np.random.default_rng(seed)
    colours = np.asarray(stain.RUIFROK[:2]) * rng.uniform(0.8, 1.2, (2, 3))
    image, _, unit = mixed(colours, seed=seed)
    found = stain.fit_stains(image)
    for ours, true in zip(found.colours, unit, strict=True):
        assert float(np.dot(ours, true)) > 0.98
        assert np.linalg.norm(ours) == pytest.approx(1)
        assert min(ours) >= 0
    assert np.dot(found.colours[0], unit[1]) < 0.9, "the order must matter"


def test_signs_of_eigenvectors_do_not_matter(monkeypatch):
    image = made_tissue(1)[0][0]
    plain = stain.fit_stains(image)
    real = np.linalg.eigh
    for signs in ((-1, -1, -1), (1, -1, 1), (-1, 1, -1)):
        monkeypatch.setattr(np.linalg, "eigh", lambda m, s=signs: (real(m)[0], real(m)[1] * s))
        turned = stain.fit_stains(image)
        assert np.allclose(turned.colours, plain.colours, atol=1e-9)
        assert np.allclose(turned.tops, plain.tops, atol=1e-9)


def test_no_tissue_returns_the_input():
    image = np.full((30, 30, 3), 238, dtype=np.uint8)
    image[:5, :5] = (120, 60, 160)
    found = stain.fit_stains(image)
    assert found.tissue == 25
    same = stain.normalise_stains(image, found)
    assert np.array_equal(same, image)
    assert not np.shares_memory(same, image)


def test_bright_pixels_do_not_wrap():
    image = made_tissue(1)[0][0].copy()
    image[:4] = 255
    made = stain.normalise_stains(image, stain.fit_stains(image))
    assert made[:4].min() > 200
    assert made.dtype == np.uint8


def test_two_colourings_of_one_tissue_become_alike():
    """The distance of two scanners shrinks; a fit of the slide serves its tiles."""
    image, amounts, unit = mixed(stain.RUIFROK[:2])
    other = np.asarray(unit) * (1.15, 0.9, 1.1)
    second = np.clip(240 * np.exp(-1.4 * amounts @ other) - 1, 0, 255).astype(np.uint8)
    before = np.abs(image.astype(float) - second).mean()
    ours, theirs = (stain.normalise_stains(i, stain.fit_stains(i)) for i in (image, second))
    assert np.abs(ours.astype(float) - theirs).mean() < 0.5 * before
    fit = stain.fit_stains(image)
    assert np.array_equal(stain.normalise_stains(image[:20], fit), ours[:20])


def test_colour_groups_are_those_of_made_slides():
    scenes = made_tissue(6, 3)
    dark = [np.clip(i * (1 - 0.25 * int(g)), 0, 255).astype(np.uint8) for i, _, g in scenes]
    found = stain.colour_groups(dark, 3)
    assert len({(a, b) for a, (_, _, b) in zip(found, scenes, strict=True)}) == 3
    assert found == stain.colour_groups(dark, 3)


def test_real_crops(collection):
    images = get("histology-he-dsb2018")(collection("histology-he-dsb2018")).images()[:4]
    for image in images:
        made = stain.normalise_stains(image.read(), stain.fit_stains(image.read()))
        nuclei = image.gold.read() > 0
        haematoxylin = stain.deconvolve(image.read())[..., 0]
        assert haematoxylin[nuclei].mean() > haematoxylin[~nuclei].mean()
        assert made.std() > 5


BAD = [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3)),
       np.zeros((0, 4, 3), np.uint8)]  # fmt: skip


@pytest.mark.parametrize("image", BAD)
@pytest.mark.parametrize("name", ["deconvolve", "fit_stains"])
def test_bad_images_are_refused(name, image):
    with pytest.raises(ValueError, match=rf"RGB of 8 bits.*got shape \({len(image)}, "):
        getattr(stain, name)(image)


def test_bad_values_are_refused():
    image = made_tissue(1)[0][0]
    with pytest.raises(ValueError, match=r"alpha.*got 60"):
        stain.fit_stains(image, alpha=60)
    with pytest.raises(ValueError, match="one plane"):
        stain.deconvolve(image, ((1, 0, 0), (0, 1, 0), (1, 1, 0)))
    with pytest.raises(ValueError, match="2 or 3 rows"):
        stain.deconvolve(image, ((1, 0, 0),))
    with pytest.raises(ValueError, match="got 3"):
        stain.colour_groups([image], 3)
