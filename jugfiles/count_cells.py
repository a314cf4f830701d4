"""Blood cells counted: regression, segmentation, density, and two combinations of them.

    taskgraph execute jugfiles/count_cells.py -j 2 -- --root FOLDER
    taskgraph execute jugfiles/count_cells.py -j 2 -- --small

FOLDER is laid out as the collection blood-count-bccd: images/, counts.csv, boxes.csv. It
tells no experiments apart, so images are left out at random: the table says so. "combined" is
the plain mean of what is learned, "nested" a non-negative regression on all ways but the guess.
"""

import argparse
import sys

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets.made_coverage import counted
from bioimage_tasks.learning import group_k_fold, pairs, recipe
from bioimage_tasks.learning.report import BY_IMAGE

#: Class in the boxes, and what of the segmentation counts it.
CLASSES = {
    "rbc": ("RBC", "cells_peaks_0.07"),
    "wbc": ("WBC", "white_cells"),
    "platelets": ("Platelets", "platelets"),
}
LIMITS = (0.0, 1e6)


def options():
    parser = argparse.ArgumentParser(prog="count_cells.py")
    parser.add_argument("--root", help="folder laid out as the collection blood-count-bccd")
    parser.add_argument("--small", action="store_true", help="made-up images, red cells only")
    parser.add_argument("--seeds", type=int, default=3, help="divisions into 10 folds")
    parser.add_argument("--out", default="counts-output", help="folder for table and figures")
    args = parser.parse_args(sys.argv[1:])
    if bool(args.root) == args.small:
        parser.error("give either --root FOLDER or --small")
    return args


def fields(args):
    """Give image, boxes and counts by class of every field."""
    if args.small:
        made = [counted(number) for number in range(20)]
        return [(image, boxes, {"rbc": len(boxes)}) for image, boxes in made]
    found = datasets.get("blood-count-bccd")(args.root).images()
    return [(i, i.marks("boxes"), {kind: i.about(kind) for kind in CLASSES}) for i in found]


def fits(names, folds, seed):
    """Fit ways of counting in every fold."""
    how = {"seed": seed, "limits": LIMITS}
    return [[tasks.fold(*ways[way], truth, one, **how) for one in folds] for way in names]


args = options()
images, boxes, counts = zip(*fields(args), strict=True)
how = {"n_estimators": 10 if args.small else 100, "min_samples_leaf": 2}
trees = [recipe("extra-trees-regressor", max_features=some, **how) for some in (0.4, "sqrt")]
smears, rows = [tasks.smear_row(image) for image in images], []
for kind in counts[0]:
    box, column = CLASSES[kind]
    truth = [float(own[kind]) for own in counts]
    pieces = [tasks.smear_row(image, (column,)) for image in images]
    tiles = [tasks.density_parts(i, b, box) for i, b in zip(images, boxes, strict=True)]
    wholes = [tasks.row_of_parts(*both) for both in zip(tiles, smears, strict=True)]
    ways = {"mean": ("mean", wholes), "regression": (trees[0], wholes),
            "segmentation": ("count", pieces), "calibrated": ("linear", pieces),
            "density": (trees[1], [tasks.in_context(own) for own in tiles])}  # fmt: skip
    for seed in range(1 if args.small else args.seeds):
        folds = group_k_fold([""] * len(truth), 5 if args.small else 10, seed=seed, by_image=True)
        base, inner = fits(ways, folds, seed), fits([*ways][1:], pairs(folds), seed)
        single = [tasks.gathered(own, truth, by_image=True, name=f"{kind} {way}, seed {seed}")
                  for way, own in zip(ways, base, strict=True)]  # fmt: skip
        both = tasks.averaged([single[1], single[3], single[4]], f"{kind} combined, seed {seed}")
        nested = tasks.combined(base[1:], inner, truth, None, "non-negative", by_image=True,
                                limits=LIMITS, name=f"{kind} nested, seed {seed}")  # fmt: skip
        rows += [tasks.score_row(one, resamples=200) for one in (*single, both, nested)]
    tasks.draw_predictions(both, f"{args.out}/{kind}.png", f"{kind} (cells)")
tasks.write_scores(rows, f"{args.out}/scores", [BY_IMAGE])
