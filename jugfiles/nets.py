"""How much of an image neutrophil extracellular traps cover: ways, samples, combinations.

    taskgraph execute jugfiles/nets.py -j 2 -- --root FOLDER
    taskgraph execute jugfiles/nets.py -j 2 -- --small

The study of Coelho et al. 2015 (doi:10.1093/bioinformatics/btv156), a sample left out at a
time; nested: each way put on a line, and combinations. FOLDER is laid out as nets-coverage.
"""

import argparse
import sys

from bioimage_tasks import datasets, tasks
from bioimage_tasks.datasets import made_coverage as made
from bioimage_tasks.learning import group_k_fold, leave_one_group_out, pairs, recipe

PUBLISHED = {"pixel": ("pixels", 12), "regions": ("regions", 24)}
PUBLISHED |= {f"surf {scale}": ("surf", scale) for scale in (1, 2, 4, 8)}
OURS = {"tiles": ("tiles", 64), "textures": ("tiles", 64, True)}


def options():
    parser = argparse.ArgumentParser(prog="nets.py")
    parser.add_argument("--root", help="folder laid out as the collection nets-coverage")
    parser.add_argument("--small", action="store_true", help="made-up images, fewer ways")
    parser.add_argument("--trees", type=int, default=10, help="of every forest")
    parser.add_argument("--out", default="nets-output", help="folder for table and figures")
    args = parser.parse_args(sys.argv[1:])
    if bool(args.root) == args.small:
        parser.error("give either --root FOLDER or --small")
    return args


def fields(args):
    """Give image, mask, coverage, sample and the second human's coverage of every field."""
    if not args.small:
        found = datasets.get("nets-coverage")(args.root).images()
        return [(i, i.gold, i.about("coverage"), i.group, i.about("coverage_2")) for i in found]
    pictures = [(made.covered(day, field), day) for day in "abcde" for field in range(2)]
    return [(i, mask, float(mask.mean()), day, None) for (i, mask), day in pictures]


def fits(folds):
    how = {"max_parts": 100, "limits": (0.0, 1.0)}
    return [[tasks.fold(forest, own, truth, one, **how) for one in folds] for own in bags]


def combine(name, how, which):
    chosen = [[own[n] for n in which] for own in (base, inner)]
    return tasks.combined(*chosen, truth, samples, how, limits=(0.0, 1.0), name=name)


args = options()
images, masks, truth, samples, second = map(list, zip(*fields(args), strict=True))
ways = PUBLISHED | OURS
if args.small:
    ways = {name: ways[name] for name in ("regions", "surf 1", "tiles")}
trees = 6 if args.small else args.trees
forest = recipe("forest-regressor", n_estimators=trees, max_features="sqrt", min_samples_leaf=2)
bags = [[tasks.parts(i, *how[:2], mask, textures=len(how) > 2)
         for i, mask in zip(images, masks, strict=True)] for how in ways.values()]  # fmt: skip
left_out = leave_one_group_out(samples)
threes = group_k_fold(samples, max(2, len(images) // 3), by_image=True)
base, inner, leaky = fits(left_out), fits(pairs(left_out)), fits(threes)
single = [tasks.gathered(base[n], truth, samples, name=way) for n, way in enumerate(ways)]
by_image = [tasks.gathered(own, truth, samples, by_image=True) for own in leaky]
published = [n for n, way in enumerate(ways) if way in PUBLISHED]
together = [combine("mean of published", "line", published)]
together += [combine(how, how, range(len(ways))) for how in ("non-negative", "linear")]
together += [combine(f"{way}, on a line", "line", [n]) for n, way in enumerate(ways)]
rows = [*map(tasks.score_row, single, by_image), *map(tasks.score_row, together)]
twice = [place for place, share in enumerate(second) if share is not None]
if len({samples[place] for place in twice}) > 1:
    people = [[own[place] for place in twice] for own in (truth, second, samples)]
    rows += [tasks.score_row(tasks.annotators(*people, "second human"))]
tasks.write_scores(rows, f"{args.out}/scores", ["from, to: 95% of a bootstrap over samples"])
tasks.draw_residuals([*single, together[1]], f"{args.out}/residuals.png", "share")
tasks.draw_predictions(together[1], f"{args.out}/predictions.png", "NET coverage (share)")
tasks.draw_strips([single[-1], together[1]], f"{args.out}/samples.png", "error of coverage (share)")
