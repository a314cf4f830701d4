"""Cases of the tasks of features: tables, descriptors, words, the figure of leaks."""

from __future__ import annotations

import numpy as np

from bioimage_tasks import features as room
from bioimage_tasks.features.surf import describe
from bioimage_tasks.features.words import bags_of_words, fit_codebook
from bioimage_tasks.plots.leaks import leak_lines

SETS = ("shape", "intensity")


def features(made, folder):
    return made.Case(
        call={"image": made.nuclei, "labels": made.labels, "sets": SETS, "shares": (0.5,)},
        plain=lambda: room.compute(made.nuclei, made.labels, SETS, shares=(0.5,)),
        other={"sets": ("shape",), "labels": None, "shares": (0.25,)},
        bad=[
            ({"image": made.nuclei * np.nan}, "every pixel must be finite"),
            ({"labels": made.labels[1:]}, "same shape"),
            ({"labels": None}, "'shape' is about objects and needs labels"),
            ({"sets": ("sharp",)}, "no set of features has this name.*'sharp'"),
            ({"levles": 3}, "got unknown levles"),
        ],
    )


def stacked(made, folder):
    table = room.compute(made.nuclei, made.labels, ("shape",))
    return made.Case(
        call={"tables": [table, table], "keys": ["a", "b"]},
        plain=lambda: room.stack([table, table], ["a", "b"]),
        other={"keys": None, "tables": [table]},
        bad=[
            ({"tables": []}, "stack: needs at least one table"),
            ({"keys": ["a"]}, "stack: needs a key a table; got 1 and 2"),
        ],
    )


def write_features(made, folder):
    table = room.compute(made.nuclei, made.labels, ("shape",))
    path = str(folder / "sub" / "table.csv")
    return made.Case(
        call={"table": table, "path": path},
        plain=lambda: path,
        other={"table": room.compute(made.nuclei, None, ("intensity",))},
        bad=[({"table": [1, 2]}, "write_features: the table must be a FeatureTable; got list")],
        written=lambda: {"sub/table.csv": table.csv_text()},
    )


def feature_row(made, folder):
    return made.Case(
        call={"image": made.nuclei, "sets": ("haralick",), "levels": 16},
        plain=lambda: room.compute(made.nuclei, None, ("haralick",), levels=16).values[0],
        other={"levels": 32, "sets": ("lbp",)},
        bad=[
            ({"sets": ()}, "sets must be one or more names"),
            ({"sets": ("lbp",)}, "'lbp' takes .*got unknown levels"),
        ],
    )


def descriptors(made, folder):
    return made.Case(
        call={"image": made.nuclei, "scales": (1.5,)},
        plain=lambda: describe(made.nuclei, scales=(1.5,)),
        other={"scales": (2.0,), "points": "interest"},
        bad=[
            ({"image": made.rgb}, "describe: .*2 dimensions"),
            ({"points": "all"}, "describe: points must be one of"),
        ],
    )


def bags(made):
    return [describe(made.nuclei, scales=(1.5,)), describe(made.nuclei.T, scales=(1.5,))]


def codebook(made, folder):
    return made.Case(
        call={"bags": bags(made), "words": 4},
        plain=lambda: fit_codebook(bags(made), words=4),
        other={"words": 5, "seed": 1},
        bad=[
            ({"bags": []}, "fit_codebook: needs descriptors"),
            ({"words": 0}, "fit_codebook: words must lie in"),
        ],
    )


def bag_of_words(made, folder):
    words = fit_codebook(bags(made), words=4)
    return made.Case(
        call={"bags": bags(made), "words": words, "keys": ["a", "b"]},
        plain=lambda: bags_of_words(bags(made), words, ["a", "b"]),
        other={"keys": None, "words": fit_codebook(bags(made), words=3)},
        bad=[({"bags": [np.zeros((3, 2))], "keys": ["a"]}, "must have the words' length")],
    )


def draw_leak(made, folder):
    path = str(folder / "sub" / "leak.png")
    ways = {"logistic": [made.told]}
    share = float((made.told.truth == made.told.predicted).mean())
    counts = [made.classes.count(kind) for kind in ("up", "down")]

    def drawn():
        each = {
            name: float((one.truth == one.predicted).mean())
            for name, one in made.told.by_group().items()
        }
        scores = {"logistic": [share]}
        return leak_lines(scores, scores, {"logistic": each}, chance=max(counts) / 12, group="day")

    return made.Case(
        call={"by_image": ways, "by_group": ways, "path": path, "group": "day"},
        plain=lambda: path,
        other={"group": "plate", "title": "x"},
        bad=[
            ({"by_image": {}, "by_group": {}}, "draw_leak: both must have the same ways"),
            ({"by_image": {"other": [made.told]}}, "draw_leak: .*got .*other.* and .*logistic"),
            ({"by_group": {"logistic": []}}, "draw_leak: .*a result a seed"),
        ],
        drawn=drawn,
    )


CASES = {
    "features": features,
    "stacked": stacked,
    "write_features": write_features,
    "feature_row": feature_row,
    "descriptors": descriptors,
    "codebook": codebook,
    "bag_of_words": bag_of_words,
    "draw_leak": draw_leak,
}
