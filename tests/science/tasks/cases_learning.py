"""Cases of the tasks of learning: folds, combinations, rows, tables, figures."""

from __future__ import annotations

import numpy as np

from bioimage_tasks import learning, plots
from bioimage_tasks.features.parts import describe_parts


class Untouched:
    """An estimator that must not be reached: what is refused is refused before any work."""

    def get_params(self, deep=True):
        return {}

    def set_params(self, **params):
        return self

    def fit(self, *_):
        raise AssertionError("worked before it looked")

    predict = fit


NAN = [float("nan")] * 12
HALF = learning.Fold("half", (0, 1, 2, 3, 4, 5), (6, 7, 8, 9, 10, 11))


def parts(made, folder):
    return made.Case(
        call={"image": made.pair, "way": "tiles", "size": 16, "mask": made.mask},
        plain=lambda: describe_parts([made.image, made.pair[..., 1]], "tiles", 16, made.mask),
        other={"way": "pixels", "size": 12, "mask": None, "textures": True},
        bad=[
            ({"image": made.image[0]}, r"describe_parts: .*2 dimensions.*\(48,\)"),
            ({"image": made.image[None, None]}, r"describe_parts: .*2 dimensions"),
            ({"way": "bits"}, "way must be one of .*'bits'"),
            ({"size": 0}, r"size \(pixels\) must lie in \[1, 1024\]; got 0"),
            ({"mask": made.mask[1:]}, r"same shape; got \(47, 48\) and \(48, 48\)"),
        ],
    )


def fold(made, folder):
    first = made.folds[0]
    return made.Case(
        call={"recipe": "ridge", "images": made.rows, "targets": made.y, "fold": first},
        plain=lambda: learning.fit_predict("ridge", made.rows, made.y, first),
        other={"recipe": "mean", "targets": NAN, "fold": made.folds[1], "seed": 1},
        bad=[
            ({"recipe": Untouched(), "targets": NAN}, "targets must be finite; got nan at 0"),
            ({"recipe": Untouched(), "targets": made.y[1:]}, "must belong together; got 12 im"),
            ({"recipe": Untouched(), "kind": "guess"}, "kind must be one of .*'guess'"),
            (
                {"recipe": Untouched(), "kind": "classification", "targets": ["up"] * 12},
                "must have two classes or more.*got 'up' alone",
            ),
            (
                {"recipe": Untouched(), "fold": learning.Fold("x", (0, 1), (1, 2))},
                "check_folds: .*got",
            ),
            ({"recipe": "rigde"}, "recipe: name must be .*got 'rigde'"),
        ],
    )


def chosen_fold(made, folder):
    call = {
        "candidates": {"ridge": "ridge", "mean": "mean"}, "images": made.rows,
        "targets": made.y, "fold": made.folds[0], "folds": made.folds,
    }  # fmt: skip
    how = {"candidates": {"a": Untouched()}}
    return made.Case(
        call=call,
        plain=lambda: learning.choose(*call.values()).result,
        other={"candidates": {"ridge": "ridge"}, "by": "mae"},
        bad=[
            ({"candidates": {}}, "choose: needs a candidate .*got 0 and 3"),
            ({**how, "folds": made.folds[:2]}, "two folds inside .*got 1 and 1"),
            ({**how, "by": "luck"}, "by must be one of .*'luck'"),
            ({**how, "targets": NAN}, "targets must be finite"),
        ],
    )


def gathered(made, folder):
    call = {"results": made.base[0], "targets": made.y, "groups": made.groups, "name": "ridge"}
    return made.Case(
        call=call,
        plain=lambda: made.ways[0],
        other={"name": "x", "results": made.base[1]},
        bad=[
            ({"groups": None}, "gather: needs the group of every image, or by_image=True"),
            ({"groups": ["0"] * 12}, "check_folds: .*both sides of a fold"),
            ({"results": made.base[0][1:]}, "got image 0 left out by 0"),
        ],
    )


def averaged(made, folder):
    return made.Case(
        call={"ways": made.ways},
        plain=lambda: learning.mean(made.ways, "mean"),
        other={"ways": made.ways[:1], "name": "both"},
        bad=[
            ({"ways": []}, "mean: needs one way or more; got none"),
            ({"ways": [made.ways[0], made.ways[1].some(range(11))]}, "the same images"),
        ],
    )


