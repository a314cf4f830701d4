"""Two looks, their folds, outlines: against slow twins, references and planted leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from skimage.transform import resize

from bioimage_tasks import datasets
from bioimage_tasks.datasets import made_nuclei as made
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import candidates_learned as learned
from bioimage_tasks.segmentation import candidates_rule as rules
from bioimage_tasks.segmentation.candidates import regions_of
from bioimage_tasks.segmentation.candidates_choice import choose
from bioimage_tasks.segmentation.candidates_context import COST, KINSHIP, context
from bioimage_tasks.segmentation.candidates_measures import MEASURES
from bioimage_tasks.segmentation.candidates_outline import draw
from bioimage_tasks.segmentation.candidates_usual import COMPARED


@pytest.fixture(scope="module")
def known():
    return [learned.answered(*made.outlined(9, k)) for k in range(4)]


def whole(image, levels):
    return regions_of(image, levels, neck_smoothing=0.5, min_area=4, max_hole=0)


@pytest.mark.parametrize("factor", [1, 2, 3, 5])
def test_an_outline_between_pixels_is_that_of_scikit_image(factor):
    rng = np.random.default_rng(factor)
    small = np.zeros((24, 31), np.float32)
    rows, columns = np.mgrid[:24, :31]
    small[(rows - 11) ** 2 + ((columns - 14) / 1.4) ** 2 < rng.uniform(40, 70)] = 1
    regions = whole(small, [0.5])
    best = np.flatnonzero(~regions.cut)
    shape = 24 * factor, 31 * factor
    labels = draw(regions, best, np.where(regions.cut, 0.0, 1.0), factor, shape)
    theirs = resize(small, shape, order=1, mode="edge", anti_aliasing=False) >= 0.5
    assert np.array_equal(labels > 0, theirs)


def test_objects_on_the_rim_reach_it_and_odd_sizes_are_filled():
    image = np.zeros((20, 20), np.float32)
    image[:8, 12:] = 1
    regions = whole(image, [0.5])
    labels = draw(regions, np.array([0]), np.ones(len(regions)), 3, (62, 61))
    assert labels.shape == (62, 61)
    assert labels[0, -1] == 1
    assert labels[:23, 37:].all()
    assert not labels[25:].any()


def test_regions_alike_vote_on_the_outline():
    rows, columns = np.mgrid[:40, :40]
    image = np.maximum(0, 20 - np.hypot(rows - 20, columns - 20)).astype(np.float32)
    regions = whole(image, [5.0, 5.5, 6.0])
    inner = int(np.argmin(regions.area))
    alone = np.full(len(regions), 0.2)
    alone[inner] = 0.9
    shape = image.shape
    assert np.array_equal(draw(regions, [inner], alone, 1, shape), regions.render([inner]))
    equal = draw(regions, [inner], np.full(len(regions), 0.9), 1, shape)
    assert np.array_equal(equal > 0, regions.render([int(np.argsort(regions.area)[1])]) > 0)


def test_touching_objects_do_not_take_each_others_pixels():
    image = np.zeros((30, 40), np.float32)
    rows, columns = np.mgrid[:30, :40]
    for middle in (12, 26):
        image[(rows - 15) ** 2 + (columns - middle) ** 2 < 64] = 1
    regions = whole(image, [0.5])
    halves = np.flatnonzero(regions.cut)
    assert len(halves) == 2
    labels = draw(regions, halves, np.where(regions.cut, 0.9, 0.1), 2, (60, 80))
    assert set(np.unique(labels)) == {0, 1, 2}
    assert len(np.unique(labels[20:40, :34])) == 2


def test_the_second_looks_measures_are_those_of_a_slow_twin(known):
    one = known[0]
    predicted = np.random.default_rng(1).random((len(one.parent), 2))
    table = context(one, one.measures, predicted)
    worth = predicted[:, 0]
    lines = []  # every region's holders
    for row in range(len(worth)):
        line = []
        while (row := one.parent[row]) >= 0:
            line.append(row)
        lines.append(line)
    assert table.shape == (len(worth), 2 + len(KINSHIP) + len(COMPARED))
    chosen = choose(one, worth - COST)
    usual = np.median(one.measures[chosen], axis=0)
    for row in range(0, len(worth), 7):
        over = max((worth[up] for up in lines[row]), default=0.0)
        below = max((worth[k] for k, line in enumerate(lines) if row in line), default=0.0)
        assert table[row, 2] == pytest.approx(worth[row] - over)
        assert table[row, 3] == pytest.approx(worth[row] - below)
        assert table[row, 6] == (row in chosen)
        for k, name in enumerate(COMPARED, 2 + len(KINSHIP)):
            column = MEASURES.index(name)
            assert table[row, k] == pytest.approx(one.measures[row, column] - usual[column])
    top = table[one.parent < 0]
    gain = np.maximum(worth[one.parent < 0] - COST, 0)
    total = np.maximum(top[:, 4], gain).sum()
    assert total == pytest.approx((worth[chosen] - COST).sum()), "parts sum up to the best choice"


def test_precision_and_recall_from_overlaps_are_those_of_the_labels():
    image, gold = made.outlined(9, 1)
    found = learned.find(image)
    assert found.factor == 1
    one = learned.answered(image, gold)
    for seed in range(4):
        gain = np.random.default_rng(seed).normal(one.overlaps - 0.5, 0.3)
        chosen = choose(found.regions, gain)
        scores = score(found.regions.render(chosen), gold)
        assert rules.found(one, chosen) == pytest.approx((scores.precision, scores.recall))


def test_the_cost_is_chosen_between_junk_and_objects_and_groups_weigh_the_same(known):
    def worths(junk, real):
        return [np.where(one.overlaps > 0.7, real * one.overlaps, junk) for one in known]

    assert 0.4 <= rules.best_cost(known, worths(0.42, 0.9)) < 0.65
    assert rules.best_cost(known, worths(0.1, 0.6)) < 0.5
    # Three images of a group want a cost above their junk, one of another wants a low one.
    mixed = [*worths(0.57, 1.0)[:3], worths(0.0, 0.42)[3]]
    by_image = rules.best_cost(known, mixed)
    by_group = rules.best_cost(known, mixed, ["a", "a", "a", "b"])
    assert by_image > 0.57
    assert by_group < by_image


def test_nothing_predicts_itself_and_groups_that_hold_copies_are_left_out_whole():
    """Answers are noise: only who has seen an image can tell them. Copies plant the leak."""
    rng = np.random.default_rng(0)
    rows = [rng.random((300, 5)) for _ in range(3)]
    answers = [rng.random(300) for _ in range(3)]

    def told(rows, answers, parts):
        looks = rules.left_out(rows, answers, parts, 24, 0)
        pairs = zip(looks, answers, strict=True)
        return np.mean([np.corrcoef(look[:, 0], own)[0, 1] for look, own in pairs])

    assert abs(told(rows, answers, rules.parts_of(["a", "b", "c"]))) < 0.2
    twice = [rows[0], rows[1], rows[2]] * 2, [answers[0], answers[1], answers[2]] * 2
    assert told(*twice, [0, 1, 2, 3, 0, 1]) > 0.5, "the planted fault: copies on both sides"
    assert abs(told(*twice, rules.parts_of(list("abcabc")))) < 0.2
    assert rules.parts_of(list("abcdefghiab")) == [*range(8), 0, 0, 1]


def test_a_fold_that_saw_its_test_image_is_caught(known):
    rule = rules.learn(known[:3], trees=3)
    image, _ = made.outlined(9, 3)
    learned.apply(image, rule, unseen=True)
    leaky = rules.learn(known, trees=3)
    with pytest.raises(ValueError, match=r"must not have learned from the image; .* 4 it knows"):
        learned.apply(image, leaky, unseen=True)
    assert learned.apply(image, leaky).any()


def test_the_price_is_the_middle_of_what_was_found_inside_and_what_counts(known, monkeypatch):
    """Predictions made inside are noisier than the rule's, which asks for too much."""
    monkeypatch.setattr(rules, "best_cost", lambda examples, worths, groups: 0.6)
    assert rules.learn(known, trees=4).cost == pytest.approx(0.55)
    monkeypatch.setattr(rules, "best_cost", lambda examples, worths, groups: 0.3)
    assert rules.learn(known, trees=4).cost == pytest.approx(0.4)


def test_one_image_alone_has_one_look_and_the_usual_cost(known):
    rule = rules.learn(known[:1], trees=3)
    assert rule.second is None
    assert rule.cost == rules.USUAL_COST
    assert rules.learn(known[:2], trees=3).second is not None
    nothing = np.zeros(len(known[2].overlaps))
    empty = replace(known[2], gold=0, overlaps=nothing)
    assert rules.learn([*known[:2], empty], ["a", "b", "b"], trees=3).known


def test_learned_on_three_fields_it_beats_the_default_on_another(collection):
    """U2OS, a small form of the study; the default was made for fields nobody has seen."""
    from bioimage_tasks import segmentation

    images = datasets.NucleiU2osHand(collection("nuclei-u2os-hand")).images()
    *pairs, (image, gold) = [(images[k].read(), images[k].gold.read()) for k in (2, 6, 10, 14)]
    rule = learned.train(pairs, trees=8)
    mine = score(learned.apply(image, rule, unseen=True), gold)
    plain = score(segmentation.segment(image), gold)
    assert mine.f1 > 0.93
    assert mine.mean_ap > plain.mean_ap
