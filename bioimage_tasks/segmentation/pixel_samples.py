"""Pixels to learn from: features and classes of a few of an image's labelled pixels.

An image and the classes of some pixels (strokes) or of all come in, a table of samples goes
out. Classes are 1..K, 0 is unlabelled. Each class gives the same number of pixels where it
has them, so that a rare class is not drowned. Must not know learners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_choice, check_labels
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.pixel_bank import Bank, by_tile, check_maps, planes

#: How labels of objects become classes of pixels.
CLASS_RULES = ("inside", "outline")


@dataclass(frozen=True)
class Samples:
    """Labelled pixels of one image.

    Attributes
    ----------
    values : numpy.ndarray of float32, shape (pixels, features)
    classes : numpy.ndarray of int32, shape (pixels,)
        1..K.
    maps : int
        How many earlier maps the features saw.
    """

    values: Floats
    classes: npt.NDArray[np.int32]
    maps: int = 0


def sample_pixels(
    image: npt.ArrayLike,
    classes: npt.ArrayLike,
    maps: Array | None = None,
    *,
    bank: Bank | None = None,
    count: int = 2000,
    balance: bool = True,
    seed: int = 0,
) -> Samples:
    """Draw labelled pixels and compute their features: ``sample_pixels(image, strokes)``.

    Parameters
    ----------
    image : array_like
        2D or 3D, and channels last when the bank says so.
    classes : array_like of int
        Shape of the image without channels; 0 unlabelled, 1..K classes.
    maps : numpy.ndarray of float32, optional
        Shape (maps, *image): an earlier classifier's probabilities (auto-context). They must
        come from a classifier that did not learn from this image.
    bank : Bank, optional
    count : int
        Pixels to draw at most, all classes together.
    balance : bool
        Whether classes share the count evenly; else they are drawn as often as they occur.
    seed : int

    Returns
    -------
    Samples

    Raises
    ------
    ValueError
        Shapes differ, no pixel is labelled, or the image is refused.
    """
    bank = bank or Bank()
    channels = planes("sample_pixels", image, bank)
    targets = check_labels("sample_pixels", "classes", classes)
    if targets.shape != channels.shape[1:]:
        raise ValueError(
            "sample_pixels: classes must have the shape of the image without its channels; got "
            f"{targets.shape} and {channels.shape[1:]}"
        )
    if count < 1:
        raise ValueError(f"sample_pixels: count must be at least 1; got {count}")
    earlier = check_maps("sample_pixels", maps, targets.shape)
    chosen = np.zeros(targets.shape, dtype=bool)
    chosen.ravel()[_draw(targets.ravel(), count, balance, seed)] = True
    values, found = [], []
    for place, stack in by_tile(channels, earlier, bank):
        here = chosen[place]
        values.append(stack[:, here].T)
        found.append(targets[place][here])
    return Samples(
        np.ascontiguousarray(np.concatenate(values)),
        np.concatenate(found).astype(np.int32),
        0 if earlier is None else len(earlier),
    )


def _draw(flat: Array, count: int, balance: bool, seed: int) -> npt.NDArray[np.int64]:
    """Return positions of the pixels drawn."""
    rng = np.random.default_rng(seed)
    present = [number for number in np.unique(flat) if number > 0]
    if not present:
        raise ValueError(
            "sample_pixels: at least one pixel must have a class above 0; got only 0 (unlabelled)"
        )
    pools = [np.flatnonzero(flat == number) for number in present]
    if not balance:
        pools = [np.concatenate(pools)]
    share = max(1, count // len(pools))
    return np.concatenate([rng.permutation(pool)[:share] for pool in pools])


def classes_of(labels: npt.ArrayLike, rule: str = "inside", width: int = 1) -> Labels:
    """Return classes of all pixels from labels of objects: ``classes_of(gold, "outline")``.

    Parameters
    ----------
    labels : array_like of int
        0 background, 1..N objects; any number of dimensions.
    rule : str
        ``inside``: 1 background, 2 object. ``outline``: 3 besides, the pixels of an object
        within ``width`` of another label, so that touching objects can be told apart.
    width : int
        Pixels.

    Returns
    -------
    numpy.ndarray of int32
        Same shape, 1..2 or 1..3.

    Raises
    ------
    ValueError
        Unknown rule, a width below 1, or the labels are refused.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    check_choice("classes_of", "rule", rule, CLASS_RULES)
    if width < 1:
        raise ValueError(f"classes_of: width (pixels) must be at least 1; got {width}")
    numbers = check_labels("classes_of", "labels", labels)
    classes = np.where(numbers > 0, 2, 1).astype(np.int32)
    if rule == "outline":
        side = 2 * width + 1
        edge = maximum_filter(numbers, side) != minimum_filter(numbers, side)
        classes[edge & (numbers > 0)] = 3
    return classes
