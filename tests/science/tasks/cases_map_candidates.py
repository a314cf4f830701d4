"""Cases of the tasks that choose objects among the candidates of a map."""

from __future__ import annotations

from bioimage_tasks.segmentation import map_candidates

HOW = {"trees": 4, "seed": 1}


def rows(made):
    return map_candidates.answered(made.maps, made.nuclei, made.labels)


def map_rows(made, folder):
    call = {"maps": made.maps, "image": made.nuclei, "gold": made.labels}
    return made.Case(
        call=call,
        plain=lambda: rows(made),
        other={"diameter": 9.0, "maps": made.maps / 2},
        bad=[
            ({"maps": made.maps[0]}, "map_candidates: maps must have shape"),
            ({"maps": made.maps * 3}, "map_candidates: a map must hold probabilities"),
            ({"gold": made.labels[1:]}, "map_candidates: .*shape of the maps"),
            ({"image": made.nuclei[1:]}, "map_candidates: .*shape of the maps"),
            ({"diameter": 0.0}, r"diameter \(pixels\) must lie in"),
        ],
    )


def map_choice(made, folder):
    known = [rows(made)]
    return made.Case(
        call={"rows": known, **HOW},
        plain=lambda: map_candidates.train(known, **HOW),
        look=lambda rule: map_candidates.apply(made.maps, made.nuclei, rule),
        other={"trees": 5, "seed": 2},
        bad=[({"rows": []}, r"map_candidates: needs examples.*got numbers of measures \[\]")],
    )


def map_chosen(made, folder):
    rule = map_candidates.train([rows(made)], **HOW)
    return made.Case(
        call={"maps": made.maps, "image": made.nuclei, "rule": rule},
        plain=lambda: map_candidates.apply(made.maps, made.nuclei, rule),
        other={"cost": 0.9, "maps": made.maps / 2},
        bad=[
            ({"cost": 2}, "map_candidates: cost must lie in"),
            ({"maps": made.maps.repeat(2, 0)}, "map_candidates: maps must be as many"),
        ],
    )


CASES = {"map_rows": map_rows, "map_choice": map_choice, "map_chosen": map_chosen}
