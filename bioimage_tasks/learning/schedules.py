"""Who is left out when: lists of folds, by group unless told otherwise.

Groups (and sometimes targets) come in, folds of indices go out. A group is what images
share beside the question: slide, plate, patient, day. Images of a group on both sides of a
fold make a model look better than it is on the next experiment, so every schedule keeps
groups whole. Those that leave out single images need ``by_image=True``, said aloud.

Must not know estimators or features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_range

REMEDY = (
    "give the groups (ImageRef.group: slide, plate, patient, day), or pass by_image=True to "
    "leave out single images, whose scores do not hold for the next experiment"
)


@dataclass(frozen=True)
class Fold:
    """What is trained on and what is left out.

    Attributes
    ----------
    name : str
        The group left out, or the fold's number.
    train, test : tuple of int
        Indices, sorted; no index is in both.
    """

    name: str
    train: tuple[int, ...]
    test: tuple[int, ...]


class GroupsUnknown(ValueError):
    """Groups can't be told apart, so cross-validation by group is not possible."""


class GroupLeak(ValueError):
    """A group is on both sides of a fold."""


def leave_one_group_out(groups: Sequence[Any], by_image: bool = False) -> list[Fold]:
    """Leave out one group after the other: ``leave_one_group_out([i.group for i in images])``.

    Parameters
    ----------
    groups : sequence of str
        One an image.
    by_image : bool
        Leave out one image after the other instead; groups may then be unknown.

    Raises
    ------
    GroupsUnknown
        A group is empty or ``None``, or there is only one.
    """
    names = _images(len(groups)) if by_image else known_groups("leave_one_group_out", groups)
    return _folds(names, [(name, [name]) for name in sorted(set(names), key=_natural)])


def leave_one_dataset_out(datasets: Sequence[Any]) -> list[Fold]:
    """Leave out one collection after the other; ``datasets`` names each image's.

    Raises
    ------
    GroupsUnknown
        A name is empty, or there is only one collection.
    """
    return leave_one_group_out(datasets)


def group_k_fold(
    groups: Sequence[Any], k: int = 10, *, seed: int = 0, by_image: bool = False
) -> list[Fold]:
    """Leave out k sets of whole groups, about equal in images.

    Parameters
    ----------
    groups : sequence of str
        One an image.
    k : int
        2 to the number of groups.
    seed : int
        Of the order in which groups of one size are dealt out.
    by_image : bool
        Every image counts as a group of its own.

    Raises
    ------
    GroupsUnknown
        See :func:`leave_one_group_out`.
    ValueError
        k is out of range.
    """
    names = _images(len(groups)) if by_image else known_groups("group_k_fold", groups)
    sizes = {name: names.count(name) for name in dict.fromkeys(names)}
    check_range("group_k_fold", "k (folds)", k, 2, len(sizes))
    order = list(sizes)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda name: -sizes[name])
    dealt: list[list[str]] = [[] for _ in range(k)]
    filled = [0] * k
    for name in order:
        least = filled.index(min(filled))
        dealt[least].append(name)
        filled[least] += sizes[name]
    return _folds(names, [(str(place), own) for place, own in enumerate(dealt)])


def stratified_group_k_fold(
    targets: Sequence[Any],
    groups: Sequence[Any],
    k: int = 10,
    *,
    seed: int = 0,
    by_image: bool = False,
) -> list[Fold]:
    """Leave out k sets of whole groups with classes about as frequent as in all.

    Groups are dealt out, the most uneven first, each to where the classes then lie closest
    to equal shares, as in scikit-learn's ``StratifiedGroupKFold``.

    Raises
    ------
    GroupsUnknown
        See :func:`leave_one_group_out`.
    ValueError
        k is out of range, or there are not as many targets as groups.
    """
    function = "stratified_group_k_fold"
    names = _images(len(groups)) if by_image else known_groups(function, groups)
    if len(targets) != len(names):
        raise ValueError(
            f"{function}: targets and groups must be as many; got {len(targets)}, {len(names)}"
        )
    own, place = np.unique(names, return_inverse=True)
    check_range(function, "k (folds)", k, 2, len(own))
    _, classes = np.unique(np.asarray(targets), return_inverse=True)
    counts = np.zeros((len(own), int(classes.max()) + 1))
    np.add.at(counts, (place, classes), 1)
    order = np.random.default_rng(seed).permutation(len(own))
    order = order[np.argsort(-counts[order].std(1), kind="stable")]
    filled = np.zeros((k, counts.shape[1]))
    dealt: list[list[str]] = [[] for _ in range(k)]
    for group in order:
        best = _evenest(filled, counts[group], counts.sum(0))
        filled[best] += counts[group]
        dealt[best].append(str(own[group]))
    return _folds(names, [(str(n), chosen) for n, chosen in enumerate(dealt) if chosen])


