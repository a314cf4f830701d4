"""Figures: sizes, colours where the data says, no global state, bad input refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from bioimage_tasks import plots

RNG = np.random.default_rng(0)
TRUTH = RNG.random(12)
NAMES = ["one way", "other", "third"]
DRAWN = {
    "residuals": lambda: plots.residual_matrix(
        RNG.normal(size=(12, 3)), NAMES, unit="share", title="t"
    ),
    "predictions": lambda: plots.predicted_vs_true(
        TRUTH + 0.1, TRUTH, list("aabbccddeeff"), quantity="coverage (share)", title="t"
    ),
    "strips": lambda: plots.group_strips(
        {"one": TRUTH, "other": -TRUTH}, list("aabbccddeeff"), quantity="error (share)", title="t"
    ),
    "confusion": lambda: plots.confusion_matrix([[3, 1], [0, 4]], ["x", "y"], title="t"),
    "sweep": lambda: plots.sweep_map(
        [[0.1, np.nan], [0.3, 0.4]], [1, 2], ["a long value of it", "b"],
        row_name="r", column_name="c", score_name="F1",
    ),
    "contact": lambda: plots.contact_sheet(
        [RNG.random((20, 30)), np.zeros((10, 10, 3), np.uint8)], ["a", "b"], title="t"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRAWN)
def test_figures_are_rgb_and_hold_ink_inside_a_white_margin(name):
    figure = DRAWN[name]()
    assert figure.dtype == np.uint8
    assert figure.ndim == 3
    assert figure.shape[2] == 3
    assert min(figure.shape[:2]) > 200
    assert 0.005 < (figure < 250).any(axis=2).mean() < 0.95
    rim = np.concatenate([figure[0], figure[-1], figure[:, 0], figure[:, -1]])
    assert (rim > 250).all(), "nothing is cut off at the sheet's end"


def test_drawing_leaves_pyplot_alone():
    program = (
        "import sys; from bioimage_tasks import plots; assert 'matplotlib' not in sys.modules;"
        "plots.confusion_matrix([[1]], ['x']); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_colours_stay_with_their_object(discs):
    image, labels = discs
    picture = plots.coloured(image, labels, share=1.0)
    assert picture.shape == (*labels.shape, 3)
    colours = {number: {tuple(p) for p in picture[labels == number]} for number in range(1, 13)}
    assert all(len(own) == 1 for own in colours.values())
    assert colours[1] == colours[8] != colours[2], "seven colours by turns"
    outside = picture[labels == 0]
    assert (outside == outside[:, :1]).all(), "the background stays grey"
    with pytest.raises(ValueError, match=r"share must lie in \[0, 1\]; got 2"):
        plots.coloured(image, labels, share=2)


def test_dots_lie_on_the_identity_where_predictions_are_right():
    right = plots.predicted_vs_true(TRUTH, TRUTH, quantity="x")
    wrong = plots.predicted_vs_true(TRUTH[::-1], TRUTH, quantity="x")
    assert right.shape == wrong.shape
    assert not np.array_equal(right, wrong)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.residual_matrix(np.ones((5, 3)), ["a"]), "residual_matrix: needs"),
        (lambda: plots.residual_matrix([[1, np.nan]] * 3, ["a", "b"]), "must be finite"),
        (lambda: plots.predicted_vs_true([], [], quantity="x"), "predicted_vs_true: needs two"),
        (lambda: plots.predicted_vs_true([np.nan], [1], quantity="x"), "must be finite"),
        (lambda: plots.group_strips({"a": [1]}, ["x", "y"], quantity="q"), r"got \['a'\]"),
        (lambda: plots.group_strips({}, [], quantity="q"), "got none"),
        (lambda: plots.confusion_matrix([[1, 2]], ["a"]), "needs a square of counts"),
        (lambda: plots.contact_sheet([], []), "needs pictures and a name for each"),
        (
            lambda: plots.sweep_map(
                [[np.nan]], [1], [1], row_name="", column_name="", score_name=""
            ),
            "sweep_map: needs a score",
        ),
    ],
)
def test_bad_input_is_refused(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
