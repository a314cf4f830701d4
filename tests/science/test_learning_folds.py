"""Estimators, schedules and folds; leaks are planted and must be seen."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from bioimage_tasks import learning
from bioimage_tasks.learning import Fold, recipe

GROUPS = ["b", "a", "b", "c", "a", "b"]


# -- estimators ---------------------------------------------------------------------


def test_a_recipe_becomes_a_fresh_pipeline():
    what = recipe("scale") | recipe("sklearn.svm.SVC", C=3.0)
    model = learning.build(what)
    assert [type(step).__name__ for _, step in model.steps] == ["StandardScaler", "SVC"]
    assert model[-1].C == 3.0
    assert str(what) == "scale | sklearn.svm.SVC(C=3.0)"
    assert learning.build("forest-regressor", seed=7).random_state == 7
    assert learning.build(recipe("forest-regressor", random_state=1), seed=7).random_state == 1


def test_every_short_name_is_there_and_unfitted():
    from bioimage_tasks.learning.estimators import NAMES

    for name in NAMES:
        model = learning.build(name)
        assert hasattr(model, "fit"), name
        assert not [attribute for attribute in vars(model) if attribute.endswith("_")], name


def test_an_estimator_is_cloned_unfitted():
    from sklearn.linear_model import Ridge

    fitted = Ridge(alpha=2.0).fit([[0.0], [1.0]], [0.0, 1.0])
    fresh = learning.build(fitted, seed=3)
    assert fresh.alpha == 2.0
    assert fresh.random_state == 3
    assert not hasattr(fresh, "coef_")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("forrest", "recipe: name must be a dotted path or one of .*; got 'forrest'"),
        (recipe("no.such.Thing"), "dotted path of a class that can be imported; got 'no.such"),
        (recipe("ridge", alfa=1), "'ridge' does not take these parameters"),
        (3, "takes a name, a recipe or a scikit-learn estimator; got 3"),
    ],
)
def test_bad_recipes_are_refused(what, message):
    with pytest.raises(ValueError, match=message):
        learning.build(what)


# -- schedules ----------------------------------------------------------------------


def test_leave_one_group_out_by_hand():
    folds = learning.leave_one_group_out(GROUPS)
    assert folds == [
        Fold("a", (0, 2, 3, 5), (1, 4)),
        Fold("b", (1, 3, 4), (0, 2, 5)),
        Fold("c", (0, 1, 2, 4, 5), (3,)),
    ]
    numbers = learning.leave_one_group_out(["10", "2", "10"])
    assert [fold.name for fold in numbers] == ["2", "10"]


SCHEDULES = {
    "leave-one-group-out": lambda y, groups: learning.leave_one_group_out(groups),
    "leave-one-dataset-out": lambda y, groups: learning.leave_one_dataset_out(groups),
    "group-k-fold": lambda y, groups: learning.group_k_fold(groups, 4, seed=1),
    "stratified": lambda y, groups: learning.stratified_group_k_fold(y, groups, 4, seed=1),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_keeps_groups_whole_and_leaves_each_image_out_once(name):
    rng = np.random.default_rng(0)
    groups = [str(group) for group in rng.integers(0, 9, 60)]
    folds = SCHEDULES[name](rng.integers(0, 3, 60), groups)
    learning.check_folds(folds, groups)
    assert sorted(place for fold in folds for place in fold.test) == list(range(60))
    assert all(len(fold.train) + len(fold.test) == 60 for fold in folds)
    again = SCHEDULES[name](np.random.default_rng(0).integers(0, 9, 60) * 0, groups)
    assert name == "stratified" or again == folds


def test_leave_one_group_out_is_scikit_learns():
    from sklearn.model_selection import LeaveOneGroupOut

    theirs = LeaveOneGroupOut().split(GROUPS, groups=GROUPS)
    ours = learning.leave_one_group_out(GROUPS)
    assert [(fold.train, fold.test) for fold in ours] == [
        (tuple(train.tolist()), tuple(test.tolist())) for train, test in theirs
    ]


def test_stratified_folds_have_the_classes_as_even_as_scikit_learns():
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(3)
    groups = rng.integers(0, 30, 200)
    y = (groups % 3 == 0).astype(int)

    def unevenness(tests):
        return np.std([y[list(test)].mean() for test in tests])

    ours = learning.stratified_group_k_fold(y, groups.tolist(), 5, seed=0)
    theirs = StratifiedGroupKFold(5).split(y, y, groups)
    plain = learning.group_k_fold(groups.tolist(), 5, seed=0)
    even = unevenness([fold.test for fold in ours])
    assert even <= unevenness([test for _, test in theirs]) + 0.03
    assert even < unevenness([fold.test for fold in plain])


@pytest.mark.parametrize("groups", [["a", ""], ["a", None], ["a", float("nan")], ["a"] * 4, []])
def test_unknown_or_single_groups_name_the_flag(groups):
    for schedule in (learning.leave_one_group_out, learning.group_k_fold):
        with pytest.raises(learning.GroupsUnknown, match="pass by_image=True"):
            schedule(groups)
    with pytest.raises(learning.GroupsUnknown, match="pass by_image=True"):
        learning.contiguous_blocks(6, 3)


def test_images_are_left_out_only_when_that_is_said():
    assert len(learning.leave_one_group_out([""] * 5, by_image=True)) == 5
    folds = learning.group_k_fold([""] * 10, 3, by_image=True)
    assert sorted(len(fold.test) for fold in folds) == [3, 3, 4]
    blocks = learning.contiguous_blocks(7, 3, by_image=True)
    assert [fold.test for fold in blocks] == [(0, 1, 2), (3, 4), (5, 6)]
    with pytest.raises(ValueError, match=r"k \(folds\) must lie in \[2, 5\]; got 6"):
        learning.group_k_fold([""] * 5, 6, by_image=True)


def test_a_group_on_both_sides_is_seen():
    planted = [Fold("0", (0, 1, 3), (2, 4, 5))]
    learning.check_folds(planted)
    with pytest.raises(learning.GroupLeak, match=r"got \['a', 'b'\] in fold '0'"):
        learning.check_folds(planted, GROUPS)
    with pytest.raises(learning.GroupLeak, match=r"got \['1'\]"):
        learning.check_folds([Fold("0", (0, 1), (1, 2))])
    with pytest.raises(ValueError, match="got 0 and 2 in fold 'x'"):
        learning.check_folds([Fold("x", (), (1, 2))])


# -- folds --------------------------------------------------------------------------


def test_rows_are_fitted_and_predicted_as_by_hand():
    from sklearn.linear_model import LinearRegression

    rng = np.random.default_rng(0)
    rows, y = rng.random((6, 2)), rng.random(6)
    fold = learning.leave_one_group_out(GROUPS)[1]
    result = learning.fit_predict("linear", rows, y, fold)
    train, test = list(fold.train), list(fold.test)
    by_hand = LinearRegression().fit(rows[train], y[train]).predict(rows[test])
    assert np.allclose(result.predicted, by_hand)
    assert result.train_mean == pytest.approx(y[train].mean())


def test_every_step_of_a_pipeline_is_fitted_inside_the_fold():
    """Noise of 2,000 columns: columns chosen with the test images' help look like signal."""
    rng = np.random.default_rng(0)
    rows, y = rng.normal(size=(40, 2000)), rng.integers(0, 2, 40)
    folds = learning.group_k_fold([""] * 40, 8, by_image=True)

    def accuracy(what, table):
        results = learning.cross_predict(what, table, y, folds, kind="classification")
        return learning.gather(results, y, by_image=True).classification().accuracy

    from sklearn.feature_selection import SelectKBest

    planted = SelectKBest(k=10).fit_transform(rows, y)
    assert accuracy("logistic", planted) > 0.85, "the planted leak shows"
    assert accuracy(recipe("k-best", k=10) | recipe("logistic"), rows) < 0.7


