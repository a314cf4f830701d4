"""Find membranes in electron microscopy: a pixel classifier, with and without auto-context.

    taskgraph execute jugfiles/em_membranes.py -- --em FOLDER
    taskgraph execute jugfiles/em_membranes.py -- --images FOLDER --labels FOLDER --block 6

Labels are not 0 on membrane. Each block of sections is found by forests that saw none of it.
With auto-context a second forest sees the first one's map; for its training that comes from
forests that saw neither its block nor the tested one. The level that makes a mask of a map
is chosen on the other blocks.
OUT gets membranes.txt, .csv and overlays.png: amber gold, blue ours, white both.
"""

import argparse
import sys

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets.made import made_membranes
from bioimage_tasks.tasks import pixel_forest, pixel_map, pixel_samples

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
how = {"count": 600 if args.small else 4000, "balance": False, "rule": "inside"}
forest = {"kind": "extra", "trees": 10 if args.small else 50}
plain = [pixel_samples(image, gold, **how) for image, gold in zip(images, golds, strict=True)]


def others(*apart):
    return [k for k, block in enumerate(blocks) if block not in apart]


maps = {"pixel forest": {}, "with auto-context": {}}
for out in sorted(set(blocks)):
    first = pixel_forest([plain[k] for k in others(out)], **forest)
    inner = []
    for k in others(out)[::2]:
        unseen = pixel_forest([plain[n] for n in others(out, blocks[k])], **forest)
        inner.append(pixel_samples(images[k], golds[k], pixel_map(unseen, images[k]), **how))
    second = pixel_forest(inner, **forest)
    for k in (k for k, block in enumerate(blocks) if block == out):
        maps["pixel forest"][k] = pixel_map(first, images[k])
        maps["with auto-context"][k] = pixel_map(second, images[k], maps["pixel forest"][k])

rows = []
for way, chances in maps.items():
    level, best = {}, tasks.membrane_level
    for out in set(blocks):
        level[out] = best(*([column[k] for k in others(out)] for column in (chances, golds)))
    cells = [tasks.membrane_cells(chances[k]) for k in others()]
    score = tasks.membrane_score
    scores = [score(chances[k], level[blocks[k]], cells[k], golds[k]) for k in others()]
    rows.append(tasks.mean_row(way, scores, SHOWN, blocks))
tasks.write_scores(rows, f"{args.out}/membranes", [NOTE])
first = [blocks.index(block) for block in sorted(set(blocks))]
drawn = [[column[k] for k in first] for column in (images, cells, golds, names)]
tasks.draw_overlays(*drawn, f"{args.out}/overlays.png", True)
