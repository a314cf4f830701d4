"""Tasks that learn to segment nuclei from a gold standard, and use what was learned.

A rule is a result like any other: train it in one task, give it to the next.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioimage_tasks import metrics, segmentation, tables
from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.segmentation import candidates_learned, merging
from bioimage_tasks.segmentation.merging import MergeRule
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import check_some, read

#: Over-segmentation for merging: low necks count.
PIECES = ("local-threshold", {"split": 0.02, "fraction": 0.3, "min_contrast": 0.05})
#: Measures and IoU of an image's candidates.
Learned = tuple[Array, Array]
#: An image and its gold standard.
Outlined = tuple[ImageRef | Array, LabelsRef | Labels]
#: Collection, method and scores of one image.
Crossed = tuple[str, str, metrics.Scores]


@task()
def candidate_rows(
    image: ImageRef | Array, gold: LabelsRef | Labels, diameter: float | None = None, seed: int = 0
) -> Learned:
    """Return measures and IoU of at most 1,500 candidates of one image, to learn from."""
    found = candidates_learned.find(read("candidate_rows", image), diameter=diameter)
    numbers = read("candidate_rows", gold)
    order = np.random.default_rng(seed).permutation(len(found.regions))
    taken = order[: candidates_learned.TAKEN]
    return found.measures[taken], found.overlaps(numbers)[taken]


@task()
def learn_candidates(
    rows: Sequence[Learned], trees: int = 60, seed: int = 0
) -> candidates_learned.CandidateRule:
    """Fit a forest from measures to IoU on the candidates of several images."""
    check_some("learn_candidates", "rows", rows)
    measures, overlaps = zip(*rows, strict=True)
    return candidates_learned.fit(
        np.concatenate(measures), np.concatenate(overlaps), trees=trees, seed=seed
    )


@task()
def apply_candidates(
    image: ImageRef | Array,
    rule: candidates_learned.CandidateRule,
    cost: float = 0.6,
    diameter: float | None = None,
) -> Labels:
    """Segment an image by the best choice among candidates."""
    return candidates_learned.apply(
        read("apply_candidates", image), rule, cost=cost, diameter=diameter
    )


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
