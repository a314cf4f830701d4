"""How sure a score is: bootstrap and permutation over groups, never over single images.

Out-of-fold predictions come in, an interval or a p-value goes out. Images of one group err
together; resampling them one by one would make fifteen experiments look like forty-two.
Must not know estimators.

Efron 1979, doi:10.1214/aos/1176344552; over clusters Field and Welsh 2007,
doi:10.1111/j.1467-9868.2007.00593.x; Phipson and Smyth 2010, doi:10.2202/1544-6115.1585.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_choice, check_range
from bioimage_tasks.learning.results import OutOfFold
from bioimage_tasks.learning.schedules import known_groups

#: Scores of classes; the others are of numbers.
OF_CLASSES = ("accuracy", "balanced_accuracy", "macro_f1")
#: Scores by name.
SCORES: Mapping[str, Callable[[OutOfFold], float]] = {
    **{
        name: lambda found, name=name: getattr(found.regression(), name)  # type: ignore[misc]
        for name in ("q2", "q2_fold", "r2", "mae", "rmse", "bias")
    },
    **{
        name: lambda found, name=name: getattr(found.classification(), name)  # type: ignore[misc]
        for name in OF_CLASSES
    },
}
#: Scores that are better when smaller.
LOWER = ("mae", "rmse")


@dataclass(frozen=True)
class Interval:
    """A score and between what it would lie with other groups.

    Attributes
    ----------
    value, low, high : float
    level : float
        Share of the resamples between ``low`` and ``high``.
    groups : int
        What was resampled.
    undefined : int
        Resamples in which the score did not exist (all truths equal), drawn again.
    """

    value: float
    low: float
    high: float
    level: float
    groups: int
    undefined: int = 0


def bootstrap(
    found: OutOfFold,
    score: str = "q2",
    *,
    against: OutOfFold | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    by_image: bool = False,
) -> Interval:
    """Return a score with its percentile interval: ``bootstrap(found, "mae")``.

    Parameters
    ----------
    found : OutOfFold
    score : str
        One of :data:`SCORES`.
    against : OutOfFold, optional
        Of the same images: the interval is then of the difference, resampled as pairs.
    resamples : int
        Whole groups are drawn with replacement, as many as there are.
    level : float
        0 to 1.
    seed : int
    by_image : bool
        Resample images where groups are unknown.

    Raises
    ------
    GroupsUnknown
        Groups are unknown, or there is one.
    ValueError
        Unknown score; or hardly any resample has one.
    """
    check_choice("bootstrap", "score", score, tuple(SCORES))
    _check_kind("bootstrap", score, found)
    check_range("bootstrap", "level", level, 0, 1)
    check_range("bootstrap", "resamples", resamples, 1, 1e7)
    members = _members("bootstrap", found, by_image)
    rng = np.random.default_rng(seed)

    def difference(chosen: npt.NDArray[np.int64]) -> float:
        own = SCORES[score](found.some(chosen))
        return own if against is None else own - SCORES[score](against.some(chosen))

    values: list[float] = []
    undefined = 0
    while len(values) < resamples:
        drawn = rng.integers(0, len(members), len(members))
        chosen = np.concatenate([members[place] for place in drawn])
        if len(set(found.truth[chosen].tolist())) < 2 and score not in ("mae", "rmse", "bias"):
            undefined += 1
            if undefined > 10 * resamples:
                raise ValueError(f"bootstrap: {score} needs truths that vary between groups")
            continue
        values.append(difference(chosen))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    value = difference(np.arange(len(found)))
    return Interval(value, float(low), float(high), level, len(members), undefined)


def permutation_test(
    found: OutOfFold,
    score: str = "q2",
    *,
    permutations: int = 999,
    seed: int = 0,
    by_image: bool = False,
) -> float:
    """Return how often chance scores as well, when whole groups are shuffled.

    Numbers: the groups' mean truths change places, each image keeps its distance from its
    group's. Classes: whole groups change places where each is of one class; where they are
    mixed, images change places within their group.

    Parameters
    ----------
    found : OutOfFold
    score : str
        One of :data:`SCORES` but ``bias``.
    permutations : int
    seed : int
    by_image : bool
        Shuffle images where groups are unknown.

    Returns
    -------
    float
        p, from 1 / (permutations + 1) to 1.

    Raises
    ------
    GroupsUnknown
        Groups are unknown, or there is one.
    ValueError
        Unknown score.
    """
    check_choice("permutation_test", "score", score, tuple(n for n in SCORES if n != "bias"))
    _check_kind("permutation_test", score, found)
    check_range("permutation_test", "permutations", permutations, 1, 1e7)
    members = _members("permutation_test", found, by_image)
    rng = np.random.default_rng(seed)
    sign = -1 if score in LOWER else 1
    real = sign * SCORES[score](found)
    as_good = 0
    for _ in range(permutations):
        shuffled = _shuffled(found, members, rng)
        as_good += sign * SCORES[score](shuffled) >= real - 1e-12
    return (1 + as_good) / (1 + permutations)


def _shuffled(
    found: OutOfFold, members: list[npt.NDArray[np.int64]], rng: np.random.Generator
) -> OutOfFold:
    from dataclasses import replace

    truth = found.truth.copy()
    order = rng.permutation(len(members))
    if _of_numbers(found):
        means = np.array([found.truth[own].mean() for own in members])
        for place, own in enumerate(members):
            truth[own] = found.truth[own] - means[place] + means[order[place]]
    elif all(len(set(found.truth[own].tolist())) == 1 for own in members):
        for place, own in enumerate(members):
            truth[own] = found.truth[members[order[place]][0]]
    else:
        for own in members:
            truth[own] = rng.permutation(found.truth[own])
    return replace(found, truth=truth)


def _of_numbers(found: OutOfFold) -> bool:
    """Tell whether numbers were predicted: only their folds have a mean."""
    return found.truth.dtype.kind == "f" and bool(np.isfinite(found.fold_means).any())


def _check_kind(function: str, score: str, found: OutOfFold) -> None:
    if score in OF_CLASSES and _of_numbers(found):
        others = [name for name in SCORES if name not in OF_CLASSES]
        raise ValueError(
            f"{function}: {score} is a score of classes, and numbers were predicted; choose one "
            f"of {', '.join(others)}; got {score!r}"
        )


def _members(function: str, found: OutOfFold, by_image: bool) -> list[npt.NDArray[np.int64]]:
    """Return the images of every group."""
    if by_image:
        return [np.array([place]) for place in range(len(found))]
    names = np.asarray(known_groups(function, found.groups), dtype=object)
    return [np.flatnonzero(names == name) for name in dict.fromkeys(names)]
