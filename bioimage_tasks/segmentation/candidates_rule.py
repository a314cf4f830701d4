"""Learning the IoU of candidates in two looks, and what an object must be worth.

Measures and true IoU of several images' candidates come in, a :class:`CandidateRule` goes
out. The second look sees the first one's predictions (:mod:`.candidates_context`), so it
learns from predictions for images that the first forest did not learn from. What an object
must be worth is sought on such predictions, too: all inside the images given, so that a
rule has seen nothing else. With groups, whole groups are left out in turn. What is found is
too much: a choice takes the best of many predictions, those made inside are noisier than
those of a rule that learned from all, and noise makes the best look better than it is. It
is uncertain as well. So the price is the middle between it and the IoU at which an object
counts as found, which would be right for predictions without noise.

For a laboratory that nobody learned from there is one look, for what is usual among few
collections says little of another: what an object must be worth is the IoU at which it
counts as found, every collection weighs the same, and the method that learned nothing has
a voice like one of them.

Must not know images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.segmentation.candidates import Doubles, Integers
from bioimage_tasks.segmentation.candidates_choice import Tree, choose
from bioimage_tasks.segmentation.candidates_context import context

#: Candidates of an image that a forest learns from, at most.
TAKEN = 2000
#: Images or groups are left out in at most so many parts.
PARTS = 8
#: What an object may have to be worth, tried from the least.
COSTS = tuple(round(0.3 + 0.025 * step, 3) for step in range(17))
#: IoU from which on an object counts as found, and what it must be worth elsewhere.
FOUND = 0.5
#: Without images to choose it on.
USUAL_COST = 0.55
#: IoU at which an object may count as found.
IOUS = np.arange(10) * 0.05 + 0.5


@dataclass(frozen=True, eq=False)
class Answered:
    """Candidates of an image with a gold standard.

    Attributes
    ----------
    parent, cut : numpy.ndarray
        As in :class:`.candidates.Regions`.
    measures : numpy.ndarray of float64, shape (regions, measures)
    overlaps : numpy.ndarray of float64, shape (regions,)
        Greatest IoU with an object of the gold standard.
    gold : int
        Objects of the gold standard.
    image : str
        Digest of the pixels.
    """

    parent: Integers
    cut: npt.NDArray[np.bool_]
    measures: Doubles
    overlaps: Doubles
    gold: int
    image: str


@dataclass(frozen=True)
class CandidateRule:
    """What was learned; a plain value that can be kept and given to tasks.

    Attributes
    ----------
    first, second : object
        Forests of scikit-learn; ``second`` is ``None`` when there is one look only.
    cost : float
        What an object must be worth, from the images learned from.
    known : tuple of str
        Digests of those images.
    voice : float
        Weight, beside the forests, of the IoU with an object of the default method.
    """

    first: Any
    second: Any
    cost: float
    known: tuple[str, ...]
    voice: float = 0.0

    def worth(self, tree: Tree, measures: Doubles) -> Doubles:
        """Return the predicted IoU of an image's candidates, by the forests alone."""
        predicted: Doubles = self.first.predict(measures)
        if self.second is not None:
            around = context(tree, measures, predicted)
            predicted = self.second.predict(np.hstack([measures, around]))
        worth: Doubles = predicted[:, 0]
        return worth


def learn(
    examples: Sequence[Answered],
    groups: Sequence[str] = (),
    *,
    trees: int = 40,
    seed: int = 0,
    elsewhere: bool = False,
) -> CandidateRule:
    """Learn from candidates of several images: ``rule = learn(examples)``.

    Parameters
    ----------
    examples : sequence of Answered
    groups : sequence of str
        One an example (experiment, collection); with two different ones or more, whole
        groups are left out where parts of the examples are, else images.
    trees : int
        Of each forest.
    seed : int
        Of the forests and of the candidates taken.
    elsewhere : bool
        For images of laboratories that are none of the groups: one look, at the cost
        :data:`FOUND`, with a voice of the default method. Without groups all are one.

    Raises
    ------
    ValueError
        No example, not a group an example, or no candidate in any of them.
    """
    if not len(examples):
        raise ValueError("train: needs at least one example (image, gold); got none")
    if len(groups) not in (0, len(examples)):
        raise ValueError(
            f"train: groups must be one an example, or none; got {len(groups)} for "
            f"{len(examples)} examples"
        )
    known = tuple(one.image for one in examples)
    if elsewhere:
        return _elsewhere(examples, groups or ["all"] * len(examples), trees, seed)
    parts = parts_of(groups if len(set(groups)) > 1 else list(map(str, range(len(examples)))))
    rows = [one.measures for one in examples]
    answers = [one.overlaps for one in examples]
    first = fit(*_drawn(rows, answers, seed), trees=trees, seed=seed)
    if max(parts) == 0:
        return CandidateRule(first, None, USUAL_COST, known)
    looks = left_out(rows, answers, parts, trees, seed)
    wide = [
        np.hstack([one.measures, context(one, one.measures, look)]) if len(look) else one.measures
        for one, look in zip(examples, looks, strict=True)
    ]
    second = fit(*_drawn(wide, answers, seed), trees=trees, seed=seed)
    worths = [look[:, 0] for look in left_out(wide, answers, parts, trees, seed)]
    cost = (best_cost(examples, worths, groups) + FOUND) / 2
    return CandidateRule(first, second, cost, known)


