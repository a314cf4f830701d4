"""Our metrics against independent ones, on real outlines and real mistakes."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from bioimage_tasks.metrics import contingency, score
from bioimage_tasks.metrics.coelho import assign, border_distances
from bioimage_tasks.metrics.matching import DSB_THRESHOLDS, match
from bioimage_tasks.segmentation import segment


@pytest.fixture(scope="module")
def stardist_matching():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("stardist.matching").matching


@pytest.fixture(scope="module", params=["global-threshold", "local-threshold", "watershed"])
def pair(request, field):
    """Labels of one method with all its mistakes, and the gold standard."""
    image, gold = field
    return segment(image, request.param), gold


def differences(ours, theirs):
    """Return the names of values that differ by more than rounding."""
    names = ("tp", "fp", "fn", "precision", "recall", "f1", "ap", "panoptic_quality")
    keys = ("tp", "fp", "fn", "precision", "recall", "f1", "accuracy", "panoptic_quality")
    return [
        name
        for name, key in zip(names, keys, strict=True)
        if abs(getattr(ours, name) - getattr(theirs, key)) > 1e-6  # StarDist's IoU is float32
    ]


@pytest.mark.parametrize("tau", [0.1, 0.3, *DSB_THRESHOLDS])
def test_matching_equals_stardist(pair, stardist_matching, tau):
    labels, gold = pair
    theirs = stardist_matching(gold, labels, thresh=tau)
    assert differences(match(contingency(labels, gold), tau), theirs) == []


def test_the_comparison_sees_one_wrong_match(pair, stardist_matching):
    """Planted fault: one true positive too many."""
    labels, gold = pair
    ours = match(contingency(labels, gold), 0.5)
    wrong = replace(ours, tp=ours.tp + 1, fp=ours.fp - 1)
    assert "f1" in differences(wrong, stardist_matching(gold, labels, thresh=0.5))


def test_iou_of_exactly_one_half_counts_once(stardist_matching):
    """An object cut in equal halves reaches IoU 0.5 twice but has one partner."""
    gold = np.ones((2, 4), dtype=np.int32)
    halves = np.array([[1, 1, 2, 2]] * 2)
    ours = match(contingency(halves, gold), 0.5)
    assert (ours.tp, ours.fp, ours.fn) == (1, 1, 0)
    assert differences(ours, stardist_matching(gold, halves, thresh=0.5)) == []


def test_rand_indices_equal_scikit_learn(pair):
    cluster = pytest.importorskip("sklearn.metrics")
    labels, gold = pair
    ours = score(labels, gold)
    theirs = gold.ravel(), labels.ravel()
    assert ours.rand == pytest.approx(cluster.rand_score(*theirs), abs=1e-12)
    assert ours.adjusted_rand == pytest.approx(cluster.adjusted_rand_score(*theirs), abs=1e-12)
    foreground = [part > 0 for part in theirs]
    assert ours.jaccard == pytest.approx(cluster.jaccard_score(*foreground), abs=1e-12)


def test_contingency_equals_scikit_image(pair):
    from skimage.metrics import contingency_table

    labels, gold = pair
    table = contingency(labels, gold)
    dense = np.zeros((table.n_gold + 1, table.n_labels + 1))
    dense[table.gold, table.label] = table.shared
    theirs = contingency_table(gold, labels).toarray()
    assert np.array_equal(dense, theirs)
    assert np.array_equal(table.gold_area, theirs.sum(1))
    assert np.array_equal(table.label_area, theirs.sum(0))


def naive_distances(segmented, reference):
    """NSD and Hausdorff as the paper writes them: every pixel against every pixel."""
    inside, outside = np.argwhere(reference), np.argwhere(~reference)
    total = wrong = greatest = 0.0
    for point in np.argwhere(segmented | reference):
        other = outside if reference[tuple(point)] else inside
        far = np.sqrt(((other - point) ** 2).sum(1)).min()
        total += far
        if segmented[tuple(point)] != reference[tuple(point)]:
            wrong += far
            greatest = max(greatest, far)
    return wrong / total, greatest


def test_coelho_distances_equal_a_naive_twin(pair):
    """All wrong objects of a quarter of the field, over the whole of that quarter."""
    labels, gold = (part[:128, :128] for part in pair)
    table = contingency(labels, gold)
    numbers = np.unique(labels[labels > 0]), np.unique(gold[gold > 0])
    expected_nsd, expected_far = [], []
    for number, goal in zip(numbers[0], assign(table).labels_to_gold, strict=True):
        if goal == 0:
            expected_nsd.append(1.0)
            continue
        nsd, far = naive_distances(labels == number, gold == numbers[1][goal - 1])
        expected_nsd.append(nsd)
        expected_far.append(far)
    ours = score(labels, gold)
    assert ours.nsd == pytest.approx(np.mean(expected_nsd), abs=1e-9)
    assert ours.hausdorff == pytest.approx(np.mean(expected_far), abs=1e-9)


def test_hausdorff_follows_scikit_image_for_one_sided_errors():
    """For an object that only grew, ours is scikit-image's distance between the masks."""
    from skimage.metrics import hausdorff_distance

    gold = np.zeros((40, 40), dtype=bool)
    gold[10:20, 10:20] = True
    grown = gold.copy()
    grown[12:15, 20:31] = True
    assert border_distances(grown, gold)[1] == hausdorff_distance(grown, gold) == 11


def naive_assignment(labels, gold):
    """Split, merged, missing and spurious counted one object at a time."""

    def goals(one, other):
        return [
            int(np.bincount(other[one == number]).argmax()) for number in np.unique(one[one > 0])
        ]

    to_gold, to_labels = goals(labels, gold), goals(gold, labels)
    split = sum(max(to_gold.count(goal) - 1, 0) for goal in set(to_gold) - {0})
    merged = sum(max(to_labels.count(goal) - 1, 0) for goal in set(to_labels) - {0})
    return split, merged, to_labels.count(0), to_gold.count(0)


def test_object_errors_equal_a_naive_twin(pair):
    ours = score(*pair)
    assert (ours.split, ours.merged, ours.missing, ours.spurious) == naive_assignment(*pair)


def test_the_published_mean_threshold_row(collection):
    """Coelho 2009, table 2, U2OS: the mean threshold has Rand 96 % and misses 3.6 nuclei.

    With the paper's rule that objects below 2500 pixels are dropped.
    """
    from scipy.ndimage import gaussian_filter, label

    from bioimage_tasks.datasets import NucleiU2osHand
    from bioimage_tasks.metrics import mean_scores

    every = []
    for image in NucleiU2osHand(collection("nuclei-u2os-hand")).images():
        pixels = image.read()
        labels = label(gaussian_filter(pixels.astype(float), 2) > pixels.mean())[0]
        labels[np.bincount(labels.ravel())[labels] < 2500] = 0
        every.append(score(labels, image.gold.read()))
    mean = mean_scores(every)
    assert mean.rand == pytest.approx(0.964, abs=0.006)
    assert mean.missing == pytest.approx(3.6, abs=0.4)
    assert mean.spurious == pytest.approx(0.9, abs=0.3)