def parts(rng, targets):
    return [
        SimpleNamespace(
            values=np.column_stack([own, rng.random(8)]), areas=rng.random(8) + 0.1, targets=own
        )
        for own in (np.clip(target + rng.normal(0, 0.1, 8), 0, 1) for target in targets)
    ]


def test_parts_are_learned_one_by_one_and_averaged_by_area():
    rng = np.random.default_rng(0)
    bags = parts(rng, np.linspace(0.2, 0.8, 6))
    y = [float(np.average(bag.targets, weights=bag.areas)) for bag in bags]
    fold = learning.leave_one_group_out(GROUPS)[0]
    result = learning.fit_predict("linear", bags, y, fold)
    assert np.allclose(result.predicted, [y[1], y[4]]), "the first feature is the target"
    pressed = learning.fit_predict("linear", bags, y, fold, limits=(0.5, 0.6), max_parts=5)
    assert pressed.predicted.min() >= 0.5
    assert pressed.predicted.max() <= 0.6


def test_parts_vote_for_classes_by_area():
    rng = np.random.default_rng(1)
    classes = ["x", "y"] * 4
    bags = [
        SimpleNamespace(
            values=rng.normal(3 * (c == "y"), 1, (9, 2)), areas=np.ones(9), targets=None
        )
        for c in classes
    ]
    folds = learning.group_k_fold(list("aabbccdd"), 4)
    results = learning.cross_predict("logistic", bags, classes, folds, kind="classification")
    found = learning.gather(results, classes, list("aabbccdd"))
    assert found.classification().accuracy == 1


