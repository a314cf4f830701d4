"""Nuclei of a laboratory never seen: every method tested on the collection it was not trained on.

    taskgraph execute jugfiles/leave_one_dataset_out.py -j 2 -- --data FOLDER
    taskgraph execute jugfiles/leave_one_dataset_out.py -j 2 -- --collection a IMAGES LABELS ...

FOLDER holds nuclei-u2os-hand, nuclei-fluo-dsb2018 (two groups) and 3d-nuclei-stardist's 2D
image; --collection adds one of your own, and may be given many times. Untrained methods stand
beside two that learn: the choice among candidates by predicted IoU, where the default has a
voice, and learned merging. OUT: table.txt, table.csv, matrix.png (F1), matrix-ap.png (mean AP).
"""

import argparse
import sys
from itertools import chain
from pathlib import Path

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets.made_nuclei import outlined

UNTRAINED = {
    "Otsu + splitting": ("global-threshold", {"power": 1.0}),
    "root Otsu": ("global-threshold", {}),
    "local mean": ("local-threshold", {"rule": "mean"}),
    "watershed": ("watershed", {}),
    "default": (None, {}),
}


def options():
    parser = argparse.ArgumentParser(prog="leave_one_dataset_out.py")
    parser.add_argument("--data", help="folder with the shared collections")
    parser.add_argument("--collection", nargs=3, action="append", default=[],
                        metavar=("NAME", "IMAGES", "LABELS"))  # fmt: skip
    parser.add_argument("--small", action="store_true", help="made-up images of three kinds")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--out", default="leave-one-dataset-out", help="folder for the tables")
    return parser.parse_args(sys.argv[1:])


def collections(args):
    found = {}
    if args.small:
        found = {f"discs of {size}": [outlined(size, k) for k in range(2)] for size in (8, 12, 20)}
    if args.data:
        root = Path(args.data)
        images = [(i, "u2os") for i in datasets.NucleiU2osHand(root / "nuclei-u2os-hand").images()]
        others = datasets.get("nuclei-fluo-dsb2018")(root / "nuclei-fluo-dsb2018").images()
        images += [*((i, i.group) for i in others), (datasets.stardist_field(), "stardist")]
        for image, name in images:
            found.setdefault(name, []).append((image, image.gold))
    for name, images, labels in args.collection:
        own = datasets.FolderCollection(images, labels).images()
        found[name] = [(image, image.gold) for image in own]
    return {name: images[:: args.every] for name, images in found.items()}


args = options()
found = collections(args)
if len(found) < 2:
    sys.exit("leave_one_dataset_out.py: give --data, --small or two --collection or more")
rows = {name: [tasks.candidate_rows(*pair) for pair in pairs] for name, pairs in found.items()}
entries = []
for name, pairs in found.items():
    rest = [other for other in found if other != name]
    groups = [other for other in rest for _ in rows[other]]
    known, examples = (list(chain.from_iterable(of[o] for o in rest)) for of in (rows, found))
    chosen = tasks.learn_candidates(known, groups, elsewhere=True)
    merged = tasks.learn_merging(examples)
    for image, gold in pairs:
        labels = {way: tasks.segment(image, *[how] if how else [], **params)
                  for way, (how, params) in UNTRAINED.items()}  # fmt: skip
        labels["candidates + IoU"] = tasks.apply_candidates(image, chosen, unseen=True)
        labels["learned merging"] = tasks.apply_merging(image, merged)
        entries += [(name, way, tasks.score(own, gold)) for way, own in labels.items()]
table = tasks.crossed(entries)
tasks.write_csv(table, f"{args.out}/table.csv")
tasks.write_text(table, f"{args.out}/table.txt")
tasks.draw_crossed(table, f"{args.out}/matrix.png")
tasks.draw_crossed(table, f"{args.out}/matrix-ap.png", "mean_ap")
