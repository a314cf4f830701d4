"""Nuclei in H&E: a pixel forest, then a learned choice of objects; plain and normalised.

    taskgraph execute jugfiles/histology.py -- --he FOLDER
    taskgraph execute jugfiles/histology.py -- --images FOLDER --labels FOLDER

Cross-validated by image, and with groups of like colour left out in place of slides. OUT gets
a table and sheets of overlays: amber gold, blue ours, white both.
"""

import argparse
import sys

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets.made import made_tissue
from bioimage_tasks.segmentation.pixel_bank import Bank
from taskgraph import bvalue

SHOWN = ("f1", "mean_ap", "jaccard", "split", "merged", "missing", "spurious")
WAYS = ("plain", "Macenko", "channels scaled")
NOTE = "Folds are by image: crops of a slide may be on both sides. Colour stands in for slides."
parser = argparse.ArgumentParser(prog="histology.py")
parser.add_argument("--he", help="folder of the H&E collection")
parser.add_argument("--images", help="folder of RGB images")
parser.add_argument("--labels", help="folder of label images with the same stems")
parser.add_argument("--groups", type=int, default=4, help="number of colour groups")
parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="what forests see")
parser.add_argument("--small", action="store_true", help="made images, small forests")
parser.add_argument("--out", default="demo-output", help="folder for table and overlays")
args = parser.parse_args(sys.argv[1:])


def images():
    if args.he:
        return [(i, i.gold) for i in datasets.get("histology-he-dsb2018")(args.he).images()]
    if args.images and args.labels:
        folder = datasets.FolderCollection(args.images, args.labels, channels=(0, 1, 2))
        return [(image, image.gold) for image in folder.images()]
    if args.small:
        return [(image, gold) for image, gold, _ in made_tissue()]
    sys.exit("histology.py: give --he, or --images and --labels, or --small")


shown, golds = zip(*images(), strict=True)
macenko = [tasks.stain_normalised(image, tasks.stains(image)) for image in shown]
boosted = {"kind": "boosted", "trees": 30 if args.small else 150, "min_leaf": 20}
scales = (1.0, 2.0, 4.0) if args.small else (1.0, 2.0, 4.0, 8.0)
ways = {
    "plain": (shown, Bank(scales, channels=True, normalise=False)),
    "Macenko": (macenko, Bank(scales, channels=True, normalise=False)),
    "channels scaled": (shown, Bank(scales, channels=True)),
}
parts = 3 if args.small else 5
schedules = {f"{parts}-fold": [str(k % parts) for k in range(len(shown))]}
schedules["colour group out"] = bvalue(tasks.colour_groups(shown, min(args.groups, len(shown))))
rows = []
for way, (seen, bank) in [(name, ways[name]) for name in args.ways]:
    how = {"bank": bank, "rule": "inside", "count": 500 if args.small else 1500}
    drawn = [tasks.pixel_samples(i, g, **how) for i, g in zip(seen, golds, strict=True)]
    for schedule, folds in schedules.items():

        def chances(k, *apart, seen=seen, bank=bank, drawn=drawn, folds=folds):
            known = [part for part, fold in zip(drawn, folds, strict=True) if fold not in apart]
            return tasks.pixel_map(tasks.pixel_forest(known, bank=bank, **boosted), seen[k])

        labels = {}
        for out in sorted(set(folds)):
            known = [k for k, fold in enumerate(folds) if fold != out]
            unseen = [chances(k, *sorted((folds[k], out))) for k in known]
            given = zip(unseen, *([c[k] for k in known] for c in (seen, golds)), strict=True)
            rule = tasks.map_choice([tasks.map_rows(*one) for one in given])
            for k in (k for k, fold in enumerate(folds) if fold == out):
                labels[k] = tasks.map_chosen(chances(k, out), seen[k], rule)
        scores = [tasks.score(labels[k], golds[k]) for k in sorted(labels)]
        rows.append(tasks.mean_row(f"{way}, {schedule}", scores, SHOWN, folds))
        some = range(0, len(labels), max(1, len(labels) // 6))
        sheet = [[column[k] for k in some] for column in (shown, labels, golds, range(len(shown)))]
        tasks.draw_overlays(*sheet, f"{args.out}/{way}-{schedule}.png".replace(" ", "-"))
tasks.write_scores(rows, f"{args.out}/histology", [NOTE])