def test_a_code_book_goes_inside_the_fold():
    rng = np.random.default_rng(2)
    classes = np.array(["x", "y"] * 6)
    bags = [rng.normal(2 * (c == "y"), 1, (30, 4)).astype(np.float32) for c in classes]
    what = recipe("bag-of-words", words=8) | recipe("scale") | recipe("logistic")
    folds = learning.group_k_fold([""] * 12, 3, by_image=True)
    results = learning.cross_predict(what, bags, classes, folds, kind="classification")
    assert learning.gather(results, classes, by_image=True).classification().accuracy > 0.9


def test_a_result_depends_on_the_seed_alone_and_inputs_stay_as_they_are():
    rng = np.random.default_rng(3)
    bags = parts(rng, np.linspace(0.2, 0.8, 6))
    before = [bag.values.copy() for bag in bags]
    fold = learning.leave_one_group_out(GROUPS)[0]
    y = np.linspace(0.2, 0.8, 6)
    forest = recipe("forest-regressor", n_estimators=5)
    one, same, other = (
        learning.fit_predict(forest, bags, y, fold, max_parts=4, seed=seed).predicted
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert all(np.array_equal(bag.values, old) for bag, old in zip(bags, before, strict=True))


@pytest.mark.parametrize(
    ("images", "y", "how", "message"),
    [
        (np.ones((3, 2)), [1.0, 2.0, np.nan], {}, "targets must be finite; got nan at 2"),
        (np.ones((3, 2)), [1.0, 2.0], {}, "must belong together; got 3 images"),
        (np.ones((3, 2)), ["a"] * 3, {"kind": "classification"}, "two classes or more.*'a'"),
        (np.ones((3, 2)), [1.0] * 3, {"kind": "clustering"}, "kind must be one of"),
        ([np.ones((0, 2))] * 3, [1.0, 2, 3], {"parts": True}, "a bag must hold parts"),
        (
            np.array([[1.0, np.nan], [1, 2], [1, 2]]), [1.0, 2, 3], {},
            r"put recipe\('impute'\) in front .* 1 of 2 rows, first in column 1",
        ),
        (np.array([[1.0, 3], [1, 2], [np.nan, 2]]), [1.0, 2, 3], {}, "1 of 1 rows, .* column 0"),
        (
            [np.full((4, 2), np.nan)] * 3, [1.0, 2, 3], {"parts": True}, "8 of 8 rows, .* column 0",
        ),
        (np.ones((3, 0)), [1.0, 2, 3], {}, "0 feature"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(images, y, how, message):
    with pytest.raises(ValueError, match=message):
        learning.fit_predict("linear", images, y, Fold("x", (0, 1), (2,)), **how)
