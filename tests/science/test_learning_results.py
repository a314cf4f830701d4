"""Gathering, combining, choosing, uncertainty; leaky and un-nested ones are planted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bioimage_tasks import learning
from bioimage_tasks.learning import Fold, FoldResult, OutOfFold, recipe


def experiments(seed=0, groups=12, each=6, columns=30):
    """Rows that tell the group apart; its target is drawn anew a group: nothing to learn."""
    rng = np.random.default_rng(seed)
    names = [str(group) for group in range(groups) for _ in range(each)]
    looks = rng.normal(size=(groups, columns)).repeat(each, axis=0)
    rows = looks + rng.normal(0, 0.3, (groups * each, columns))
    y = rng.random(groups).repeat(each) + rng.normal(0, 0.02, groups * each)
    return rows, y, names


def made(truth, predicted, groups, means=0.5):
    truth, predicted = np.asarray(truth, float), np.asarray(predicted, float)
    groups = tuple(groups)
    return OutOfFold(truth, predicted, groups, groups, np.full(len(truth), float(means)))


# -- gathering ----------------------------------------------------------------------


def test_leaving_out_images_leaks_what_leaving_out_groups_does_not():
    rows, y, groups = experiments()
    forest = recipe("forest-regressor", n_estimators=30)
    by_group = learning.leave_one_group_out(groups)
    by_image = learning.group_k_fold(groups, 6, by_image=True)
    honest = learning.gather(learning.cross_predict(forest, rows, y, by_group), y, groups)
    results = learning.cross_predict(forest, rows, y, by_image)
    with pytest.raises(learning.GroupLeak, match="on both sides of a fold"):
        learning.gather(results, y, groups)
    leaky = learning.gather(results, y, groups, by_image=True)
    assert honest.whole_groups
    assert not leaky.whole_groups
    assert honest.regression().q2 < 0.1, "there is nothing to learn"
    assert leaky.regression().q2 > 0.7, "but the groups are known again"
    assert learning.leak(leaky, honest) > 60
    row = learning.score_row(honest.named("forest"), leaky, resamples=50)
    assert row["leak, points"] == pytest.approx(100 * (row["q2 by image"] - row["q2"]))
    assert learning.score_row(leaky, resamples=50)["left out"] == "image"


def test_gathered_predictions_are_in_the_order_of_the_images():
    folds = learning.leave_one_group_out(list("abab"))
    results = [
        FoldResult(fold, np.array(fold.test) * 10.0, float(place))
        for place, fold in enumerate(folds)
    ]
    found = learning.gather(results[::-1], [0.0, 1, 2, 3], list("abab"), name="x")
    assert found.predicted.tolist() == [0, 10, 20, 30]
    assert found.fold_means.tolist() == [0, 1, 0, 1]
    assert found.folds == ("a", "b", "a", "b")
    assert {name: own.predicted.tolist() for name, own in found.by_group().items()} == {
        "a": [0, 20],
        "b": [10, 30],
    }


def test_an_image_left_out_twice_or_never_is_seen():
    folds = learning.leave_one_group_out(list("abc"))
    results = [FoldResult(fold, np.zeros(1), 0.0) for fold in folds]
    with pytest.raises(ValueError, match="got image 2 left out by 0"):
        learning.gather(results[:2], [1.0, 2, 3], list("abc"))
    with pytest.raises(ValueError, match="got image 0 left out by 2"):
        learning.gather([*results, results[0]], [1.0, 2, 3], list("abc"))
    with pytest.raises(ValueError, match="needs the group of every image, or by_image=True"):
        learning.gather(results, [1.0, 2, 3])


def test_results_of_other_images_are_refused():
    folds = learning.leave_one_group_out(list("abc"))
    results = [FoldResult(fold, np.zeros(1), 0.0) for fold in folds]
    with pytest.raises(ValueError, match="got 2 targets, 2 groups, indices up to 2"):
        learning.gather(results, [1.0, 2], list("ab"))
    with pytest.raises(ValueError, match="got 3 targets, 2 groups, indices up to 2"):
        learning.gather(results, [1.0, 2, 3], list("ab"))
    with pytest.raises(ValueError, match="got image 0 left out by 0"):
        learning.gather([], [1.0, 2, 3], list("abc"))


# -- combining ----------------------------------------------------------------------


def nested(seed=0, noise=(0.1, 0.2), images=30):
    """Two ways that predict truth + noise, with what a nested stack of them needs."""
    rng = np.random.default_rng(seed)
    groups = [str(place % 6) for place in range(images)]
    truth = rng.random(images)
    folds = learning.leave_one_group_out(groups)
    base, inner = [], []
    for spread in noise:
        guess = 0.7 * truth + 0.1 + rng.normal(0, spread, images)
        ways = [
            [FoldResult(fold, guess[list(fold.test)], 0.5) for fold in those]
            for those in (folds, learning.pairs(folds))
        ]
        base.append(ways[0])
        inner.append(ways[1])
    return base, inner, truth, groups


@pytest.mark.parametrize("how", ["mean", "convex", "line", "non-negative", "linear"])
def test_a_stack_is_the_regression_on_the_other_groups(how):
    base, inner, truth, groups = nested()
    found = learning.stack(base, inner, truth, groups, how)
    ways = [learning.gather(results, truth, groups) for results in base]
    table = np.array([way.predicted for way in ways]).T
    for fold in learning.leave_one_group_out(groups):
        train, test = list(fold.train), list(fold.test)
        by_hand = learning.weigh(table[train], truth[train], how).apply(table[test])
        assert np.allclose(found.predicted[test], by_hand)
    if how in ("non-negative", "linear"):
        assert found.regression().q2 > max(way.regression().q2 for way in ways)


def test_weights_against_other_solvers():
    from scipy.optimize import minimize

    rng = np.random.default_rng(0)
    table = rng.random((40, 3))
    truth = table @ [0.7, 0.5, -0.4] + rng.normal(0, 0.05, 40)
    linear = learning.weigh(table, truth, "linear")
    exact, *_ = np.linalg.lstsq(np.column_stack([table, np.ones(40)]), truth, rcond=None)
    assert np.allclose([*linear.of, linear.offset], exact)
    assert min(learning.weigh(table, truth, "non-negative").of) == 0
    convex = learning.weigh(table, truth, "convex")
    best = minimize(
        lambda w: ((table @ w - truth) ** 2).sum(),
        np.full(3, 1 / 3),
        bounds=[(0, 1)] * 3,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
    )
    assert np.allclose(convex.of, best.x, atol=1e-3)
    assert sum(convex.of) == pytest.approx(1)
    assert learning.weigh(table, truth, "mean").of == (1 / 3,) * 3
    line = learning.weigh(table, truth, "line")
    assert np.allclose([3 * line.of[0], line.offset], np.polyfit(table.mean(1), truth, 1))
    assert len(set(line.of)) == 1


def test_a_stack_that_is_not_nested_is_refused():
    """Planted: the base results again, whose models saw the fold that is left out."""
    base, inner, truth, groups = nested()
    with pytest.raises(learning.NotNested, match="saw neither the image nor the fold left out"):
        learning.stack(base, base, truth, groups)
    with pytest.raises(learning.NotNested, match="got none for image"):
        learning.stack(base, [inner[0], inner[1][1:]], truth, groups)


def test_a_pair_that_was_trained_on_its_own_group_is_refused():
    base, inner, truth, groups = nested()
    bad = inner[0][0]
    leaky = replace(bad, fold=replace(bad.fold, train=(*bad.fold.train, bad.fold.test[0])))
    with pytest.raises(learning.GroupLeak):
        learning.stack(base, [[leaky, *inner[0][1:]], inner[1]], truth, groups)


def test_what_an_unnested_stack_would_gain():
    """Many ways of pure noise: regressed on themselves they shine, nested they don't."""
    base, inner, truth, groups = nested(noise=(5.0,) * 20)
    honest = learning.stack(base, inner, truth, groups, "linear")
    table = np.array([learning.gather(r, truth, groups).predicted for r in base]).T
    planted = honest.with_predicted(learning.weigh(table, truth, "linear").apply(table))
    assert planted.regression().q2 > 0.5
    assert honest.regression().q2 < 0


