"""Where a tagged protein sits: features that know the location, or the proteins trained on.

    taskgraph execute jugfiles/location.py -j 2 -- --root FOLDER       (subcellular-location)
    taskgraph execute jugfiles/location.py -j 2 -- --images labels.csv
    taskgraph execute jugfiles/location.py -j 2 -- --small

The finding of Coelho et al. 2013 (doi:10.1093/bioinformatics/btt392): global textures
(Haralick, LBP) and local ones (bags of SURF words), the same linear SVM, leaving out images
and leaving out whole proteins. Code books are fitted inside the fold. A csv has the columns
image, class and group; a folder of images is FOLDER/CLASS/GROUP/*.
"""

import argparse
import sys
from pathlib import Path

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets.made_location import LOCATIONS, located
from bioimage_tasks.io import SUFFIXES
from bioimage_tasks.learning import leave_one_group_out, recipe, stratified_group_k_fold


def options():
    parser = argparse.ArgumentParser(prog="location.py")
    parser.add_argument("--root", help="folder laid out as the collection subcellular-location")
    parser.add_argument("--images", help="csv, or folder CLASS/GROUP/*, of your own images")
    parser.add_argument("--small", action="store_true", help="made-up images, one seed")
    parser.add_argument("--points", default="interest", choices=["interest", "dense"])
    parser.add_argument("--words", type=int, default=64, help="of every octave of scale")
    parser.add_argument("--seeds", type=int, default=5, help="repetitions, for the spread")
    parser.add_argument("--out", default="location-output", help="folder for table and figure")
    args = parser.parse_args(sys.argv[1:])
    if [args.root, args.images, args.small or None].count(None) != 2:
        parser.error("give one of --root FOLDER, --images CSV or FOLDER, --small")
    return args


def fields(args):
    """Give image, class and group of every field."""
    if args.small:
        proteins = [(place, LOCATIONS[place % 2]) for place in range(6)]
        return [(located(where, protein, number), where, f"{where}-{protein}")
                for protein, where in proteins for number in range(4)]  # fmt: skip
    if args.root:
        found = datasets.get("subcellular-location")(args.root).images()
        return [(image, image.about("location"), image.group) for image in found]
    if Path(args.images).is_file():
        found = datasets.CsvCollection(args.images).images()
        return [(image, str(image.about("class")), image.group) for image in found]
    paths = [p for p in sorted(Path(args.images).glob("*/*/*")) if p.suffix.lower() in SUFFIXES]
    return [(datasets.ImageRef(str(p)), p.parts[-3], "/".join(p.parts[-3:-1])) for p in paths]


args = options()
images, classes, groups = map(list, zip(*fields(args), strict=True))
svm = recipe("scale") | recipe("linear-svm")
words = 16 if args.small else args.words
rows = [tasks.feature_row(image, ("haralick", "lbp")) for image in images]
bags = [tasks.descriptors(image, points=args.points) for image in images]
ways = {"global": (svm, rows), "local": (recipe("bag-of-words", words=words) | svm, bags)}
by_image, by_group = {way: [] for way in ways}, {way: [] for way in ways}
for seed in range(1 if args.small else args.seeds):
    k = min(10, len(images))
    tens = stratified_group_k_fold(classes, groups, k, seed=seed, by_image=True)
    for way, (what, features) in ways.items():
        for alone, folds in ((False, leave_one_group_out(groups)), (True, tens)):
            fits = [tasks.fold(what, features, classes, one, kind="classification", seed=seed)
                    for one in folds]  # fmt: skip
            name = f"{way}, seed {seed}"
            found = tasks.gathered(fits, classes, groups, by_image=alone, name=name)
            (by_image if alone else by_group)[way].append(found)

pairs = [both for way in ways for both in zip(by_group[way], by_image[way], strict=True)]
table = [tasks.score_row(found, leaky, kind="classification") for found, leaky in pairs]
note = "accuracy: whole groups left out; by image: images of all groups are trained on. The leak \
is the difference. from, to: 95% of a bootstrap over groups."
tasks.write_scores(table, f"{args.out}/scores", [note])
tasks.draw_leak(by_image, by_group, f"{args.out}/leak.png", group="protein",
                title="Location of proteins: seen or new")  # fmt: skip