def contiguous_blocks(n: int, k: int = 10, *, by_image: bool = False) -> list[Fold]:
    """Leave out k runs of neighbouring images: sections of a stack, frames of a film.

    Raises
    ------
    GroupsUnknown
        ``by_image`` was not said.
    ValueError
        k is out of range.
    """
    if not by_image:
        raise GroupsUnknown(f"contiguous_blocks: leaves out images, not groups; {REMEDY}")
    check_range("contiguous_blocks", "k (folds)", k, 2, n)
    names = [str(place * k // n) for place in range(n)]
    return _folds(names, [(str(block), [str(block)]) for block in range(k)])


def without(folds: Sequence[Fold], outer: Fold) -> list[Fold]:
    """Return the folds inside the training part of ``outer``, for nesting.

    Every other fold's images are left out in turn, and ``outer``'s never trained on.
    """
    gone = set(outer.test)
    return [
        Fold(
            f"{outer.name}/{fold.name}",
            tuple(place for place in fold.train if place not in gone),
            tuple(place for place in fold.test if place not in gone),
        )
        for fold in folds
        if set(fold.test) - gone
    ]


def known_groups(function: str, groups: Sequence[Any]) -> list[str]:
    """Return groups as text when there are two or more and none is unknown.

    Raises
    ------
    GroupsUnknown
        There are not.
    """
    names = ["" if group is None or group != group else str(group) for group in groups]
    unknown = names.count("")
    if not names or unknown:
        raise GroupsUnknown(
            f"{function}: the group of every image must be known; {REMEDY}; "
            f"got {unknown} unknown of {len(names)}"
        )
    if len(set(names)) < 2:
        raise GroupsUnknown(
            f"{function}: needs two groups or more, one is left out at a time; {REMEDY}; "
            f"got {names[0]!r} for all {len(names)} images"
        )
    return names


def check_folds(folds: Sequence[Fold], groups: Sequence[Any] | None = None) -> None:
    """Raise unless no image, and no group where groups are given, is on both sides of a fold.

    Raises
    ------
    GroupLeak
        A group or an image is trained on and tested.
    ValueError
        A fold has nothing to train on or to test.
    """
    for fold in folds:
        if not fold.train or not fold.test:
            raise ValueError(
                f"check_folds: a fold must train on some images and leave some out; got "
                f"{len(fold.train)} and {len(fold.test)} in fold {fold.name!r}"
            )
        both: set[Any] = set(fold.train) & set(fold.test)
        if groups is not None and not both:
            both = {groups[i] for i in fold.train} & {groups[i] for i in fold.test}
        if both:
            raise GroupLeak(
                f"check_folds: nothing may be on both sides of a fold, images of one group "
                f"know each other; got {sorted(map(str, both))[:3]} in fold {fold.name!r}"
            )


def _evenest(filled: Any, added: Any, total: Any) -> int:
    """Return the fold that leaves the classes' shares most even, the emptiest of equals."""
    scores = []
    for place in range(len(filled)):
        after = filled.copy()
        after[place] += added
        scores.append((float((after / total).std(0).mean()), float(filled[place].sum()), place))
    return min(scores)[2]


def _images(n: int) -> list[str]:
    return [str(place) for place in range(n)]


def _natural(name: str) -> tuple[int, int, str]:
    return (0, int(name), "") if name.isdecimal() else (1, 0, name)


def _folds(names: Sequence[str], left_out: Sequence[tuple[str, Sequence[str]]]) -> list[Fold]:
    place: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        place.setdefault(name, []).append(index)
    everything: npt.NDArray[np.bool_] = np.ones(len(names), dtype=bool)
    folds = []
    for fold, own in left_out:
        test = sorted(index for name in own for index in place[name])
        train = everything.copy()
        train[test] = False
        folds.append(Fold(fold, tuple(np.flatnonzero(train).tolist()), tuple(test)))
    return folds
