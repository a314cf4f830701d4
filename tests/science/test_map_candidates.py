"""Objects chosen among the parts of a map: slow twins, what touches, invariances, bad input."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, gaussian_filter

from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import map_candidates
from bioimage_tasks.segmentation.map_candidates import answered, apply, find, train
from bioimage_tasks.segmentation.map_measures import SEEN, plane_measures
from bioimage_tasks.segmentation.objects import connected

pytest.importorskip("sklearn")


def scene(seed: int, side: int = 72):
    """Draw discs that touch in rows, their blurred and noisy map, and an image of them."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    gold = np.zeros((side, side), dtype=np.int32)
    for top in range(12, side - 8, 22):
        for left in range(12, side - 8, 16):
            y, x = np.array((top, left)) + rng.uniform(-1.5, 1.5, 2)
            inside = (rows - y) ** 2 + (columns - x) ** 2 <= rng.uniform(7.5, 9) ** 2
            gold[inside & (gold == 0)] = gold.max() + 1
    chances = gaussian_filter((gold > 0) * 0.9, 1.5) + rng.normal(0, 0.03, gold.shape)
    image = gaussian_filter((gold > 0) * 80.0, 1.0) + rng.normal(100, 4, gold.shape)
    return np.clip(chances, 0, 1).astype(np.float32)[None], image, gold


SCENES = [scene(seed) for seed in range(4)]


@pytest.fixture(scope="module")
def rule():
    return train([answered(*each) for each in SCENES[:3]], trees=20)


def test_what_touches_is_told_apart_where_a_threshold_joins_it(rule):
    maps, image, gold = SCENES[3]
    found = apply(maps, image, rule)
    assert found.dtype == np.int32
    assert np.array_equal(np.unique(found), np.arange(found.max() + 1))
    joined = connected(maps[0] > 0.5)
    assert score(joined, gold).f1 < 0.6, "the scene must be one that a threshold joins"
    assert score(found, gold).f1 > 0.95
    assert score(np.roll(found, 8, 0), gold).f1 < 0.6, "the score must see a shift"


def slow_seen(regions, root, plane, diameter):
    """Measure one plane region by region, on masks."""
    wide = gaussian_filter(plane, 0.5 * diameter, truncate=3.0)
    table = []
    for row in range(len(regions)):
        mask = regions.render([row]) > 0
        above = root > regions.level[row]
        free = binary_dilation(mask) & ~mask & ~above
        outline = mask & binary_dilation(free)
        necks = mask & binary_dilation(above & ~mask)
        mean = plane[mask].mean()
        sides = [np.roll(np.pad(mask, 1), s, a)[1:-1, 1:-1] for a in (0, 1) for s in (-1, 1)]
        faces = sum(side.astype(int) for side in sides) * free
        far = (plane * faces).sum() / faces.sum() if faces.any() else mean
        near = plane[outline].mean() if outline.any() else mean
        neck = plane[necks].mean() - mean if necks.any() else 0.0
        table.append([mean, plane[mask].std(), mean - wide[mask].mean(), near, near - far, neck])
    return np.array(table)


def test_what_planes_show_is_what_masks_say():
    maps, image, _ = scene(5, 48)
    found = find(maps, image)
    regions, root = found.regions, np.sqrt(np.maximum(gaussian_filter(maps[0], 1.0), 0))
    planes = [maps[0], image.astype(np.float32)]
    fast = plane_measures(regions, root, planes, 10.0)
    assert fast.shape == (len(regions), 2 * len(SEEN))
    assert np.count_nonzero(fast[:, 5]) > 5, "some regions must have a neck"
    for place, plane in enumerate(planes):
        slow = slow_seen(regions, root, plane, 10.0)
        mine = fast[:, 6 * place : 6 * place + 6]
        assert np.allclose(mine, slow, rtol=1e-3, atol=1e-3)
        assert not np.allclose(np.roll(mine, 1, 0), slow, rtol=1e-3, atol=1e-3)


def test_overlaps_are_those_of_masks():
    maps, image, gold = SCENES[0]
    regions = find(maps, image).regions
    fast = answered(maps, image, gold * 3).overlaps
    for row in range(0, len(regions), 7):
        mask = regions.render([row]) > 0
        others = [gold == number for number in range(1, gold.max() + 1)]
        slow = max((mask & one).sum() / (mask | one).sum() for one in others)
        assert fast[row] == pytest.approx(slow)
    assert answered(maps, image, gold * 0).overlaps.max() == 0


def test_the_best_candidates_are_nearly_the_objects():
    maps, image, gold = SCENES[0]
    known = answered(maps, image, gold)
    assert np.count_nonzero(known.overlaps > 0.75) >= gold.max()


