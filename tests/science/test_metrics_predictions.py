"""Scores of numbers and classes against scikit-learn, hand tables and invariances."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.metrics import classification_scores, regression_scores
from bioimage_tasks.metrics.regression import q2


def test_a_table_by_hand():
    """y 0, 1, 2, 3; predictions 0, 1, 2, 5; training means 2, 5/3, 4/3, 1."""
    scores = regression_scores([0, 1, 2, 5], [0, 1, 2, 3], [2, 5 / 3, 4 / 3, 1])
    assert scores.q2 == pytest.approx(1 - 4 / 5)
    assert scores.q2_fold == pytest.approx(1 - 4 / (4 + 4 / 9 + 4 / 9 + 4))
    assert (scores.mae, scores.rmse, scores.bias, scores.n) == (0.5, 1.0, 0.5, 4)
    assert scores.r2 == pytest.approx(64 / 5 / 14)


def test_numbers_as_scikit_learn_scores_them():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    truth = rng.normal(5, 2, 50)
    guess = truth * 0.8 + rng.normal(0, 0.7, 50)
    scores = regression_scores(guess, truth)
    assert scores.q2 == pytest.approx(metrics.r2_score(truth, guess))
    assert scores.mae == pytest.approx(metrics.mean_absolute_error(truth, guess))
    assert scores.rmse == pytest.approx(metrics.root_mean_squared_error(truth, guess))
    assert scores.r2 == pytest.approx(np.corrcoef(truth, guess)[0, 1] ** 2)
    assert scores.bias == pytest.approx(guess.mean() - truth.mean())
    assert np.isnan(scores.q2_fold)


def test_what_q2_does_not_change_with():
    rng = np.random.default_rng(1)
    truth, order = rng.random(20), rng.permutation(20)
    guess = truth + rng.normal(0, 0.1, 20)
    assert q2(guess[order], truth[order]) == pytest.approx(q2(guess, truth))
    assert q2(7 * guess + 3, 7 * truth + 3) == pytest.approx(q2(guess, truth))
    assert q2(guess + 0.5, truth) < q2(guess, truth), "an offset costs, unlike in r2"
    mean = np.full(20, truth.mean())
    assert q2(mean, truth) == pytest.approx(0)
    assert q2(truth, truth) == 1
    assert regression_scores(mean, truth).r2 == 0


def test_leaving_out_flatters_the_form_with_the_training_mean():
    """The training mean lies on the other side, so TSS around it is greater."""
    truth = np.arange(10.0)
    means = (truth.sum() - truth) / 9
    assert q2(means, truth) < 0, "the honest score of guessing the training mean"
    assert q2(means, truth, means) == 0


def test_classes_as_scikit_learn_scores_them():
    from sklearn import metrics

    rng = np.random.default_rng(2)
    truth = rng.choice(["a", "b", "c"], 60, p=[0.6, 0.3, 0.1])
    guess = np.where(rng.random(60) < 0.7, truth, rng.choice(["a", "b", "d"], 60))
    scores = classification_scores(guess, truth)
    names = sorted({*truth, *guess})
    assert scores.classes == tuple(names)
    assert np.array_equal(scores.confusion, metrics.confusion_matrix(truth, guess, labels=names))
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(truth, guess))
    with pytest.warns(UserWarning, match="y_pred contains classes"):
        balanced = metrics.balanced_accuracy_score(truth, guess)
    assert scores.balanced_accuracy == pytest.approx(balanced)
    f1 = metrics.f1_score(truth, guess, average="macro", zero_division=0)
    assert scores.macro_f1 == pytest.approx(f1)


def test_guessing_one_class_is_no_better_than_chance():
    scores = classification_scores(["a"] * 10, ["a"] * 9 + ["b"])
    assert (scores.accuracy, scores.balanced_accuracy) == (0.9, 0.5)
    assert scores.as_dict() == {
        "accuracy": 0.9,
        "balanced_accuracy": 0.5,
        "macro_f1": pytest.approx(9 / 19),
        "n": 10,
    }


@pytest.mark.parametrize(
    ("guess", "truth", "message"),
    [
        ([], [], "regression_scores: predicted and truth must be vectors .* not empty"),
        ([1.0], [1.0, 2.0], r"one length, not empty; got shapes \(1,\) and \(2,\)"),
        ([[1.0]], [[2.0]], "must be vectors of one length"),
        ([np.nan, 1], [1, 2], "every value must be finite; .* got 1 of 2"),
        ([1, 2], [3, 3], "q2: the truth must vary, .* got 3 throughout"),
    ],
)
def test_bad_numbers_are_refused(guess, truth, message):
    with pytest.raises(ValueError, match=message):
        regression_scores(guess, truth)


def test_other_bad_input_is_refused():
    with pytest.raises(ValueError, match="q2: around must be a finite number or one for each"):
        regression_scores([1, 2], [1, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="confusion: predicted and truth must be vectors"):
        classification_scores([], [])
    with pytest.raises(ValueError, match="must be of one type, text or numbers"):
        classification_scores(["1"], [1])