def combined(made, folder):
    call = {
        "base": made.base, "inner": made.inner, "targets": made.y, "groups": made.groups,
        "weighing": "non-negative",
    }  # fmt: skip
    return made.Case(
        call=call,
        plain=lambda: learning.stack(*call.values()),
        other={"weighing": "linear", "limits": (0.0, 1.0)},
        bad=[
            ({"weighing": "fair"}, "how must be one of .*'fair'"),
            ({"inner": made.base}, r"stack: .*make them with pairs\(folds\); got none for image"),
            ({"groups": None}, "needs the group of every image"),
            ({"base": []}, "stack: needs one way or more; got none"),
        ],
    )


def annotators(made, folder):
    second = [value + 0.1 for value in made.y]
    call = {"first": made.y, "second": second, "groups": made.groups, "name": "human"}
    return made.Case(
        call=call,
        plain=lambda: learning.agreement(*call.values()),
        other={"name": "other", "groups": None},
        bad=[({"second": second[1:]}, r"agreement: .*got \(12,\), \(11,\)")],
    )


def score_row(made, folder):
    return made.Case(
        call={"found": made.ways[0], "by_image": made.ways[1], "resamples": 20},
        plain=lambda: learning.score_row(made.ways[0], made.ways[1], resamples=20),
        other={"resamples": 30, "by_image": None},
        bad=[
            ({"by_image": made.ways[1].some(range(11))}, "leak: both must be about the same"),
            ({"found": made.told}, "regression_scores: predicted must be numbers; .*got '"),
        ],
    )


def write_scores(made, folder):
    rows = [{"way": "a", "q2": 0.5}, {"way": "b", "mae": 1.25}]
    table = "way     q2    mae\n---  -----  -----\na    0.500\nb           1.250\n\nA note.\n"
    return made.Case(
        call={"rows": rows, "path": str(folder / "sub" / "scores"), "notes": ["A note."]},
        plain=lambda: table,
        other={"rows": rows[:1], "notes": ()},
        bad=[({"rows": []}, "needs at least one row; got none")],
        written=lambda: {
            "sub/scores.txt": table, "sub/scores.csv": "way,q2,mae\na,0.5,\nb,,1.25\n"
        },
    )  # fmt: skip


def figure(draw, bad, **call):
    """Return the case of a task that draws ``draw(made)`` to a path."""

    def case(made, folder):
        path = str(folder / "sub" / "figure.png")
        given = {name: make(made) for name, make in call.items()}
        return made.Case(
            call={**given, "path": path},
            plain=lambda: path,
            other={"title": "another"},
            bad=bad(made),
            drawn=lambda: draw(made),
        )

    return case


CASES = {
    "parts": parts,
    "fold": fold,
    "chosen_fold": chosen_fold,
    "gathered": gathered,
    "averaged": averaged,
    "combined": combined,
    "annotators": annotators,
    "score_row": score_row,
    "write_scores": write_scores,
    "draw_residuals": figure(
        lambda made: plots.residual_matrix(
            np.array([way.predicted - way.truth for way in made.ways]).T,
            list(made.names), unit="px", title="",
        ),
        lambda made: [({"ways": []}, "residuals: needs one way or more; got none")],
        ways=lambda made: made.ways, unit=lambda made: "px",
    ),
    "draw_predictions": figure(
        lambda made: plots.predicted_vs_true(
            made.ways[0].predicted, made.ways[0].truth, made.groups, quantity="cells", title=""
        ),
        lambda made: [({"found": made.told}, "predicted_vs_true: predicted must be numbers; .*got '")],
        found=lambda made: made.ways[0], quantity=lambda made: "cells",
    ),
    "draw_strips": figure(
        lambda made: plots.group_strips(
            {way.name: way.predicted - way.truth for way in made.ways},
            made.groups, quantity="error", title="",
        ),
        lambda made: [({"ways": []}, "residuals: needs one way or more; got none")],
        ways=lambda made: made.ways, quantity=lambda made: "error",
    ),
    "draw_confusion": figure(
        lambda made: plots.confusion_matrix(
            made.told.classification().confusion, made.told.classification().classes, title=""
        ),
        lambda made: [({"found": made.told.some([])}, "confusion: predicted and truth must be vectors .*not empty")],
        found=lambda made: made.told,
    ),
}  # fmt: skip
