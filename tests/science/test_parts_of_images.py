"""Seeds, growth, merging, superpixels, grids, points; membranes' scores against references."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.metrics import membranes, score
from bioimage_tasks.segmentation import masks, partition, seeds, segment
from bioimage_tasks.segmentation.bernsen import bernsen_mask
from bioimage_tasks.segmentation.region_merging import merge


@pytest.mark.parametrize("rule", seeds.SEED_RULES)
def test_each_disc_has_one_seed(rule, discs):
    image, gold = discs
    found = seeds.find_seeds(image, gold > 0, 19.0, rule=rule)
    inside = [len(set(found[gold == n]) - {0}) for n in range(1, 13)]
    assert inside == [1] * 12
    doubled = np.where(found > 0, found, (np.indices(gold.shape)[1] % 7 == 0) * (gold > 0) * 99)
    assert [len(set(doubled[gold == n]) - {0}) for n in range(1, 13)] != inside


@pytest.mark.parametrize("rule", seeds.SEED_RULES)
def test_seeds_of_touching_balls_in_3d(rule):
    z, y, x = np.mgrid[:24, :24, :42]
    two = np.minimum((x - 12) ** 2, (x - 28) ** 2) + (y - 12) ** 2 + (z - 12) ** 2
    image = np.where(two <= 81, 100.0 - two / 2, 10.0)
    assert seeds.find_seeds(image, two <= 81, 18.0, rule=rule).max() == 2


@pytest.mark.parametrize("rule", seeds.SEED_RULES)
def test_seeded_watershed_and_walker_part_what_touches(rule):
    rows, columns = np.mgrid[:80, :110]
    away = np.minimum((columns - 40) ** 2, (columns - 66) ** 2) + (rows - 40) ** 2
    image = np.where(away <= 225, 120 - away / 6, 20.0)
    for method in ("seeded-watershed", "random-walker"):
        labels = segment(image, method, seeds=rule, diameter=30.0)
        assert labels.max() == 2
        assert {labels[40, 34], labels[40, 72]} == {1, 2}


def test_the_walker_is_scikit_images_where_nothing_is_reduced():
    from skimage.segmentation import random_walker

    from bioimage_tasks.segmentation.seeded import _walk_part

    rng = np.random.default_rng(0)
    light = np.where(np.arange(40) < 23, 1.0, 0.0) + rng.normal(0, 0.05, (20, 40))
    light = light.astype(np.float32)
    marks = np.zeros((20, 40), dtype=np.int32)
    marks[10, 5], marks[10, 34] = 1, 2
    ours = _walk_part(light, np.ones(light.shape, bool), marks, (1, 1), 130.0, (1.0, 1.0))
    scaled = (light - light.min()) / (light.max() - light.min())
    theirs = random_walker(scaled, marks, beta=130.0, mode="bf")
    assert (ours != theirs).mean() < 0.01
    assert (ours[:, :20] == 1).all()
    assert (ours[:, 26:] == 2).all()


def test_merging_joins_halves_and_leaves_neighbours():
    rows, columns = np.mgrid[:60, :120]
    left = (columns - 30) ** 2 + (rows - 30) ** 2 <= 15**2
    right = (columns - 60) ** 2 + (rows - 30) ** 2 <= 15**2
    labels = np.where(left, np.where(rows < 30, 1, 2), np.where(right, 3, 0)).astype(np.int32)
    light = np.where(left | right, 100.0, 10.0).astype(np.float32)
    light[:, 44:47] = 30
    merged = merge(labels, light, 30.0)
    assert merged.max() == 2
    assert merged[20, 30] == merged[40, 30] != merged[30, 60]
    assert np.array_equal(merge(merged, light, 30.0), merged)


def test_bernsen_is_the_naive_rule(field):
    from scipy.ndimage import maximum_filter, minimum_filter

    level = masks.root(masks.prepare(field[0][:64, :64]))
    naive = np.zeros(level.shape, dtype=bool)
    padded = np.pad(level, 7, mode="symmetric")
    for y, x in np.ndindex(level.shape):
        window = padded[y : y + 15, x : x + 15]
        naive[y, x] = level[y, x] > (window.max() + window.min()) / 2
    assert np.array_equal(bernsen_mask(level, 15, 0.0), naive)
    assert maximum_filter(level, 15)[5, 5] > minimum_filter(level, 15)[5, 5]


@pytest.mark.parametrize("shape", [(60, 80), (12, 30, 30)])
def test_superpixels_leave_nothing_out_and_are_connected(shape):
    from scipy.ndimage import label

    image = np.random.default_rng(0).normal(size=shape)
    image[tuple(slice(0, size // 2) for size in shape)] += 20
    labels = partition.superpixels(image, 8.0)
    assert labels.min() == 1
    assert labels.max() == pytest.approx(np.prod(shape) / 8.0 ** len(shape), rel=0.5)
    assert all(label(labels == n)[1] == 1 for n in range(1, labels.max() + 1))
    assert np.array_equal(labels, partition.superpixels(image * 7 + 3, 8.0))
    assert len(np.unique(partition.superpixels(image, float(max(shape))))) == 1


def test_superpixels_follow_colours():
    image = np.zeros((40, 40, 3), dtype=np.uint8)
    image[:, 23:, 1] = 200
    labels = partition.superpixels(image, 10.0, channels=True)
    assert set(labels[:, :22].ravel()).isdisjoint(labels[:, 24:].ravel())


@pytest.mark.parametrize(("shape", "side"), [((7, 9), 3), ((4, 6, 5), (2, 3, 5)), ((3, 3), 10)])
def test_grid_is_the_naive_one(shape, side):
    sides = (side,) * len(shape) if isinstance(side, int) else side
    numbers, naive = {}, np.zeros(shape, dtype=int)
    for place in np.ndindex(shape):
        tile = tuple(p // s for p, s in zip(place, sides, strict=True))
        naive[place] = numbers.setdefault(tile, len(numbers) + 1)
    labels = partition.grid(shape, side)
    assert sorted(set(labels.ravel())) == list(range(1, len(numbers) + 1))
    pairs = set(zip(labels.ravel().tolist(), naive.ravel().tolist(), strict=True))
    assert len(pairs) == len(numbers)


@pytest.mark.parametrize("kind", partition.POINT_KINDS)
def test_points_lie_on_blobs(kind):
    rows, columns = np.mgrid[:120, :160]
    centres = [(30, 40), (30, 120), (90, 80)]
    image = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 5.0**2)) for y, x in centres)
    found = partition.interest_points(image, kind, most=3, threshold=0.0)
    assert len(found.places) == 3
    away = [np.hypot(*(found.places - centre).T).min() for centre in centres]
    assert max(away) < 4
    assert (np.diff(found.strengths) <= 0).all()
    if kind == "dog":
        assert found.scales == pytest.approx([5.0] * 3, rel=0.35)


def bad_calls():
    image = np.arange(64.0).reshape(8, 8)
    return [
        (lambda: seeds.find_seeds(image, image[1:] > 3, 4.0), r"got \(8, 8\) and \(7, 8\)"),
        (lambda: seeds.find_seeds(image, image > 3, 4.0, rule="x"), "got 'x'"),
        (lambda: seeds.find_seeds(image, image > 3, 0.5), "got 0.5"),
        (lambda: partition.superpixels(image * np.nan, 4), "finite; got 64"),
        (lambda: partition.superpixels(image, 0), "got 0"),
        (lambda: partition.superpixels(image[0], 2), r"got shape \(8,\)"),
        (lambda: partition.grid((4, 4), 0), r"got \(4, 4\), \(0, 0\)"),
        (lambda: partition.interest_points(image, "sift"), "got 'sift'"),
        (lambda: partition.interest_points(np.zeros((3, 4, 4)), "surf"), "2 dimensions"),
        (lambda: membranes.adapted_rand(image.astype(int), 0 * image.astype(int)), "background"),
        (lambda: membranes.dice(image > 3, image[1:] > 3), r"got \(8, 8\) and \(7, 8\)"),
        (lambda: membranes.tolerant_f1(image > 3, image > 3, -1), "got -1"),
    ]


@pytest.mark.parametrize("number", range(12))
def test_bad_input_is_refused_by_rule_and_value(number):
    call, message = bad_calls()[number]
    with pytest.raises(ValueError, match=message):
        call()


def test_adapted_rand_is_scikit_images_where_every_pixel_has_a_label(field):
    from skimage.metrics import adapted_rand_error

    gold = field[1]
    labels = partition.grid(gold.shape, 24)
    error, precision, recall = adapted_rand_error(gold, labels)
    f, split, merge_ = membranes.adapted_rand(labels, gold)
    assert f == pytest.approx(1 - error)
    assert {round(split, 9), round(merge_, 9)} == {round(precision, 9), round(recall, 9)}
    # Pixels without a label are objects of their own: the same as giving each a number.
    holes = np.where(np.random.default_rng(0).random(gold.shape) < 0.1, 0, labels)
    alone = np.where(holes == 0, np.arange(gold.size).reshape(gold.shape) + 10_000, holes)
    expected = membranes.adapted_rand(alone, gold)
    assert membranes.adapted_rand(holes, gold) == pytest.approx(expected)
    assert membranes.adapted_rand(gold, gold) == (1.0, 1.0, 1.0)


def test_split_and_merge_fall_for_what_they_are_named_after():
    gold = np.repeat([[1, 1, 1, 1, 2, 2, 2, 2]], 4, axis=0)
    _, split, merge_ = membranes.adapted_rand(
        np.repeat([[1, 1, 3, 3, 2, 2, 2, 2]], 4, axis=0), gold
    )
    assert (split < 1, merge_) == (True, 1)
    _, split, merge_ = membranes.adapted_rand(np.ones_like(gold), gold)
    assert (split, merge_ < 1) == (1, True)


def test_masks_scores():
    gold = np.zeros((20, 20), dtype=bool)
    gold[10] = True
    assert membranes.dice(gold, gold) == membranes.tolerant_f1(gold, gold) == 1
    assert membranes.dice(np.roll(gold, 2, 0), gold) == 0
    assert membranes.tolerant_f1(np.roll(gold, 2, 0), gold) == 1
    assert membranes.tolerant_f1(np.roll(gold, 3, 0), gold) == 0
    assert membranes.tolerant_f1(0 * gold, gold) == 0
    cells = np.where(gold, 0, np.where(np.indices(gold.shape)[0] < 10, 1, 2))
    scores = membranes.membrane_scores(gold, cells, gold)
    assert scores.as_dict() == dict.fromkeys(scores.as_dict(), 1.0)


@pytest.mark.parametrize("name", ["bernsen", "region-merging", "seeded-watershed", "random-walker"])
def test_they_find_real_nuclei(name, field):
    image, gold = (one[:256, :256] for one in field)
    assert score(segment(image, name), gold).f1 > 0.6