def test_pairs_leave_out_two_and_keep_groups_whole():
    groups = list("aabbcd")
    two = learning.pairs(learning.leave_one_group_out(groups))
    assert [fold.name for fold in two] == ["a+b", "a+c", "a+d", "b+c", "b+d", "c+d"]
    assert two[1] == Fold("a+c", (2, 3, 5), (0, 1, 4))
    learning.check_folds(two, groups)


def test_mean_and_residuals():
    groups = list("abcd")
    one = made([0, 1, 2, 3], [0.5, 1, 2, 3.5], groups).named("one")
    other = made([0, 1, 2, 3], [-0.5, 1, 2, 2.5], groups).named("other")
    assert learning.mean([one, other]).predicted.tolist() == [0, 1, 2, 3]
    away = learning.residuals([one, other])
    assert away.tolist() == [[0.5, -0.5], [0, 0], [0, 0], [0.5, -0.5]]
    matrix = learning.residual_correlation([one, other])
    assert np.allclose(matrix, np.corrcoef(away.T))
    flat = made([0, 1, 2, 3], [1, 2, 3, 4], groups)
    assert np.allclose(learning.residual_correlation([one, flat]), np.eye(2))
    with pytest.raises(ValueError, match="same images in the same folds; got 'moved'"):
        learning.mean([one, made([0, 1, 2, 4], [0, 1, 2, 3], groups).named("moved")])
    with pytest.raises(ValueError, match="needs one way or more"):
        learning.mean([])


