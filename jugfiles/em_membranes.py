"""Find membranes in electron microscopy: a pixel classifier, with and without auto-context.

    taskgraph execute jugfiles/em_membranes.py -- --em FOLDER
    taskgraph execute jugfiles/em_membranes.py -- --images FOLDER --labels FOLDER --block 6

Labels aren't 0 on membrane. Each block of sections is found by forests that saw none of it. A
second forest sees a map of the first; it learns from maps that saw neither block. Levels are
chosen on the other blocks. OUT gets a table and overlays: amber gold, blue ours, white both.
"""

import argparse
import sys

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets.made import made_membranes
from bioimage_tasks.segmentation.pixel_bank import Bank
from bioimage_tasks.tasks import membrane_score, pixel_forest, pixel_map, pixel_samples

SHOWN = ("dice", "tolerant_f1", "rand_f", "rand_split", "rand_merge")
NOTE = "Blocks of one specimen were left out: nothing is said about another specimen."
parser = argparse.ArgumentParser(prog="em_membranes.py")
parser.add_argument("--em", help="folder of the ISBI 2012 collection")
parser.add_argument("--images", help="folder of sections")
parser.add_argument("--labels", help="folder of masks of membrane with the same stems")
parser.add_argument("--block", type=int, default=6, help="sections in a block")
parser.add_argument("--small", action="store_true", help="made images, small forests")
parser.add_argument("--out", default="demo-output", help="folder for table and overlays")
args = parser.parse_args(sys.argv[1:])


def sections():
    if args.em:
        found = datasets.get("em-membrane-isbi2012")(args.em, annotation="membrane").images()
        return [(image, image.gold, image.group, image.name) for image in found]
    if args.images and args.labels:
        folder = datasets.FolderCollection(args.images, args.labels, kind="foreground").images()
        return [(i, i.gold, str(k // args.block), i.name) for k, i in enumerate(folder)]
    if args.small:
        return [(*scene, f"made-{k}") for k, scene in enumerate(made_membranes())]
    sys.exit("em_membranes.py: give --em, or --images and --labels, or --small")


images, golds, blocks, names = zip(*sections(), strict=True)
bank = Bank(lines=(1.0, 2.0))
how = {"balance": False, "rule": "inside", "bank": bank, "count": 600 if args.small else 4000}
forest = {"kind": "boosted", "trees": 30 if args.small else 300, "min_leaf": 20, "bank": bank}
plain = [pixel_samples(image, gold, **how) for image, gold in zip(images, golds, strict=True)]


def but(column, *apart):
    return [one for one, block in zip(column, blocks, strict=True) if block not in apart]


maps = {"pixel forest": {}, "with auto-context": {}}
for out in sorted(set(blocks)):
    first, inner = pixel_forest(but(plain, out), **forest), []
    for k in but(range(len(blocks)), out)[::2]:
        unseen = pixel_forest(but(plain, out, blocks[k]), **forest)
        given = (images[k], golds[k], pixel_map(unseen, images[k]))
        inner.append(pixel_samples(*given, **how | {"count": 2 * how["count"]}))
    second = pixel_forest(inner, **forest)
    for k in (k for k, block in enumerate(blocks) if block == out):
        maps["pixel forest"][k] = pixel_map(first, images[k])
        maps["with auto-context"][k] = pixel_map(second, images[k], maps["pixel forest"][k])

rows = []
for way, found in maps.items():
    level, seeds, chances = {}, {}, [found[k] for k in range(len(blocks))]
    grown = [tasks.membrane_seed_scores(*pair) for pair in zip(chances, golds, strict=True)]
    for out in set(blocks):
        level[out] = tasks.membrane_level(but(chances, out), but(golds, out))
        seeds[out] = tasks.membrane_seed_level(but(grown, out))
    cells = [tasks.membrane_cells(found[k], level=seeds[block]) for k, block in enumerate(blocks)]
    scores = list(map(membrane_score, chances, map(level.get, blocks), cells, golds))
    rows.append(tasks.mean_row(way, scores, SHOWN, blocks))
tasks.write_scores(rows, f"{args.out}/membranes", [NOTE])
first = [blocks.index(block) for block in sorted(set(blocks))]
drawn = [[column[k] for k in first] for column in (images, cells, golds, names)]
tasks.draw_overlays(*drawn, f"{args.out}/overlays.png", True)
