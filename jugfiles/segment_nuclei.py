"""Segment nuclei with many methods and settings, score them, show which is best.

    taskgraph execute jugfiles/segment_nuclei.py -- --images FOLDER --labels FOLDER

Without folders it takes images that come with StarDist (outlined by hand) and mahotas.
OUT gets table.txt, table.csv and an overlay per image: amber gold, blue ours, white both.
"""

import argparse
import sys
from itertools import product

from bioimage_tasks import datasets, segmentation
from bioimage_tasks.tables import setting_name
from bioimage_tasks.tasks import best, overlay, score, segment, table, write_csv, write_text


def options():
    parser = argparse.ArgumentParser(prog="segment_nuclei.py")
    parser.add_argument("--images", help="folder of images")
    parser.add_argument("--labels", help="folder of label images with the same stems")
    parser.add_argument("--channel", type=int, help="which channel shows the nuclei, from 0")
    parser.add_argument("--u2os", help="folder of the hand-segmented U2OS collection")
    parser.add_argument("--quick", action="store_true", help="one setting per method, few images")
    parser.add_argument("--out", default="demo-output", help="folder for tables and overlays")
    return parser.parse_args(sys.argv[1:])


def images(args):
    if args.labels and not args.images:
        sys.exit("segment_nuclei.py: --labels needs --images")
    if args.u2os:
        found = datasets.NucleiU2osHand(args.u2os).images()
    elif args.images:
        found = datasets.FolderCollection(args.images, args.labels, args.channel).images()
    else:
        outlined = datasets.tiles(datasets.stardist_field(), 2, 2)
        found = outlined + datasets.tiles(datasets.mahotas_field(), 2, 2)
    return found[:1] if args.quick else found


def sweep(method, **choices):
    return [
        (method, dict(zip(choices, values, strict=True))) for values in product(*choices.values())
    ]


def settings(args):
    if args.quick:
        return [(method, {}) for method in segmentation.methods()]
    rules = ["otsu", "ridler-calvard", "li", "triangle", "mean"]
    return [
        *sweep("global-threshold", rule=rules, power=[1.0, 0.5], split=[0.0, 0.06]),
        *sweep("local-threshold", rule=["mean", "gaussian", "sauvola"], window=[2.0, 3.0, 5.0]),
        *sweep("local-threshold", rule=["contrast"], fraction=[0.3, 0.4, 0.5], split=[0.03, 0.06]),
        *sweep("watershed", markers=["distance", "intensity", "both"], depth=[0.03, 0.06, 0.1]),
    ]


args = options()
found = images(args)
choices = settings(args)
gold = [image for image in found if image.gold is not None]
scores = [[score(segment(i, name, **how), i.gold) for i in gold] for name, how in choices]

if gold:
    entries = [
        (setting_name(*setting), image.name, result)
        for setting, row in zip(choices, scores, strict=True)
        for image, result in zip(gold, row, strict=True)
    ]
    rows = table(entries)
    write_csv(rows, f"{args.out}/table.csv")
    write_text(rows, f"{args.out}/table.txt")
overall = best(choices, scores) if gold else (segmentation.DEFAULT_METHOD, {})
for image in found:
    column = gold.index(image) if image in gold else None
    own = best(choices, [[row[column]] for row in scores]) if column is not None else overall
    overlay(image, image.gold, own, f"{args.out}/{image.name}.png", 2)
