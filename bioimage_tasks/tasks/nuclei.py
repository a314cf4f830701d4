"""Tasks that learn to segment nuclei from a gold standard, and use what was learned.

A rule is a result like any other: train it in one task, give it to the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioimage_tasks import metrics, segmentation, tables
from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.segmentation import candidates_learned, candidates_rule, merging
from bioimage_tasks.segmentation.candidates_rule import Answered, CandidateRule
from bioimage_tasks.segmentation.merging import MergeRule
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import check_some, read

#: Over-segmentation for merging: low necks count.
PIECES = ("local-threshold", {"split": 0.02, "fraction": 0.3, "min_contrast": 0.05})
#: An image and its gold standard.
Outlined = tuple[ImageRef | Array, LabelsRef | Labels]
#: Collection, method and scores of one image.
Crossed = tuple[str, str, metrics.Scores]


@task(version=3)
def candidate_rows(
    image: ImageRef | Array, gold: LabelsRef | Labels, diameter: float | None = None
) -> Answered:
    """Return measures and IoU of the candidates of one image, to learn from."""
    pixels, numbers = read("candidate_rows", image), read("candidate_rows", gold)
    return candidates_learned.answered(pixels, numbers, diameter=diameter)


@task(version=3)
def learn_candidates(
    rows: Sequence[Answered],
    groups: Sequence[str] = (),
    trees: int = 40,
    seed: int = 0,
    elsewhere: bool = False,
) -> CandidateRule:
    """Learn the IoU of candidates of several images, and what an object must be worth.

    With two groups or more (experiments), the second look and the worth are made for groups
    that were left out. ``elsewhere=True`` makes a rule for laboratories that are none of the
    groups: see :func:`bioimage_tasks.segmentation.candidates_rule.learn`.
    """
    check_some("learn_candidates", "rows", rows)
    return candidates_rule.learn(rows, groups, trees=trees, seed=seed, elsewhere=elsewhere)


@task(version=4)
def apply_candidates(
    image: ImageRef | Array,
    rule: CandidateRule,
    cost: float | None = None,
    diameter: float | None = None,
    unseen: bool = False,
) -> Labels:
    """Segment an image by the best choice among candidates.

    ``unseen=True`` refuses an image that the rule learned from: for cross-validation.
    """
    pixels = read("apply_candidates", image)
    return candidates_learned.apply(pixels, rule, cost=cost, diameter=diameter, unseen=unseen)


@task()
def learn_merging(examples: Sequence[Outlined], trees: int = 100, seed: int = 0) -> MergeRule:
    """Learn from images with a gold standard which pieces belong together, and what is junk."""
    known = [tuple(read("learn_merging", each) for each in pair) for pair in examples]
    return merging.train(
        [(_over(pixels), pixels, gold) for pixels, gold in known], trees=trees, seed=seed
    )


@task()
def apply_merging(image: ImageRef | Array, rule: MergeRule, keep: float = 0.5) -> Labels:
    """Segment an image by joining the pieces of an over-segmentation as learned."""
    pixels = read("apply_merging", image)
    return merging.apply(_over(pixels), pixels, rule, keep=keep)


def _over(pixels: Array) -> Labels:
    method, params = PIECES
    return segmentation.segment(pixels, method, **params)


@task()
def crossed(entries: Sequence[Crossed]) -> list[tables.Row]:
    """Reduce (collection, method, scores) to one row a collection and method, in their order."""
    return tables.crossed_rows(entries)


@task()
def draw_crossed(rows: Sequence[tables.Row], path: str, by: str = "f1") -> str:
    """Draw a score as a matrix of collections and methods; return the path of the PNG."""
    from bioimage_tasks.io import write_image
    from bioimage_tasks.plots import sweep_map

    if not rows or by not in rows[0]:
        raise ValueError(
            f"draw_crossed: by must be a column of the rows, of crossed; got {by!r}, "
            f"{len(rows)} rows"
        )
    places = list(dict.fromkeys(str(row["collection"]) for row in rows))
    ways = list(dict.fromkeys(str(row["setting"]) for row in rows))
    matrix = np.full((len(places), len(ways)), np.nan)
    for row in rows:
        matrix[places.index(str(row["collection"])), ways.index(str(row["setting"]))] = row[by]
    names = {"row_name": "tested on, never trained on", "column_name": "method", "score_name": by}
    write_image(path, sweep_map(matrix, places, ways, **names))
    return path