def test_gain_offset_order_and_turns_do_not_matter(rule):
    maps, image, _ = SCENES[3]
    plain = apply(maps, image, rule)
    assert np.array_equal(plain, apply(maps, image * 4 + 1000, rule))
    assert np.array_equal(plain, apply(np.asfortranarray(maps), np.asfortranarray(image), rule))
    assert np.array_equal(plain, apply(maps, image, pickle.loads(pickle.dumps(rule))))
    turned = apply(maps[:, ::-1, ::-1], image[::-1, ::-1], rule)[::-1, ::-1]
    assert score(turned, plain).f1 > 0.95
    assert np.array_equal(maps, scene(3)[0]), "the input is left as it was"


def test_a_greater_cost_takes_fewer(rule):
    maps, image, _ = SCENES[3]
    counts = [int(apply(maps, image, rule, cost=cost).max()) for cost in (0.3, 0.6, 1.0)]
    assert counts[0] >= counts[1] >= counts[2] == 0


def test_a_colour_image_is_seen_by_its_density(rule):
    maps, image, gold = SCENES[3]
    picture = np.clip(240 * np.exp(-(image - 90) / 100), 0, 255).astype(np.uint8)
    found = apply(maps, np.stack([picture] * 3, axis=-1), rule)
    assert score(found, gold).f1 > 0.9


def test_maps_without_anything_give_nothing(rule):
    for value in (0.0, 1.0):
        image = np.zeros((40, 50))
        found = apply(np.full((1, 40, 50), value), image, rule)
        assert found.shape == (40, 50)
        assert found.max() <= 1
    assert find(np.zeros((1, 9, 9)), np.zeros((9, 9))).measures.shape[0] == 0


def test_real_nuclei_that_touch_are_told_apart(collection):
    from bioimage_tasks.datasets import get

    crops = get("histology-he-dsb2018")(collection("histology-he-dsb2018")).images()
    known = []
    for crop in (crops[0], crops[27], crops[28]):
        image, gold = crop.read(), crop.gold.read()
        chances = gaussian_filter((gold > 0).astype(np.float32), 1.5)[None]
        known.append((chances, image, gold))
    rule = train([answered(*each) for each in known[1:]], trees=20)
    maps, image, gold = known[0]
    ours = score(apply(maps, image, rule), gold)
    joined = score(connected(maps[0] > 0.5), gold)
    assert ours.f1 > max(0.8, joined.f1 + 0.2)
    assert ours.mean_ap > joined.mean_ap + 0.15


def bad_calls():
    maps, image, gold = SCENES[0]
    known = answered(maps, image, gold)
    rule = train([known], trees=2)
    two = maps.repeat(2, 0)
    nothing = answered(np.zeros((1, 9, 9)), np.zeros((9, 9)), np.zeros((9, 9), int))
    return [
        (lambda: find(maps[0], image), r"maps must have shape.*got \(72, 72\)"),
        (lambda: find(maps[:0], image), r"at least one; got \(0, 72, 72\)"),
        (lambda: find(maps * 2, image), "within 0..1; got.*"),
        (lambda: find(maps * np.nan, image), "finite and within 0..1; got values from nan"),
        (lambda: find(maps, image[1:]), r"shape of the maps.*\(71, 72\)"),
        (lambda: find(maps, image, diameter=0), "diameter .*must lie in.*got 0"),
        (lambda: answered(maps, image, gold[1:]), r"shape of the maps.*\(71, 72\)"),
        (lambda: answered(maps, image, gold + 0.5), "gold"),
        (lambda: train([]), r"needs examples.*got numbers of measures \[\]"),
        (lambda: train([known, answered(two, image, gold)]), r"got.*\[32, 38\]"),
        (lambda: train([nothing]), "at least one candidate"),
        (lambda: apply(two, image, rule), "32 measures; got 38"),
        (lambda: apply(maps, image, rule, cost=1.5), "cost must lie in.*got 1.5"),
    ]


@pytest.mark.parametrize("number", range(13))
def test_bad_input_is_refused_by_rule_and_value(number):
    call, message = bad_calls()[number]
    with pytest.raises(ValueError, match=message):
        call()


def test_lengths_follow_the_objects_unless_they_are_given():
    maps, image, _ = SCENES[0]
    twice = np.kron(maps[0], np.ones((2, 2), np.float32))[None]
    large = find(twice, np.kron(image, np.ones((2, 2))))
    lengths = [2 ** one.measures[0, -1] for one in (find(maps, image), large)]
    assert lengths[1] == pytest.approx(2 * lengths[0], rel=0.15)
    assert 2 ** find(maps, image, diameter=17.0).measures[0, -1] == pytest.approx(17)
    assert map_candidates.LEVELS[0] == 0.1
    assert map_candidates.LEVELS[-1] == 0.9
