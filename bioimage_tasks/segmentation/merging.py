"""Splitting and merging by a learned rule: pieces are joined, objects of junk are dropped.

Pieces of an over-segmentation and an image come in, labels go out. A forest of pairs says
which touching pieces belong together, greedily, the surest first; measures of a joined
piece are made anew before it is asked again. A forest of objects then says which are real.
The image may be any that is bright in objects: the raw one, or a map of probabilities.
In the spirit of Lin et al. 2003, doi:10.1002/cyto.a.10079, with the rule learned.

Must not know how the pieces were made.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import (
    Labels,
    check_finite,
    check_labels,
    check_range,
    check_same_shape,
    sequential,
)
from bioimage_tasks.segmentation.merging_measures import Pieces, object_row, pair_row, pieces_of

#: Pieces, an image (or several of one shape) and the gold standard.
Example = tuple[npt.ArrayLike, npt.ArrayLike | Sequence[npt.ArrayLike], npt.ArrayLike]


@dataclass(frozen=True)
class MergeRule:
    """What :func:`train` learned; a plain value that can be kept and given to tasks.

    Attributes
    ----------
    pairs, objects : object
        Forests of scikit-learn; ``None`` where the examples had one answer only.
    always : tuple of float
        That answer: the chance that a pair belongs together, that an object is real.
    images : int
        How many images the rule looks at.
    """

    pairs: Any
    objects: Any
    always: tuple[float, float]
    images: int


def train(examples: Sequence[Example], *, trees: int = 100, seed: int = 0) -> MergeRule:
    """Learn from over-segmented images with a gold standard: ``rule = train(examples)``.

    Parameters
    ----------
    examples : sequence of (pieces, image or images, gold)
        Shape (height, width) or (depth, height, width) each.
    trees : int
        Of each forest.
    seed : int
        Of the forests.

    Returns
    -------
    MergeRule

    Raises
    ------
    ValueError
        No example, none with a piece, shapes differ, or examples have other numbers of images.
    """
    if not len(examples):
        raise ValueError("train: needs at least one example (pieces, image, gold); got none")
    pair_rows: list[list[float]] = []
    pair_answers: list[bool] = []
    object_rows: list[list[float]] = []
    object_answers: list[bool] = []
    counts = set()
    for labels, images, gold in examples:
        pieces = _pieces("train", labels, images)
        counts.add(len(pieces.images))
        truth = sequential(check_labels("train", "gold", gold))
        check_same_shape("train", truth, pieces.labels)
        _learn(pieces, truth, pair_rows, pair_answers, object_rows, object_answers)
    if len(counts) > 1:
        raise ValueError(
            f"train: all examples must have the same number of images; got {sorted(counts)}"
        )
    if not object_rows:
        raise ValueError("train: needs at least one piece to learn from; got none")
    pairs, together = _forest(pair_rows, pair_answers, trees, seed)
    objects, real = _forest(object_rows, object_answers, trees, seed)
    return MergeRule(pairs, objects, (together, real), counts.pop())


def apply(
    labels: npt.ArrayLike,
    images: npt.ArrayLike | Sequence[npt.ArrayLike],
    rule: MergeRule,
    *,
    join: float = 0.5,
    keep: float = 0.5,
) -> Labels:
    """Join pieces and drop junk as learned: ``labels = apply(pieces, image, rule)``.

    Parameters
    ----------
    labels : array_like of int
        The pieces, 0 background.
    images : array_like or sequence of array_like
        As the rule was trained with.
    rule : MergeRule
    join : float
        Least chance at which two pieces are joined, in [0, 1].
    keep : float
        Least chance at which an object is real, in [0, 1]; 0 keeps all.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N.

    Raises
    ------
    ValueError
        Shapes differ, another number of images than in training, or a value out of range.
    """
    check_range("apply", "join", join, 0, 1)
    check_range("apply", "keep", keep, 0, 1)
    pieces = _pieces("apply", labels, images)
    if len(pieces.images) != rule.images:
        raise ValueError(
            f"apply: the rule was trained with {rule.images} image(s); got {len(pieces.images)}"
        )
    _join(pieces, rule, join)
    alive = pieces.alive()
    if keep > 0 and alive:
        rows = [object_row(pieces, one) for one in alive]
        chance = _chances(rule.objects, rule.always[1], rows)
        alive = [one for one, real in zip(alive, chance, strict=True) if real >= keep]
    return pieces.render(alive)


def _pieces(
    function: str, labels: npt.ArrayLike, images: npt.ArrayLike | Sequence[npt.ArrayLike]
) -> Pieces:
    numbers = sequential(check_labels(function, "labels", labels))
    several = images if isinstance(images, list | tuple) else [images]
    arrays = [np.asarray(image, dtype=np.float64) for image in several]
    for array in arrays:
        check_same_shape(function, array, numbers)
        check_finite(function, array)
    return pieces_of(numbers, arrays)


def _learn(
    pieces: Pieces,
    gold: Labels,
    pair_rows: list[list[float]],
    pair_answers: list[bool],
    object_rows: list[list[float]],
    object_answers: list[bool],
) -> None:
    """Join by the gold standard, surest pairs first, and note every question on the way."""
    owner = _owners(pieces, gold)
    waiting = sorted(pieces.pairs(), key=lambda pair: -pieces.contact(*pair))
    asked = set()
    while waiting:
        one, two = waiting.pop(0)
        if not (pieces.is_alive(one) and pieces.is_alive(two)) or (one, two) in asked:
            continue
        asked.add((one, two))
        same = owner[one] > 0 and owner[one] == owner[two]
        pair_rows.append(pair_row(pieces, one, two))
        pair_answers.append(bool(same))
        if same:
            object_rows.append(object_row(pieces, one))
            object_answers.append(False)
            new = pieces.join(one, two)
            owner[new] = owner[one]
            waiting += [_ordered(new, other) for other in pieces.beside(new)]
    table = _overlaps(pieces, gold)
    for one in pieces.alive():
        object_rows.append(object_row(pieces, one))
        object_answers.append(table(one) >= 0.5)


def _owners(pieces: Pieces, gold: Labels) -> dict[int, int]:
    """Return for each piece the gold object that holds most of it, 0 for background."""
    columns = int(gold.max()) + 1
    pair = pieces.labels.ravel().astype(np.int64) * columns + gold.ravel()
    shared = np.bincount(pair, minlength=(int(pieces.labels.max()) + 1) * columns)
    most = shared.reshape(-1, columns).argmax(1)
    return {one: int(most[one]) for one in pieces.alive()}


def _overlaps(pieces: Pieces, gold: Labels) -> Any:
    area = np.bincount(gold.ravel())

    def best(one: int) -> float:
        shared = np.bincount(gold.ravel()[pieces.places(one)], minlength=len(area))
        iou = shared / (area + shared.sum() - shared)
        return float(iou[1:].max(initial=0))

    return best


def _forest(
    rows: Sequence[Sequence[float]], answers: Sequence[bool], trees: int, seed: int
) -> tuple[Any, float]:
    if len(set(answers)) < 2:
        return None, float(answers[0]) if answers else 0.0
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        trees, min_samples_leaf=3, max_features="sqrt", random_state=seed, n_jobs=1
    )
    return forest.fit(np.asarray(rows), np.asarray(answers)), float(np.mean(answers))


def _chances(forest: Any, always: float, rows: Sequence[Sequence[float]]) -> list[float]:
    if forest is None or not len(rows):
        return [always] * len(rows)
    return [float(chance) for chance in forest.predict_proba(np.asarray(rows))[:, 1]]


def _join(pieces: Pieces, rule: MergeRule, least: float) -> None:
    """Join the surest pair until none is sure enough."""
    pairs = pieces.pairs()
    chances = _chances(rule.pairs, rule.always[0], [pair_row(pieces, *p) for p in pairs])
    queue = [(-chance, *pair) for chance, pair in zip(chances, pairs, strict=True)]
    heapq.heapify(queue)
    while queue and -queue[0][0] >= least:
        _, one, two = heapq.heappop(queue)
        if not (pieces.is_alive(one) and pieces.is_alive(two)):
            continue
        new = pieces.join(one, two)
        fresh = [_ordered(new, other) for other in pieces.beside(new)]
        if fresh:
            rows = [pair_row(pieces, *pair) for pair in fresh]
            for chance, pair in zip(_chances(rule.pairs, rule.always[0], rows), fresh, strict=True):
                heapq.heappush(queue, (-chance, *pair))


def _ordered(one: int, two: int) -> tuple[int, int]:
    return (one, two) if one < two else (two, one)