# -- choosing -----------------------------------------------------------------------


def test_a_model_is_chosen_without_the_fold_left_out():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 3))
    y, groups = rows @ [1, 2, 3] + 5, [str(place % 8) for place in range(40)]
    folds = learning.leave_one_group_out(groups)
    candidates = {"mean": recipe("mean"), "linear": recipe("linear")}
    chosen = learning.choose(candidates, rows, y, folds[0], folds)
    assert chosen.name == "linear"
    assert np.allclose(chosen.result.predicted, y[list(folds[0].test)])
    spoiled = y.copy()
    spoiled[list(folds[0].test)] = 1e9
    assert learning.choose(candidates, rows, spoiled, folds[0], folds).scores == chosen.scores
    inner = learning.without(folds, folds[0])
    assert all(set(fold.train).isdisjoint(folds[0].test) for fold in inner)
    assert len(inner) == 7
    with pytest.raises(ValueError, match="by must be one of"):
        learning.choose(candidates, rows, y, folds[0], folds, by="luck")


# -- uncertainty --------------------------------------------------------------------


def test_the_interval_covers_and_is_wider_over_groups():
    rng = np.random.default_rng(0)
    hits, wider = 0, 0
    for _ in range(60):
        groups = np.repeat(np.arange(20), 5)
        away = rng.normal(0.3, 1, 20)[groups] + rng.normal(0, 0.1, 100)
        truth = rng.random(100)
        found = made(truth, truth + away, map(str, groups))
        over = learning.bootstrap(found, "bias", resamples=200)
        single = learning.bootstrap(found, "bias", resamples=200, by_image=True)
        hits += over.low <= 0.3 <= over.high
        wider += over.high - over.low > 1.5 * (single.high - single.low)
    assert hits >= 51, "95% intervals of 20 groups are a little narrow, 85% would be wrong"
    assert wider >= 58


