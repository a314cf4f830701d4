"""What must hold for every pair of label images, and what bad ones get to hear."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bioimage_tasks.checks import sequential
from bioimage_tasks.metrics import contingency, mean_scores, score
from bioimage_tasks.metrics.matching import match

LABELS = arrays(np.int32, (7, 9), elements=st.integers(0, 4))
BEST = {
    "rand": 1, "adjusted_rand": 1, "jaccard": 1, "precision": 1, "recall": 1, "f1": 1,
    "ap50": 1, "ap75": 1, "mean_ap": 1, "panoptic_quality": 1, "nsd": 0, "hausdorff": 0,
    "split": 0, "merged": 0, "missing": 0, "spurious": 0,
}  # fmt: skip


def perfect(scores):
    return {name: getattr(scores, name) for name in BEST} == BEST


def test_perfect_sees_one_pixel(discs):
    """Planted fault: the checker notices a single pixel that moved."""
    _, gold = discs
    wrong = gold.copy()
    wrong[tuple(np.argwhere(gold == 1)[0])] = 0
    assert not perfect(score(wrong, gold))


@given(LABELS)
def test_equal_images_are_perfect(labels):
    assert perfect(score(labels, labels))


@given(LABELS, LABELS, st.permutations(range(1, 5)))
def test_numbering_does_not_matter(labels, gold, order):
    """Except where an object is shared evenly: such a tie goes to the lower number."""
    renamed = np.array([0, *(1000 * number for number in order)])[labels]
    one, other = score(renamed, gold).as_dict(), score(labels, gold).as_dict()
    for name in ("nsd", "hausdorff", "split", "merged", "missing", "spurious"):
        del one[name], other[name]
    assert one == pytest.approx(other)


def test_numbering_does_not_matter_to_the_measures_of_coelho(field):
    from bioimage_tasks.segmentation import segment

    image, gold = field
    labels = segment(image)
    order = np.random.default_rng(3).permutation(int(labels.max())) + 1
    renamed = np.concatenate([[0], order])[labels]
    assert score(renamed, gold).as_dict() == pytest.approx(score(labels, gold).as_dict())


@given(LABELS, LABELS)
def test_flips_and_memory_order_do_not_matter(labels, gold):
    plain = score(labels, gold).as_dict()
    for turn in (np.flipud, np.fliplr, np.transpose, np.asfortranarray):
        assert score(turn(labels), turn(gold)).as_dict() == pytest.approx(plain)


@given(LABELS, LABELS)
def test_roles_are_symmetric(labels, gold):
    one, other = score(labels, gold), score(gold, labels)
    assert (one.precision, one.recall) == (other.recall, other.precision)
    assert (one.split, one.missing) == (other.merged, other.spurious)
    for name in ("rand", "adjusted_rand", "jaccard", "f1", "mean_ap"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


@given(LABELS, LABELS)
def test_ratios_stay_between_0_and_1(labels, gold):
    scores = score(labels, gold).as_dict()
    for name in ("rand", "jaccard", "precision", "recall", "f1", "mean_ap", "panoptic_quality"):
        assert 0 <= scores[name] <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.uint64])
def test_dtype_does_not_matter(discs, dtype):
    _, gold = discs
    assert perfect(score(gold.astype(dtype), gold))


def test_huge_numbers_and_many_objects_stay_sparse():
    """A pixel an object, numbers up to 2^62: no dense table could hold them."""
    gold = np.arange(10_000, dtype=np.int64).reshape(100, 100)
    labels = gold[::-1, ::-1].copy()
    table = contingency(labels * 2**49, gold * 2**49)
    assert (table.n_gold, table.n_labels, len(table.shared)) == (9999, 9999, 10_000)
    assert match(table, 0.5).tp == 9998


def test_one_split_one_merge_one_missing_one_spurious(discs):
    _, gold = discs
    labels = gold.copy()
    rows = np.mgrid[: gold.shape[0], : gold.shape[1]][0]
    labels[(gold == 1) & (rows > 16)] = 101
    labels[gold == 3] = 2
    labels[gold == 4] = 0
    labels[28:36, 0:8] = 102
    scores = score(labels, gold)
    counted = scores.split, scores.merged, scores.missing, scores.spurious
    assert counted == (1, 1, 1, 1)


def test_empty_images_follow_the_stated_conventions(discs):
    _, gold = discs
    nothing = np.zeros_like(gold)
    assert perfect(score(nothing, nothing))
    none_found = score(nothing, gold)
    assert (none_found.precision, none_found.recall, none_found.f1) == (0, 0, 0)
    assert (none_found.nsd, none_found.hausdorff, none_found.missing) == (1, 128, 12)
    all_false = score(gold, nothing)
    assert (all_false.f1, all_false.nsd, all_false.spurious) == (0, 1, 12)


def test_three_dimensions_work():
    gold = np.zeros((6, 8, 8), dtype=np.int32)
    gold[1:4, 2:6, 2:6] = 1
    assert perfect(score(gold, gold))
    assert score(np.roll(gold, 1, axis=0), gold).hausdorff == 1


@given(LABELS)
def test_sequential_keeps_objects_and_leaves_its_input(labels):
    before = labels.copy()
    renumbered = sequential(labels)
    assert np.array_equal(labels, before)
    assert renumbered is not labels
    assert perfect(score(renumbered, labels))
    assert set(np.unique(renumbered)) - {0} == set(range(1, int(renumbered.max()) + 1))


def test_mean_scores_weighs_images_the_same(discs):
    _, gold = discs
    good, bad = score(gold, gold), score(np.zeros_like(gold), gold)
    assert mean_scores([good, good, bad]).f1 == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"mean_scores: .*got none"):
        mean_scores([])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((3, 4), int), r"score: labels and gold must have the same shape.*\(3, 4\)"),
        (np.zeros((4, 4)), r"score: labels must be integers.*float64"),
        (np.full((4, 4), -1), r"score: labels must not be negative.*-1"),
        (np.zeros((0, 4), int), r"score: labels must hold pixels.*\(0, 4\)"),
    ],
)
def test_bad_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        score(labels, np.zeros((4, 4), int))


@pytest.mark.parametrize("tau", [0, -1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(discs, tau):
    with pytest.raises(ValueError, match="match: tau must lie in"):
        match(contingency(discs[1], discs[1]), tau)
