"""Hills against the h-maxima and the watershed of scikit-image on real outlines, and hard shapes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import find_objects, gaussian_filter, label
from skimage.morphology import local_maxima, reconstruction

from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import objects
from bioimage_tasks.segmentation.hills import hills


def surface_of(mask, sigma):
    return gaussian_filter(objects.distance_map(mask), sigma) * mask


def reference(surface, mask, depth):
    """Soille's h-maxima by scikit-image, in each part of the mask; a part without is a seed.

    ``skimage.morphology.h_maxima`` itself counts two tops of equal height twice, however
    shallow the pass between them; the maxima of the reconstruction are one.
    """
    parts, _ = label(mask)
    seeds = np.zeros(mask.shape, np.int32)
    for number, box in enumerate(find_objects(parts), 1):
        here = parts[box] == number
        alone = np.pad(surface[box] * here, 1).astype(float)
        tops = local_maxima(reconstruction(alone - depth, alone))[1:-1, 1:-1] & here
        inside, _ = label(tops if tops.any() else here, np.ones((3, 3)))
        seeds[box][here] = np.where(inside > 0, inside + seeds.max(), 0)[here]
    return seeds


def disagreements(labels, seeds):
    """Seeds that share a hill with another or are spread over two, and hills without one."""
    pairs = np.unique(np.stack([labels[seeds > 0], seeds[seeds > 0]]), axis=1)
    without = len(np.setdiff1d(labels[labels > 0], pairs[0]))
    return sum(np.count_nonzero(np.bincount(side) > 1) for side in pairs) + without


@pytest.mark.parametrize(("sigma", "depth"), [(1, 0.5), (2, 0.5), (2, 1.5), (3, 0.3), (4, 1.0)])
def test_one_hill_for_each_h_maximum(sigma, depth, field):
    mask = field[1] > 0
    surface = surface_of(mask, sigma)
    seeds = reference(surface, mask, depth)
    labels = hills(surface, mask, depth)
    assert disagreements(labels, seeds) == 0
    assert np.array_equal(labels > 0, mask)
    assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_the_checker_sees_another_depth(field):
    mask = field[1] > 0
    surface = surface_of(mask, 2)
    seeds = reference(surface, mask, 0.5)
    assert disagreements(hills(surface, mask, 2.0), seeds) > 0
    assert disagreements(hills(surface, mask, 0.05), seeds) > 0


@pytest.mark.parametrize("sigma", [1, 2, 3])
def test_borders_are_those_of_the_watershed(sigma, field):
    mask = field[1] > 0
    surface = surface_of(mask, sigma)
    flooded = objects.flood(surface, mask, reference(surface, mask, 0.5))
    scores = score(hills(surface, mask, 0.5), flooded)
    assert scores.f1 == 1
    assert scores.mean_ap > 0.99


def test_borders_are_those_of_the_watershed_on_u2os(collection):
    from bioimage_tasks.datasets import NucleiU2osHand

    image = NucleiU2osHand(collection("nuclei-u2os-hand")).images()[0]
    mask = image.gold.read() > 0
    surface = surface_of(mask, 5)
    seeds = reference(surface, mask, 1.0)
    labels = hills(surface, mask, 1.0)
    assert disagreements(labels, seeds) == 0
    assert score(labels, objects.flood(surface, mask, seeds)).mean_ap > 0.99


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose])
def test_a_turned_image_has_the_same_hills(turn, field):
    mask = field[1] > 0
    surface = surface_of(mask, 2)
    plain, turned = hills(surface, mask, 0.5), hills(turn(surface), turn(mask), 0.5)
    assert score(turned, turn(plain)).mean_ap > 0.99


def test_plateaus_are_one_hill_whatever_their_shape():
    horns = np.array([[1, 0, 1, 0, 1], [1, 0, 1, 0, 1], [1, 1, 1, 1, 1]], dtype=bool)
    for depth in (0.0, 0.5):
        assert hills(horns.astype(np.float32), horns, depth).max() == 1


def test_corners_join_no_parts():
    corner = np.array([[3, 2, 0, 0], [2, 1, 0, 0], [0, 0, 9, 2], [0, 0, 2, 3]], np.float32)
    for depth in (0.0, 0.5, 100.0):
        assert hills(corner, corner > 0, depth).max() == 2


def test_the_lower_top_decides():
    """Tops 5, 9 and 6 with passes at 4 and 3: they stand 1, all and 3 above them."""
    ridge = np.array([[1, 5, 4, 9, 3, 6, 1]], np.float32)
    count = [hills(ridge, ridge > 0, depth).max() for depth in (0, 1.0, 1.5, 3.0, 3.5)]
    assert count == [3, 3, 2, 2, 1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (4, 1), (6, 7)])
def test_nothing_and_everything(shape):
    surface = np.ones(shape, np.float32)
    assert not hills(surface, np.zeros(shape, bool), 1.0).any()
    assert (hills(surface, np.ones(shape, bool), 1.0) == 1).all()
