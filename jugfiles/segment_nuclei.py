"""Segment nuclei with many methods and settings, score them, show which is best.

    taskgraph execute jugfiles/segment_nuclei.py -- --images FOLDER --labels FOLDER
    taskgraph execute jugfiles/segment_nuclei.py -- --u2os FOLDER --by-image 4

Without folders it takes images that come with StarDist (outlined by hand) and mahotas. OUT
gets table.txt, table.csv, sweep.png, an overlay per image (amber gold, blue ours, white both)
and, with --by-image, candidates chosen by a learned IoU beside published figures.
"""

import argparse
import sys

from bioimage_tasks import datasets, segmentation, tasks
from bioimage_tasks.metrics.coelho_published import NOTES, PUBLISHED_MIN_AREA
from bioimage_tasks.segmentation import sweeps
from bioimage_tasks.tables import setting_name
from bioimage_tasks.tasks import score, segment

LIMIT = """Learned: cross-validated by image. The images tell no experiments apart, so a fold knows
others of its experiment; what holds for another laboratory is not seen here."""


def options():
    parser = argparse.ArgumentParser(prog="segment_nuclei.py")
    parser.add_argument("--images", help="folder of images")
    parser.add_argument("--labels", help="folder of label images with the same stems")
    parser.add_argument("--channel", type=int, help="which channel shows the nuclei, from 0")
    parser.add_argument("--u2os", help="folder of the hand-segmented U2OS collection")
    parser.add_argument("--by-image", type=int, default=0, help="folds of images to learn in")
    parser.add_argument("--every", type=int, default=1, help="sweep over every n-th image")
    parser.add_argument("--quick", action="store_true", help="one setting per method, one image")
    parser.add_argument("--out", default="demo-output", help="folder for tables and overlays")
    return parser.parse_args(sys.argv[1:])


def images(args):
    if args.labels and not args.images:
        sys.exit("segment_nuclei.py: --labels needs --images")
    if args.u2os:
        return datasets.NucleiU2osHand(args.u2os).images()
    if args.images:
        return datasets.FolderCollection(args.images, args.labels, args.channel).images()
    fields = datasets.stardist_field(), datasets.mahotas_field()
    return [tile for field in fields for tile in datasets.tiles(field, 2, 2)]


args = options()
every = images(args)
known = [image for image in every if image.gold is not None]
found = every[:1] if args.quick else every[:: args.every]
gold = [image for image in found if image.gold is not None]
tried = sweeps.defaults() if args.quick else sweeps.full()
scores = [[score(segment(i, name, **how), i.gold) for i in gold] for name, how in tried]
if gold:
    names = [setting_name(*setting) for setting in tried]
    flat = [(n, i.name, s) for n, row in zip(names, scores) for i, s in zip(gold, row)]  # noqa: B905
    rows = tasks.table(flat)
    tasks.write_csv(rows, f"{args.out}/table.csv")
    tasks.write_text(rows, f"{args.out}/table.txt")
    if not args.quick:
        axes = "fraction", "split"
        tasks.draw_sweep(tried, scores, f"{args.out}/sweep.png", "root-contrast", axes)
if args.by_image and known:
    rows, folds, labels = [tasks.candidate_rows(i, i.gold) for i in known], args.by_image, []
    for k, image in enumerate(known):
        rule = tasks.learn_candidates([r for n, r in enumerate(rows) if (n - k) % folds], trees=80)
        labels.append(tasks.apply_candidates(image, rule, unseen=True))
    ways = {"learned": labels, "default": [segment(image) for image in known]}
    ours = []
    for way, own in ways.items():
        for name, least in ((way, {}), (f"{way}, large", {"min_area": PUBLISHED_MIN_AREA})):
            ours.append((name, [score(one, i.gold, **least) for one, i in zip(own, known)]))  # noqa: B905
    tasks.write_scores(tasks.beside_published(ours), f"{args.out}/published", [LIMIT, *NOTES])
overall = tasks.best(tried, scores) if gold else (segmentation.DEFAULT_METHOD, {})
for image in found:
    column = gold.index(image) if image in gold else None
    own = overall if column is None else tasks.best(tried, [[row[column]] for row in scores])
    tasks.overlay(image, image.gold, own, f"{args.out}/{image.name}.png", 2)
