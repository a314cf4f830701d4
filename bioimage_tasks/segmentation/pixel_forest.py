"""A pixel classifier: a forest from the filters of a pixel to the probabilities of classes.

Samples come in, a small frozen model goes out that later tasks take as an argument; with an
image it gives float32 maps. Filters and forest are those of ilastik (Berg et al. 2019,
doi:10.1038/s41592-019-0582-9; Breiman 2001, doi:10.1023/A:1010933404324). Auto-context (Tu
and Bai 2010, doi:10.1109/TPAMI.2009.186) is a second forest that also sees the first one's
map, out of fold: made by a forest that did not learn from that image's group.

Must not know files, or how objects are made of maps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_choice
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.pixel_bank import (
    TILE_PIXELS,
    Bank,
    by_tile,
    check_maps,
    planes,
)
from bioimage_tasks.segmentation.pixel_samples import Samples, sample_pixels

FOREST_KINDS = ("random", "extra", "boosted")
#: Leaves of a boosted tree, and how much of its answer is taken: scikit-learn's usual ones.
BOOSTED_LEAVES = 31
BOOSTED_RATE = 0.1


@dataclass(frozen=True)
class PixelForest:
    """A trained pixel classifier; pickles.

    Attributes
    ----------
    bank : Bank
    classes : tuple of int
        In the order of the maps.
    maps : int
        How many earlier maps it must be given.
    forest : sklearn.ensemble.RandomForestClassifier
        Or the other kinds' class.
    """

    bank: Bank
    classes: tuple[int, ...]
    maps: int
    forest: Any


@dataclass(frozen=True)
class AutoContext:
    """Two forests: the second sees what the first says.

    Attributes
    ----------
    first, second : PixelForest
    """

    first: PixelForest
    second: PixelForest


PixelModel = PixelForest | AutoContext


def fit_pixels(
    samples: Sequence[Samples],
    *,
    bank: Bank | None = None,
    kind: str = "random",
    trees: int = 50,
    min_leaf: int = 5,
    seed: int = 0,
) -> PixelForest:
    """Train a forest: ``fit_pixels([sample_pixels(i, s) for i, s in strokes])``.

    Parameters
    ----------
    samples : sequence of Samples
        One an image, all made with ``bank``.
    bank : Bank, optional
        The one of the samples.
    kind : str
        ``random``; ``extra``, whose trees split at random thresholds (Geurts et al. 2006,
        doi:10.1007/s10994-006-6226-1): smoother maps, half as fast; or ``boosted``, whose
        trees each learn what those before got wrong (Friedman 2001,
        doi:10.1214/aos/1013203451): the best with many samples, wants 200 trees or more.
    trees : int
    min_leaf : int
        Least pixels of a leaf.
    seed : int

    Returns
    -------
    PixelForest

    Raises
    ------
    ValueError
        No samples, samples of different features, or of one class only.
    """
    check_choice("fit_pixels", "kind", kind, FOREST_KINDS)
    widths = {(part.values.shape[1], part.maps) for part in samples}
    if len(widths) != 1:
        raise ValueError(
            "fit_pixels: needs samples, all with the same features; got (features, maps) "
            f"{sorted(widths)}"
        )
    values = np.concatenate([part.values for part in samples])
    classes = np.concatenate([part.classes for part in samples])
    present = tuple(int(number) for number in np.unique(classes))
    if len(present) < 2:
        raise ValueError(
            "fit_pixels: pixels of at least two classes are needed; label background as a class "
            f"of its own; got {present}"
        )
    forest = _forest(kind, trees, min_leaf, seed)
    with _one_thread():
        forest.fit(values, classes)
    return PixelForest(bank or Bank(), present, samples[0].maps, forest)


def _forest(kind: str, trees: int, min_leaf: int, seed: int) -> Any:
    from sklearn.ensemble import (
        ExtraTreesClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
    )

    if kind == "boosted":
        return HistGradientBoostingClassifier(
            max_iter=trees,
            learning_rate=BOOSTED_RATE,
            max_leaf_nodes=BOOSTED_LEAVES,
            min_samples_leaf=min_leaf,
            early_stopping=False,
            random_state=seed,
        )
    maker = ExtraTreesClassifier if kind == "extra" else RandomForestClassifier
    # The wilder the trees, the more features a split may choose from.
    share = 0.3 if kind == "extra" else "sqrt"
    return maker(trees, min_samples_leaf=min_leaf, max_features=share, random_state=seed, n_jobs=1)


def _one_thread() -> Any:
    """Return a context in which boosting, too, keeps to one core: workers share the others."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def predict_pixels(
    model: PixelModel,
    image: npt.ArrayLike,
    maps: Array | None = None,
    *,
    tile_pixels: int = TILE_PIXELS,
) -> Floats:
    """Return the probability of every class at every pixel: ``predict_pixels(model, image)``.

    Parameters
    ----------
    model : PixelForest or AutoContext
    image : array_like
        As in training.
    maps : numpy.ndarray of float32, optional
        Earlier maps, when the forest was trained with some.
    tile_pixels : int
        Pixels whose features are held at once; the result does not depend on it.

    Returns
    -------
    numpy.ndarray of float32
        Shape (classes, *image); sums to 1 at each pixel.

    Raises
    ------
    ValueError
        The image has other channels than in training, or maps are missing or too many.
    """
    if isinstance(model, AutoContext):
        first = predict_pixels(model.first, image, maps, tile_pixels=tile_pixels)
        return predict_pixels(model.second, image, first[1:], tile_pixels=tile_pixels)
    channels = planes("predict_pixels", image, model.bank)
    earlier = check_maps("predict_pixels", maps, channels.shape[1:])
    if (0 if earlier is None else len(earlier)) != model.maps:
        raise ValueError(
            f"predict_pixels: this forest was trained with {model.maps} earlier maps; got "
            f"{'none' if earlier is None else len(earlier)}"
        )
    found = np.empty((len(model.classes), *channels.shape[1:]), dtype=np.float32)
    for place, stack in by_tile(channels, earlier, model.bank, tile_pixels):
        if len(stack) != model.forest.n_features_in_:
            raise ValueError(
                "predict_pixels: the image must have the channels and dimensions of those in "
                f"training, {model.forest.n_features_in_} features; got {len(stack)}"
            )
        with _one_thread():
            shares = model.forest.predict_proba(stack.reshape(len(stack), -1).T)
        found[(slice(None), *place)] = shares.T.reshape(-1, *stack.shape[1:])
    return found


