"""Candidates and their choice against slow twins; learned IoU across object sizes."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
from skimage.measure import label, regionprops

from bioimage_tasks.datasets import made_nuclei as made
from bioimage_tasks.metrics import mean_scores, score
from bioimage_tasks.segmentation import candidates_learned as learned
from bioimage_tasks.segmentation import candidates_rule
from bioimage_tasks.segmentation.candidates import regions_of
from bioimage_tasks.segmentation.candidates_choice import choose
from bioimage_tasks.segmentation.candidates_measures import MEASURES, measure


def tree(image, levels):
    return regions_of(image, levels, neck_smoothing=0.5, min_area=6, max_hole=0)


def masks_of(regions):
    flat = np.zeros((len(regions), int(np.prod(regions.shape))), bool)
    for row in range(len(regions)):
        flat[row, regions.members(row)] = True
    return flat


def hills(seed, side=40):
    from scipy.ndimage import gaussian_filter

    rough = gaussian_filter(np.random.default_rng(seed).random((side, side)), 2.5)
    return (rough / rough.max()).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_regions_are_nested_or_apart_and_parents_hold_their_parts(seed):
    regions = tree(hills(seed), [0.55, 0.65, 0.75, 0.85])
    flat = masks_of(regions)
    assert regions.cut.any()
    assert (~regions.cut).any()
    for row, parent in enumerate(regions.parent):
        if parent >= 0:
            assert parent < row
            assert not (flat[row] & ~flat[parent]).any()
    for a, b in itertools.combinations(range(len(regions)), 2):
        if regions.level[a] == regions.level[b]:
            shared = (flat[a] & flat[b]).sum()
            assert shared in (0, flat[a].sum(), flat[b].sum())


def test_whole_components_are_those_of_every_threshold():
    image = hills(5)
    levels = [0.6, 0.7, 0.8]
    regions = tree(image, levels)
    for level in levels:
        mine = (~regions.cut) & np.isclose(regions.level, level)
        theirs = [r.area for r in regionprops(label(image > level, connectivity=1)) if r.area >= 6]
        assert sorted(regions.area[mine]) == sorted(theirs)


@pytest.mark.parametrize("seed", range(6))
def test_the_choice_is_the_best_of_all(seed):
    """Every set of regions without overlap is tried by the slow twin."""
    regions = tree(hills(seed, 22), [0.6, 0.7, 0.8])
    count = min(len(regions), 14)
    rng = np.random.default_rng(seed)
    gain = np.where(np.arange(len(regions)) < count, rng.normal(0.1, 0.5, len(regions)), -1.0)
    chosen = choose(regions, gain)
    flat = masks_of(regions)
    assert flat[chosen].sum(0).max(initial=0) <= 1
    best = 0.0
    for flags in itertools.product((False, True), repeat=count):
        rows = np.flatnonzero(flags)
        if rows.size and _allowed(regions, flat, rows):
            best = max(best, float(gain[rows].sum()))
    assert gain[chosen].sum() == pytest.approx(best)


def _allowed(regions, flat, rows):
    """Regions without overlap that the tree allows side by side: below each, one way to break."""
    if flat[rows].sum(0).max() > 1:
        return False
    way = {}
    for row in rows:
        while (parent := regions.parent[row]) >= 0:
            if way.setdefault(parent, bool(regions.cut[row])) != regions.cut[row]:
                return False
            row = parent
    return True


def test_shape_measures_are_those_of_scikit_image():
    image, labels = made.outlined(12, 0)
    light = (labels > 0).astype(np.float32)
    regions = tree(light, [0.5])
    table = measure(regions, light, 24.0, 0.01)
    assert table.shape == (len(regions), len(MEASURES))
    whole = ~regions.cut
    theirs = {int(r.area): r for r in regionprops(label(light > 0, connectivity=1))}
    for row in np.flatnonzero(whole):
        region = theirs[int(regions.area[row])]
        ratio = np.log2(region.axis_major_length / region.axis_minor_length)
        assert table[row, MEASURES.index("elongation")] == pytest.approx(ratio, abs=0.02)
        size = np.log2(region.equivalent_diameter_area / 24)
        assert table[row, MEASURES.index("size")] == pytest.approx(size, abs=1e-6)
    assert image.shape == light.shape


@pytest.fixture(scope="module")
def rule():
    return learned.train([made.outlined(9, k) for k in range(2)], trees=10)


@pytest.mark.parametrize("size", [6, 14, 22])
def test_a_rule_holds_on_objects_of_another_size(rule, size):
    pairs = [made.outlined(size, k) for k in range(2)]
    mean = mean_scores(score(learned.apply(image, rule), gold) for image, gold in pairs)
    assert mean.f1 > 0.85


def test_a_rule_of_wrong_answers_is_worse(rule):
    """The planted fault: gold standards of other images."""
    wrong = learned.train(
        [(made.outlined(9, k)[0], made.outlined(9, k + 5)[1]) for k in range(2)], trees=10
    )
    image, gold = made.outlined(9, 8)
    assert score(learned.apply(image, wrong), gold).f1 < 0.6
    assert score(learned.apply(image, rule), gold).f1 > 0.9


def test_gain_offset_dtype_order_do_not_matter_and_a_rule_is_a_value(rule):
    image, _ = made.outlined(9, 8)
    plain = learned.apply(image, rule)
    copy = pickle.loads(pickle.dumps(rule))
    for other in (image.astype(np.uint16) * 4 + 1000, np.asfortranarray(image), image * 1.0):
        assert np.array_equal(learned.apply(other, copy), plain)
    turned = learned.apply(image[:, ::-1], rule)[:, ::-1]
    assert score(turned, plain).f1 > 0.9


def test_large_objects_are_found_on_a_reduced_image(rule):
    small, labels = made.outlined(14, 1)
    image, gold = (np.repeat(np.repeat(part, 5, 0), 5, 1) for part in (small, labels))
    found = learned.find(image)
    assert found.factor >= 3
    assert score(learned.apply(image, rule), gold).f1 > 0.8


def test_bad_input_is_refused(rule):
    image, gold = made.outlined(9, 0)
    with pytest.raises(ValueError, match="train: needs at least one example"):
        learned.train([])
    with pytest.raises(ValueError, match=r"train: .*same shape"):
        learned.train([(image, gold[1:])])
    with pytest.raises(ValueError, match="candidates: the image must not be constant"):
        learned.apply(np.ones((9, 9)), rule)
    with pytest.raises(ValueError, match="candidates: every pixel must be finite"):
        learned.apply(np.where(gold > 0, np.nan, image), rule)
    with pytest.raises(ValueError, match="apply: cost must lie in"):
        learned.apply(image, rule, cost=2)
    with pytest.raises(ValueError, match="needs at least one candidate"):
        candidates_rule.fit(np.zeros((0, len(MEASURES))), np.zeros(0))
