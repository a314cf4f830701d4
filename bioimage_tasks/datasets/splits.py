"""Images divided: by chance with a seed, by index, or by group so that no group is on two sides.

References come in, lists of references go out. Nothing is read, and nothing but names and
groups is looked at.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from bioimage_tasks.datasets.base import Collection, ImageRef
from bioimage_tasks.datasets.pairing import named

Images = Sequence[ImageRef] | Collection
#: Training and test.
Fold = tuple[list[ImageRef], list[ImageRef]]


def listed(images: Images) -> list[ImageRef]:
    """Return the references of a collection, or the sequence as a list."""
    return list(images) if isinstance(images, Sequence) else images.images()


def subset(images: Images, indices: Sequence[int]) -> list[ImageRef]:
    """Return the images at these places, in this order: ``subset(images, [4, 0])``.

    Raises
    ------
    ValueError
        There is no such place.
    """
    found = listed(images)
    outside = [index for index in indices if not 0 <= index < len(found)]
    if outside:
        raise ValueError(f"subset: indices must lie in 0..{len(found) - 1}; got {outside}")
    return [found[index] for index in indices]


def split_by_indices(images: Images, indices: Sequence[int]) -> Fold:
    """Return the images at these places, and all others: ``chosen, rest = ...``.

    Raises
    ------
    ValueError
        There is no such place, or one comes twice.
    """
    found = listed(images)
    if len(set(indices)) < len(indices):
        twice = [index for index, count in Counter(indices).items() if count > 1]
        raise ValueError(f"split_by_indices: every index may come once; got {twice} more often")
    chosen = set(indices)
    rest = [image for place, image in enumerate(found) if place not in chosen]
    return subset(found, indices), rest


def random_split(images: Images, lengths: Sequence[float], seed: int = 0) -> list[list[ImageRef]]:
    """Divide images by chance: ``train, test = random_split(images, (0.8, 0.2), seed=1)``.

    Images of one experiment come to lie on both sides: a score on the test part says
    nothing of new experiments; for that see :func:`split_by_group`.

    Parameters
    ----------
    images : sequence of ImageRef, or Collection
    lengths : sequence of int or float
        Numbers of images that add up to all, or fractions that add up to 1.
    seed : int

    Returns
    -------
    list of list of ImageRef
        In the order of ``images``.

    Raises
    ------
    ValueError
        The lengths don't add up.
    """
    found = listed(images)
    counts = _counts(lengths, len(found))
    order = np.random.default_rng(seed).permutation(len(found)).tolist()
    parts, start = [], 0
    for count in counts:
        parts.append([found[index] for index in sorted(order[start : start + count])])
        start += count
    return parts


def _counts(lengths: Sequence[float], total: int) -> list[int]:
    """Return whole numbers that add up to ``total``; largest remainders are rounded up."""
    whole = all(isinstance(length, int) for length in lengths)
    if min(lengths, default=-1) < 0 or abs(sum(lengths) - (total if whole else 1)) > 1e-9:
        raise ValueError(
            f"random_split: lengths must be whole numbers that add up to the {total} images, or "
            f"fractions that add up to 1; got {tuple(lengths)}"
        )
    if whole:
        return [int(length) for length in lengths]
    exact = [length * total for length in lengths]
    counts = [int(each + 1e-9) for each in exact]
    by_rest = sorted(range(len(exact)), key=lambda place: counts[place] - exact[place])
    for place in by_rest[: total - sum(counts)]:
        counts[place] += 1
    return counts


def split_by_group(
    images: Images, fractions: Sequence[float] = (0.8, 0.2), seed: int = 0
) -> list[list[ImageRef]]:
    """Divide images so that a group is never on two sides.

    The largest group goes first to the part that lacks most images; equal ones in the
    order of a draw with ``seed``.

    Parameters
    ----------
    images : sequence of ImageRef, or Collection
    fractions : sequence of float
        Of images, adding up to 1; met as nearly as whole groups allow.
    seed : int

    Returns
    -------
    list of list of ImageRef
        In the order of ``images``; none is empty.

    Raises
    ------
    ValueError
        Groups are unknown or fewer than the parts, or fractions don't add up.
    """
    found = listed(images)
    if len(fractions) < 2 or min(fractions) <= 0 or abs(sum(fractions) - 1) > 1e-9:
        raise ValueError(
            f"split_by_group: fractions must be two or more above 0 that add up to 1; "
            f"got {tuple(fractions)}"
        )
    sizes = _groups("split_by_group", found, len(fractions))
    part_of: dict[str, int] = {}
    lacking = [fraction * len(found) for fraction in fractions]
    empty = set(range(len(fractions)))
    for place, group in enumerate(_largest_first(sizes, seed)):
        left = len(sizes) - place
        open_to = empty if len(empty) >= left else range(len(fractions))
        part = max(open_to, key=lambda each: (lacking[each], -each))
        part_of[group] = part
        lacking[part] -= sizes[group]
        empty.discard(part)
    return [
        [image for image in found if part_of[image.group] == part] for part in range(len(fractions))
    ]


def group_folds(images: Images, folds: int = 5, seed: int = 0) -> list[Fold]:
    """Return (training, test) for each fold, every group tested once and never split.

    Parameters
    ----------
    images : sequence of ImageRef, or Collection
    folds : int
        At least 2; as many as there are groups leaves one out at a time.
    seed : int

    Raises
    ------
    ValueError
        Groups are unknown or fewer than the folds.
    """
    found = listed(images)
    if folds < 2:
        raise ValueError(f"group_folds: folds must be at least 2; got {folds}")
    _groups("group_folds", found, folds)
    tests = split_by_group(found, (1 / folds,) * folds, seed)
    return [
        ([image for image in found if image.group not in {held.group for held in test}], test)
        for test in tests
    ]


def _groups(function: str, found: list[ImageRef], parts: int) -> Counter[str]:
    unknown = [image.name for image in found if not image.group]
    remedy = (
        "say which images belong together with FolderCollection(groups=...) or a csv's column "
        "'group', or use random_split, which lets images of one experiment be on both sides"
    )
    if unknown:
        raise ValueError(
            f"{function}: the group of every image must be known; {remedy}; got none for "
            f"{named(unknown)}"
        )
    sizes = Counter(image.group for image in found)
    if len(sizes) < parts:
        raise ValueError(
            f"{function}: there must be at least as many groups as parts; {remedy}; got "
            f"{len(sizes)} groups ({named(list(sizes))}) for {parts} parts"
        )
    return sizes


def _largest_first(sizes: Counter[str], seed: int) -> list[str]:
    groups = sorted(sizes)
    order = np.random.default_rng(seed).permutation(len(groups)).tolist()
    return sorted((groups[place] for place in order), key=lambda group: -sizes[group])