def fit_autocontext(
    images: Sequence[npt.ArrayLike],
    classes: Sequence[npt.ArrayLike],
    groups: Sequence[str],
    *,
    bank: Bank | None = None,
    count: int = 2000,
    balance: bool = True,
    seed: int = 0,
    **how: Any,
) -> AutoContext:
    """Train two forests, the second on the first one's out-of-fold maps.

    Parameters
    ----------
    images, classes : sequence of array_like
        See :func:`~bioimage_tasks.segmentation.pixel_samples.sample_pixels`.
    groups : sequence of str
        One an image: the map of an image comes from a forest that saw none of its group.
    bank : Bank, optional
    count : int
        Pixels an image.
    balance : bool
        Whether classes share the count evenly.
    seed : int
    **how
        Those of :func:`fit_pixels`.

    Returns
    -------
    AutoContext

    Raises
    ------
    ValueError
        Lengths differ, or there are fewer than two groups.
    """
    if not len(images) == len(classes) == len(groups):
        raise ValueError(
            "fit_autocontext: images, classes and groups must be as many; got "
            f"{len(images)}, {len(classes)} and {len(groups)}"
        )
    if len(set(groups)) < 2:
        raise ValueError(
            "fit_autocontext: out-of-fold maps need at least two groups; give every image a "
            f"group of its own if they are independent; got {sorted(set(groups))}"
        )
    bank = bank or Bank()
    drawn = [
        sample_pixels(image, target, bank=bank, count=count, balance=balance, seed=seed + number)
        for number, (image, target) in enumerate(zip(images, classes, strict=True))
    ]

    def forest(parts: list[Samples]) -> PixelForest:
        return fit_pixels(parts, bank=bank, seed=seed, **how)

    inner: list[Samples] = []
    for group in sorted(set(groups)):
        apart = forest([part for part, own in zip(drawn, groups, strict=True) if own != group])
        inner += [
            sample_pixels(
                images[k],
                classes[k],
                predict_pixels(apart, images[k])[1:],
                bank=bank,
                count=count,
                balance=balance,
                seed=seed + k,
            )
            for k, own in enumerate(groups)
            if own == group
        ]
    return AutoContext(forest(drawn), forest(inner))
