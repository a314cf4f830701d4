"""Cases of the tasks that find and score membranes."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label

from bioimage_tasks.metrics.membranes import adapted_rand, dice, membrane_scores
from bioimage_tasks.segmentation.membranes import cells_between


def membrane_cells(made, folder):
    return made.Case(
        call={"maps": made.maps, "level": 0.3},
        plain=lambda: cells_between(made.maps[0], level=0.3),
        other={"level": 0.2, "smoothing": 2.0},
        bad=[({"maps": made.maps - 1}, "cells_between: .*0.*1")],
    )


def membrane_level(made, folder):
    gold = (made.labels > 0).astype(np.int32)

    def plain():
        levels = [round(0.05 * step, 2) for step in range(4, 19)]
        return max(levels, key=lambda level: dice(made.maps[0] > level, gold))

    return made.Case(
        call={"maps": [made.maps], "gold": [gold]},
        plain=plain,
        other={"maps": [made.maps / 2]},
        bad=[
            ({"maps": [], "gold": []}, "membrane_level: maps, gold must be as many.*got 0, 0"),
            ({"gold": [gold, gold]}, "membrane_level: .*got 1, 2"),
            ({"gold": [gold[1:]]}, "same shape"),
        ],
    )


def membrane_score(made, folder):
    gold = (made.labels > 0).astype(np.int32)
    cells = cells_between(made.maps[0])
    return made.Case(
        call={"maps": made.maps, "level": 0.5, "cells": cells, "gold": gold},
        plain=lambda: membrane_scores(made.maps[0] > 0.5, cells, gold > 0),
        other={"level": 0.4},
        bad=[({"gold": gold[1:]}, "membrane_scores: .*same shape")],
    )


def membrane_seed_scores(made, folder):
    gold = (made.labels > 0).astype(np.int32)

    def plain():
        cells = [cells_between(made.maps[0], level=one) for one in (0.05, 0.1, 0.15, 0.2, 0.3)]
        truth = label(gold == 0)[0]
        found = [adapted_rand(one, truth)[0] for one in cells]
        return dict(zip((0.05, 0.1, 0.15, 0.2, 0.3), found, strict=True))

    return made.Case(
        call={"maps": made.maps, "gold": gold},
        plain=plain,
        other={"maps": made.maps / 2},
        bad=[({"gold": gold[1:]}, "same shape"), ({"maps": made.maps - 1}, "cells_between: ")],
    )


def membrane_seed_level(made, folder):
    scores = [{0.1: 0.5, 0.2: 0.7}, {0.1: 0.9, 0.2: 0.6}]
    return made.Case(
        call={"scores": scores},
        plain=lambda: 0.1,
        other={"scores": [scores[0]]},
        bad=[({"scores": []}, "membrane_seed_level: needs at least one of scores")],
    )


CASES = {
    "membrane_cells": membrane_cells,
    "membrane_level": membrane_level,
    "membrane_score": membrane_score,
    "membrane_seed_scores": membrane_seed_scores,
    "membrane_seed_level": membrane_seed_level,
}