def _elsewhere(
    examples: Sequence[Answered], groups: Sequence[str], trees: int, seed: int
) -> CandidateRule:
    rows = [one.measures for one in examples]
    drawn = _drawn(rows, [one.overlaps for one in examples], seed)
    seen = np.array([min(len(each), TAKEN) for each in rows])
    of = np.unique(np.asarray(groups), return_inverse=True)[1]
    images = np.bincount(of, weights=seen > 0)  # of each group, those that say something
    shares = 1 / (np.maximum(seen, 1) * np.maximum(images[of], 1))
    first = fit(*drawn, trees=trees, seed=seed, weights=np.repeat(shares, seen))
    known = tuple(one.image for one in examples)
    return CandidateRule(first, None, FOUND, known, voice=1 / (len(images) + 1))


def best_cost(
    examples: Sequence[Answered], worths: Sequence[Doubles], groups: Sequence[str] = ()
) -> float:
    """Return the cost at which the lesser of mean precision and recall (IoU 0.5) is greatest.

    About as many objects are missed there as are wrong, so that counts are right, too.
    Every group weighs the same; without groups every image does.

    Parameters
    ----------
    examples : sequence of Answered
    worths : sequence of numpy.ndarray, shape (regions,)
        Predicted IoU, by forests that did not learn from the image.
    groups : sequence of str
    """
    of = np.asarray(groups if len(groups) else range(len(examples)))
    totals = []
    for cost in COSTS:
        pairs = zip(examples, worths, strict=True)
        each = np.array([found(one, choose(one, worth - cost)) for one, worth in pairs])
        means = np.mean([each[of == group].mean(0) for group in np.unique(of)], axis=0)
        totals.append(means.min())
    return COSTS[int(np.argmax(totals))]


def found(example: Answered, chosen: Integers) -> tuple[float, float]:
    """Return precision and recall (IoU 0.5) of chosen candidates, from their IoU alone.

    No two regions without overlap have an IoU above 0.5 with the same object. Where there
    is nothing to be right or to be found, 1.
    """
    right = float(np.count_nonzero(example.overlaps[chosen] >= IOUS[0]))
    precision = right / len(chosen) if len(chosen) else 1.0
    return precision, right / example.gold if example.gold else 1.0


def fit(
    measures: Doubles,
    overlaps: Doubles,
    *,
    trees: int = 40,
    seed: int = 0,
    weights: Doubles | None = None,
) -> Any:
    """Fit a forest from measures to IoU, and to the share of :data:`IOUS` that it reaches.

    Candidates weigh the same unless ``weights`` says how much each does.

    Raises
    ------
    ValueError
        There is no candidate.
    """
    from sklearn.ensemble import ExtraTreesRegressor

    if not len(measures):
        raise ValueError("train: needs at least one candidate; got images without any")
    reached = (overlaps[:, None] >= IOUS).mean(1)
    forest = ExtraTreesRegressor(
        trees, min_samples_leaf=5, max_features=1 / 3, random_state=seed, n_jobs=1
    )
    answers = np.column_stack([overlaps, reached])
    return forest.fit(measures, answers, sample_weight=weights)


def parts_of(groups: Sequence[str]) -> list[int]:
    """Return which part each example is left out in: groups stay together."""
    order = {group: k for k, group in enumerate(sorted(set(groups), key=list(groups).index))}
    return [order[group] % PARTS for group in groups]


def _drawn(
    rows: Sequence[Doubles], answers: Sequence[Doubles], seed: int
) -> tuple[Doubles, Doubles]:
    rng = np.random.default_rng(seed)
    taken = [rng.permutation(len(each))[:TAKEN] for each in rows]
    pairs = list(zip(rows, answers, taken, strict=True))
    drawn = np.concatenate([each[some] for each, _, some in pairs])
    return drawn, np.concatenate([each[some] for _, each, some in pairs])


def left_out(
    rows: Sequence[Doubles], answers: Sequence[Doubles], parts: Sequence[int], trees: int, seed: int
) -> list[Doubles]:
    """Return predictions for every example by a forest that did not learn from its part.

    These forests have half of the trees: there are many of them, and they only prepare.
    """
    looks: list[Doubles] = [np.zeros((0, 2))] * len(rows)
    for part in sorted(set(parts)):
        known = [k for k, of in enumerate(parts) if of != part]
        taken = _drawn([rows[k] for k in known], [answers[k] for k in known], seed)
        forest = fit(*taken, trees=max(trees // 2, 1), seed=seed)
        for k, of in enumerate(parts):
            if of == part and len(rows[k]):
                looks[k] = forest.predict(rows[k])
    return looks
