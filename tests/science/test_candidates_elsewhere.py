"""Rules for laboratories nobody learned from: what is usual, equal weights, the default's voice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bioimage_tasks import segmentation
from bioimage_tasks.datasets import made_nuclei as made
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import candidates_learned as learned
from bioimage_tasks.segmentation import candidates_rule as rules
from bioimage_tasks.segmentation import candidates_usual as usual
from bioimage_tasks.segmentation.candidates import overlaps
from bioimage_tasks.segmentation.candidates_choice import choose
from bioimage_tasks.segmentation.candidates_measures import MEASURES


@pytest.fixture(scope="module")
def field():
    return made.outlined(9, 3)


@pytest.fixture(scope="module")
def known():
    return [learned.answered(*made.outlined(9, k, 120)) for k in range(3)]


def masks_of(regions):
    flat = np.zeros((len(regions), int(np.prod(regions.shape))), bool)
    for row in range(len(regions)):
        flat[row, regions.members(row)] = True
    return flat


def test_overlaps_are_those_of_masks(field):
    image, gold = field
    regions = learned.find(image).regions
    iou, which = overlaps(regions, gold)
    truth = np.array([(gold == one).ravel() for one in range(1, gold.max() + 1)])
    for row, mask in enumerate(masks_of(regions)):
        each = (truth & mask).sum(1) / (truth | mask).sum(1)
        assert iou[row] == pytest.approx(each.max())
        assert which[row] == (each.argmax() + 1 if each.max() > 0 else 0)
    nothing = np.zeros_like(gold)
    assert not overlaps(regions, nothing)[0].any()
    assert not len(usual.usual_rows(regions, nothing))


def test_one_region_stands_for_each_object_and_few_bad_ones_count_too(field):
    image, gold = field
    regions = learned.find(image).regions
    rows = usual.usual_rows(regions, gold)
    iou, which = overlaps(regions, gold)
    assert len(set(which[rows])) == len(rows) > gold.max() / 2
    for row in rows:
        assert iou[row] == iou[which == which[row]].max() >= usual.LIKE
    specks = np.zeros_like(gold)  # too small to be like any region
    for one in range(1, 5):
        place = np.argwhere(gold == one).mean(0).astype(int)
        specks[tuple(place)] = one
    assert 0 < len(usual.usual_rows(regions, specks)) <= 4


def test_differences_do_not_know_a_laboratorys_offsets(field):
    """A wrong guess of the diameter, another exposure: constants added to size and signal."""
    found = learned.find(field[0])
    plain = found.measures[:, : len(MEASURES)]
    rows = usual.usual_rows(found.regions, field[1])
    other = plain.copy()
    for name in ("size", "signal", "brightness"):
        other[:, MEASURES.index(name)] += 1.7
    assert np.allclose(usual.differences(plain, rows), usual.differences(other, rows))
    assert found.measures.shape[1] == len(MEASURES) + len(usual.COMPARED)
    median = np.median(usual.differences(plain, rows)[rows], axis=0)
    assert np.allclose(median, 0)
    assert not usual.differences(plain[:0], rows[:0]).size


@pytest.mark.parametrize("strength", [4, 8])
def test_candidates_are_found_in_haze(strength):
    """One broad glow, some times as bright as the objects; it had hidden them all."""
    image, gold = made.outlined(6, 0, 256)
    rows, columns = np.mgrid[:256, :256]
    glow = np.exp(-((rows - 60) ** 2 + (columns - 60) ** 2) / (2 * 90.0**2))
    hazy = 0.25 * image + 40.0 * strength * glow
    found = learned.find(hazy)
    best = choose(found.regions, found.overlaps(gold) - 0.3)
    assert score(found.regions.render(best), gold).f1 > 0.9


def test_a_wrong_diameter_does_not_blot_out_small_objects():
    image, gold = made.outlined(6, 1, 256)
    found = learned.find(image, diameter=75)
    assert found.factor == 1
    best = choose(found.regions, found.overlaps(gold) - 0.3)
    assert score(found.regions.render(best), gold).recall > 0.8


def test_collections_weigh_the_same_however_many_images_they_have(known):
    """The same candidates: nine images say 1, one of another laboratory says 0."""
    one = known[0]
    yes = replace(one, overlaps=np.ones_like(one.overlaps))
    no = replace(one, overlaps=np.zeros_like(one.overlaps))
    examples, groups = [yes] * 9 + [no], ["a"] * 9 + ["b"]

    def mean(rule):
        return float(rule.first.predict(one.measures)[:, 0].mean())

    equal = rules.learn(examples, groups, trees=4, elsewhere=True)
    assert mean(equal) == pytest.approx(0.5, abs=0.05)
    by_image = rules.learn(examples, trees=4, elsewhere=True)
    assert mean(by_image) == pytest.approx(0.9, abs=0.05), "the planted fault: images weigh"


def test_one_look_a_fixed_cost_and_a_voice_beside_the_groups(known):
    rule = rules.learn(known, ["a", "b", "b"], trees=3, elsewhere=True)
    assert (rule.second, rule.cost, rule.voice) == (None, rules.FOUND, pytest.approx(1 / 3))
    assert rules.learn(known, trees=3, elsewhere=True).voice == pytest.approx(1 / 2)
    assert rules.learn(known, trees=3).voice == 0
    empty = replace(known[2], measures=known[2].measures[:0], overlaps=known[2].overlaps[:0])
    assert rules.learn([*known[:2], empty], list("abc"), trees=3, elsewhere=True).known


def test_where_the_forest_knows_nothing_the_default_decides(known, field):
    image = field[0]
    dull = [replace(one, overlaps=np.full_like(one.overlaps, 0.3)) for one in known]
    rule = rules.learn(dull, trees=3, elsewhere=True)
    plain = segmentation.segment(image)
    assert score(learned.apply(image, rule), plain).f1 == 1
    assert not learned.apply(image, replace(rule, voice=0.0)).any()
    assert learned.train([field], trees=3, elsewhere=True).voice == pytest.approx(0.5)