def test_a_paired_difference_is_surer_than_two_intervals():
    rng = np.random.default_rng(1)
    groups = [str(place // 4) for place in range(60)]
    truth, shared = rng.random(60), rng.normal(0, 0.2, 60)
    one, other = (made(truth, truth + k * shared, groups) for k in (1.0, 1.2))
    pair = learning.bootstrap(other, "mae", against=one, resamples=300)
    alone = learning.bootstrap(one, "mae", resamples=300)
    assert pair.low > 0
    assert pair.high - pair.low < 0.5 * (alone.high - alone.low)
    assert pair.groups == 15


def test_a_score_of_classes_is_not_taken_of_numbers():
    numbers = made([1, 2, 3, 4], [1, 2, 3, 5], "aabb")
    for function in (learning.bootstrap, learning.permutation_test):
        with pytest.raises(ValueError, match=r"accuracy is a score of classes.*one of q2, .*bias"):
            function(numbers, "accuracy")
    with pytest.raises(ValueError, match="score of classes"):
        learning.score_row(numbers, kind="classification")
    told = made([1, 0, 1, 0], [1, 0, 0, 0], "aabb", means=np.nan)
    assert learning.bootstrap(told, "accuracy", resamples=50).value == 0.75


def test_a_bootstrap_without_groups_names_the_flag():
    found = made([0, 1, 2], [0, 1, 2], ["", "", ""])
    with pytest.raises(learning.GroupsUnknown, match="by_image=True"):
        learning.bootstrap(found)
    assert learning.bootstrap(found, by_image=True, resamples=20).value == 1
    constant = made([1, 1, 1], [0, 1, 2], list("abc"))
    with pytest.raises(ValueError, match="truths that vary between groups"):
        learning.bootstrap(constant, resamples=5)


def test_p_is_even_under_chance_and_small_with_signal():
    rng = np.random.default_rng(2)
    groups = [str(place // 3) for place in range(45)]
    of_chance = []
    for seed in range(40):
        truth = rng.random(15).repeat(3) + rng.normal(0, 0.05, 45)
        guess = rng.random(15).repeat(3) + rng.normal(0, 0.05, 45)
        found = made(truth, guess, groups)
        of_chance.append(learning.permutation_test(found, "r2", permutations=99, seed=seed))
    assert 0.3 < np.mean(of_chance) < 0.7
    assert np.mean(np.array(of_chance) <= 0.1) < 0.3
    found = made(truth, truth + rng.normal(0, 0.1, 45), groups)
    assert learning.permutation_test(found, "mae", permutations=99) == pytest.approx(0.01)


@pytest.mark.parametrize("mixed", [False, True])
def test_p_of_classes(mixed):
    groups = [str(place // 4) for place in range(48)]
    truth = np.array(["x", "y"] * 24) if mixed else np.array(["x", "y"] * 6).repeat(4)
    nothing = np.full(48, np.nan)
    good = OutOfFold(truth, truth.copy(), tuple(groups), tuple(groups), nothing)
    assert learning.permutation_test(good, "accuracy", permutations=99) <= 0.03
    same = good.with_predicted(np.full(48, "x"))
    assert learning.permutation_test(same, "accuracy", permutations=99) == 1


# -- people -------------------------------------------------------------------------


def test_two_annotators_by_the_same_functions():
    groups = list("aabbc")
    found = learning.agreement([0, 1, 2, 3, 4], [0, 1, 2, 3, 5], groups, "humans")
    assert found.regression().q2 == pytest.approx(0.9)
    assert found.fold_means.tolist() == pytest.approx([3, 3, 5 / 3, 5 / 3, 1.5])
    alone = learning.agreement([0.0, 1], [0.0, 1], None, "humans")
    assert np.isnan(alone.regression().q2_fold)
    assert not alone.whole_groups
    table = learning.text([learning.score_row(found, resamples=20)], ["a note"])
    assert table.splitlines()[0].startswith("way")
    assert table.endswith("a note\n")
    with pytest.raises(ValueError, match="same images"):
        learning.agreement([1.0], [1.0, 2], None, "x")
