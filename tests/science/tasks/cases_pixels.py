"""Cases of the tasks that learn from pixels, pieces and candidates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioimage_tasks import metrics, plots, segmentation, tables
from bioimage_tasks.segmentation import candidates_learned, candidates_rule, merging, stain
from bioimage_tasks.segmentation.map_objects import pieces_of_map, views
from bioimage_tasks.segmentation.pixel_forest import fit_autocontext, fit_pixels, predict_pixels
from bioimage_tasks.segmentation.pixel_samples import classes_of, sample_pixels
from bioimage_tasks.tasks.nuclei import PIECES

HOW = {"trees": 4, "seed": 1}


def samples(made):
    return [sample_pixels(made.nuclei, classes_of(made.labels), count=200)]


def pixel_samples(made, folder):
    return made.Case(
        call={"image": made.nuclei, "classes": made.labels, "rule": "outline", "count": 100},
        plain=lambda: sample_pixels(made.nuclei, classes_of(made.labels, "outline"), count=100),
        other={"rule": "inside", "count": 50, "seed": 1},
        bad=[
            ({"classes": made.labels[1:]}, "sample_pixels: classes must have the shape"),
            ({"classes": made.labels * 0, "rule": ""}, "at least one pixel must have a class"),
            ({"rule": "half"}, "classes_of: rule must be one of .*'half'"),
            ({"image": made.nuclei * np.nan}, "every pixel must be finite"),
        ],
    )


def pixel_forest(made, folder):
    given = samples(made)
    return made.Case(
        call={"samples": given, **HOW},
        plain=lambda: fit_pixels(given, **HOW),
        look=lambda model: (model.classes, predict_pixels(model, made.nuclei)),
        other={"trees": 5, "kind": "extra"},
        bad=[
            ({"samples": []}, "fit_pixels: needs samples"),
            ({"kind": "pine"}, "fit_pixels: kind must be one of .*'pine'"),
        ],
    )


def pixel_autocontext(made, folder):
    images, classes = [made.nuclei, made.nuclei.T], [made.labels, made.labels.T]
    how = {"trees": 2, "count": 100}

    def plain():
        return fit_autocontext(images, [classes_of(one) for one in classes], ["a", "b"], **how)

    return made.Case(
        call={"images": images, "classes": classes, "groups": ["a", "b"], "rule": "inside", **how},
        plain=plain,
        look=lambda model: predict_pixels(model, made.nuclei),
        other={"groups": ["a", "c"], "rule": "outline", "trees": 3},
        bad=[
            ({"groups": ["a", "a"]}, "out-of-fold maps need at least two groups"),
            ({"groups": ["a"]}, "must be as many; got 2, 2 and 1"),
        ],
    )


def pixel_map(made, folder):
    model = fit_pixels(samples(made), **HOW)
    return made.Case(
        call={"model": model, "image": made.nuclei, "tile_pixels": 1000},
        plain=lambda: predict_pixels(model, made.nuclei)[1:],
        other={"tile_pixels": 2000, "image": made.nuclei.T},
        bad=[
            ({"image": made.nuclei[None]}, "must have the channels and dimensions of those in"),
            ({"maps": made.maps}, "trained with 0 earlier maps; got 1"),
        ],
    )


def stains(made, folder):
    return made.Case(
        call={"image": made.slide, "alpha": 2.0},
        plain=lambda: stain.fit_stains(made.slide, alpha=2.0),
        other={"alpha": 1.0, "beta": 0.2},
        bad=[
            ({"image": made.image}, "fit_stains: the image must be RGB"),
            ({"alpha": 60}, r"alpha \(percent\) must lie in \[0, 49\]; got 60"),
        ],
    )


def stain_normalised(made, folder):
    found = stain.fit_stains(made.slide)
    return made.Case(
        call={"image": made.slide, "found": found},
        plain=lambda: stain.normalise_stains(made.slide, found),
        other={"found": stain.fit_stains(made.slide, alpha=5.0), "image": made.slide[::-1]},
        bad=[({"image": made.image}, "normalise_stains: the image must be RGB")],
    )


def colour_groups(made, folder):
    images = [made.slide, made.slide[::-1], made.slide // 2]
    return made.Case(
        call={"images": images, "count": 2},
        plain=lambda: stain.colour_groups(images, 2),
        other={"count": 3, "images": images[:2]},
        bad=[
            ({"count": 4}, r"count must lie in 1\.\.3, .*got 4"),
            ({"images": []}, "colour_groups: count must lie in"),
        ],
    )


def map_pieces(made, folder):
    return made.Case(
        call={"maps": made.maps, "depth": 0.02},
        plain=lambda: pieces_of_map(made.maps[0], depth=0.02),
        other={"depth": 0.1, "level": 0.4},
        bad=[
            ({"maps": made.maps * 3}, "pieces_of_map: .*0.*1"),
            ({"level": 2}, "pieces_of_map: level must lie in"),
        ],
    )


def map_rule(made, folder):
    pieces = pieces_of_map(made.maps[0])
    call = {
        "pieces": [pieces], "maps": [made.maps], "images": [made.nuclei], "gold": [made.labels],
    }  # fmt: skip
    return made.Case(
        call={**call, **HOW},
        plain=lambda: merging.train([(pieces, views(made.maps, made.nuclei), made.labels)], **HOW),
        look=lambda rule: merging.apply(pieces, views(made.maps, made.nuclei), rule),
        other={"trees": 5, "maps": [made.maps / 2]},
        bad=[
            ({"gold": []}, "map_rule: pieces, maps, images, gold must be as many.*got 1, 1, 1, 0"),
            ({name: [] for name in call}, "map_rule: .*got 0, 0, 0, 0"),
            ({"gold": [made.labels[1:]]}, "train: .*same shape"),
        ],
    )


def map_labels(made, folder):
    pieces = pieces_of_map(made.maps[0])
    rule = merging.train([(pieces, views(made.maps, made.nuclei), made.labels)], **HOW)
    return made.Case(
        call={"pieces": pieces, "maps": made.maps, "image": made.nuclei, "rule": rule},
        plain=lambda: merging.apply(pieces, views(made.maps, made.nuclei), rule),
        other={"keep": 0.9, "maps": made.maps / 2},
        bad=[
            ({"keep": 2}, "apply: keep must lie in"),
            ({"image": made.nuclei[1:]}, "apply: .*same shape"),
        ],
    )


def mean_row(made, folder):
    call = {"name": "way", "scores": made.scores, "shown": ["f1", "rand"], "groups": ["a", "b"]}
    f1 = [one.f1 for one in made.scores]
    rand = [one.rand for one in made.scores]
    return made.Case(
        call=call,
        plain=lambda: {
            "way": "way", "images": 2, "f1": sum(f1) / 2, "rand": sum(rand) / 2,
            "least f1": min(f1), "greatest f1": max(f1),
        },
        other={"name": "x", "groups": ()},
        bad=[
            ({"scores": [], "groups": ()}, "mean_row: needs at least one of scores; got none"),
            ({"groups": ["a"]}, "mean_row: scores, groups must be as many.*got 2, 1"),
            ({"shown": ["beauty"]}, "mean_row: shown must be one of .*'beauty'"),
        ],
    )  # fmt: skip


def draw_overlays(made, folder):
    path = str(folder / "sub" / "sheet.png")
    call = {
        "images": [made.nuclei], "labels": [made.labels], "gold": [made.labels], "names": [7],
    }  # fmt: skip

    def drawn():
        one = plots.overlay(made.nuclei, made.labels, made.labels, zoom=2)
        return plots.contact_sheet([one], ["7"], columns=3, inches=5.0)

    return made.Case(
        call={**call, "path": path},
        plain=lambda: path,
        other={"invert": True, "names": ["x"]},
        bad=[
            ({"names": []}, "draw_overlays: .*must be as many.*got 1, 1, 1, 0"),
            ({"labels": [made.labels[1:]]}, "same shape"),
        ],
        drawn=drawn,
    )


def candidate_rows(made, folder):
    return made.Case(
        call={"image": made.nuclei, "gold": made.labels},
        plain=lambda: candidates_learned.answered(made.nuclei, made.labels),
        look=lambda one: (one.parent, one.cut, one.measures, one.overlaps, one.gold, one.image),
        other={"diameter": 9.0},
        bad=[
            ({"image": made.nuclei[0]}, "train: .*same shape"),
            ({"image": made.nuclei * 0}, "must not be constant"),
        ],
    )


def answers(made):
    images = made.nuclei, made.nuclei[::-1], made.nuclei[:, ::-1]
    golds = made.labels, made.labels[::-1], made.labels[:, ::-1]
    return [candidates_learned.answered(*pair) for pair in zip(images, golds, strict=True)]


def learn_candidates(made, folder):
    rows = answers(made)
    none = replace(rows[0], measures=rows[0].measures[:0], overlaps=rows[0].overlaps[:0])
    return made.Case(
        call={"rows": rows, "groups": ["a", "b", "b"], **HOW},
        plain=lambda: candidates_rule.learn(rows, ["a", "b", "b"], **HOW),
        look=lambda rule: (rule.worth(rows[0], rows[0].measures), rule.cost, rule.known),
        other={"trees": 5, "rows": rows[:1], "groups": ()},
        bad=[
            ({"rows": []}, "learn_candidates: needs at least one of rows; got none"),
            ({"groups": ["a"]}, "train: groups must be one an example, or none; got 1 for 3"),
            ({"rows": [none], "groups": ()}, "needs at least one candidate"),
        ],
    )


def apply_candidates(made, folder):
    rule = candidates_rule.learn(answers(made), **HOW)
    return made.Case(
        call={"image": made.nuclei, "rule": rule, "cost": 0.5},
        plain=lambda: candidates_learned.apply(made.nuclei, rule, cost=0.5),
        other={"cost": None, "diameter": 9.0, "unseen": True},
        bad=[
            ({"cost": 2}, "apply: cost must lie in"),
            ({"image": made.rgb}, "candidates: .*2 dimensions"),
            ({"unseen": True}, "apply: with unseen=True a rule must not have learned .* 3 it"),
        ],
    )


def over(made):
    method, params = PIECES
    return segmentation.segment(made.nuclei, method, **params)


def learn_merging(made, folder):
    examples = [(made.nuclei, made.labels)]
    return made.Case(
        call={"examples": examples, **HOW},
        plain=lambda: merging.train([(over(made), made.nuclei, made.labels)], **HOW),
        look=lambda rule: merging.apply(over(made), made.nuclei, rule),
        other={"trees": 5},
        bad=[
            ({"examples": []}, "train: needs at least one example"),
            ({"examples": [("a.png", made.labels)]}, "learn_merging: an image must come as a ref"),
        ],
    )


def apply_merging(made, folder):
    rule = merging.train([(over(made), made.nuclei, made.labels)], **HOW)
    return made.Case(
        call={"image": made.nuclei, "rule": rule},
        plain=lambda: merging.apply(over(made), made.nuclei, rule),
        other={"keep": 0.9},
        bad=[
            ({"keep": 2}, "apply: keep must lie in"),
            ({"image": made.nuclei[0]}, "2 dimensions"),
        ],
    )


def crossed(made, folder):
    entries = [("x", "a", made.scores[0]), ("x", "a", made.scores[1]), ("y", "a", made.scores[0])]
    return made.Case(
        call={"entries": entries},
        plain=lambda: [
            {"collection": "x", "setting": "a", "images": 2,
             **metrics.mean_scores(made.scores).as_dict()},
            {"collection": "y", "setting": "a", "images": 1,
             **metrics.mean_scores(made.scores[:1]).as_dict()},
        ],
        other={"entries": entries[:1]},
        bad=[({"entries": []}, "crossed_rows: needs at least one scored image")],
    )  # fmt: skip


def draw_crossed(made, folder):
    path = str(folder / "sub" / "crossed.png")
    rows = tables.crossed_rows([("x", "a", made.scores[0]), ("y", "b", made.scores[1])])

    def drawn():
        matrix = [[made.scores[0].f1, np.nan], [np.nan, made.scores[1].f1]]
        names = {"row_name": "tested on, never trained on", "column_name": "method"}
        return plots.sweep_map(matrix, ["x", "y"], ["a", "b"], score_name="f1", **names)

    return made.Case(
        call={"rows": rows, "path": path},
        plain=lambda: path,
        other={"by": "rand", "rows": rows[:1]},
        bad=[
            ({"rows": []}, "draw_crossed: by must be a column of the rows.*got 'f1', 0 rows"),
            ({"by": "beauty"}, "draw_crossed: by must be a column .*got 'beauty', 2 rows"),
        ],
        drawn=drawn,
    )


CASES = {
    "pixel_samples": pixel_samples,
    "pixel_forest": pixel_forest,
    "pixel_autocontext": pixel_autocontext,
    "pixel_map": pixel_map,
    "stains": stains,
    "stain_normalised": stain_normalised,
    "colour_groups": colour_groups,
    "map_pieces": map_pieces,
    "map_rule": map_rule,
    "map_labels": map_labels,
    "mean_row": mean_row,
    "draw_overlays": draw_overlays,
    "candidate_rows": candidate_rows,
    "learn_candidates": learn_candidates,
    "apply_candidates": apply_candidates,
    "learn_merging": learn_merging,
    "apply_merging": apply_merging,
    "crossed": crossed,
    "draw_crossed": draw_crossed,
}
