"""A bag of visual words: descriptors of many images become a few kinds, and an image counts.

Bags of descriptors come in, a codebook goes out; with it a bag becomes one row of shares.
A codebook is *learned*, so it belongs inside the fold: :class:`BagOfWords` is a
scikit-learn transformer that fits in front of any estimator. Must not know labels.

Csurka et al. 2004; for protein location Coelho et al. 2013,
doi:10.1093/bioinformatics/btt392.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_range
from bioimage_tasks.features.surf import Descriptors, Floats
from bioimage_tasks.features.table import FeatureTable, Values

#: Local descriptors of an image: with scales, or an array (m, features).
Bag = Descriptors | Array


@dataclass(frozen=True, eq=False)
class Codebook:
    """Words by octave of scale: ``bag_of_words(descriptors, codebook)`` counts them.

    Attributes
    ----------
    octaves : tuple of int
        Rounded log2 of the scales that have words of their own; (0,) for plain arrays.
    centres : tuple of numpy.ndarray of float32
        One an octave, shape (words, features).
    """

    octaves: tuple[int, ...]
    centres: tuple[Floats, ...] = field(repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns of a bag of these words are called."""
        return tuple(
            f"word_{2.0**octave:g}_{word}"
            for octave, centres in zip(self.octaves, self.centres, strict=True)
            for word in range(len(centres))
        )


def fit_codebook(
    bags: Sequence[Bag], *, words: int = 64, per_image: int = 300, seed: int = 0
) -> Codebook:
    """Find words by k-means: ``fit_codebook([describe(image) for image in images])``.

    Parameters
    ----------
    bags : sequence of Descriptors or numpy.ndarray
        One an image.
    words : int
        Of each octave of scale; fewer where there are fewer descriptors.
    per_image : int
        Descriptors drawn from each image and octave, so that images count alike.
    seed : int
        Of the draw and of k-means.

    Returns
    -------
    Codebook

    Raises
    ------
    ValueError
        No descriptors at all, their lengths differ, or a value is out of range.
    """
    check_range("fit_codebook", "words", words, 1, 1e6)
    check_range("fit_codebook", "per_image", per_image, 1, 1e7)
    rng = np.random.default_rng(seed)
    drawn: dict[int, list[Floats]] = {}
    for bag in bags:
        values, octaves = _parts(bag)
        for octave in np.unique(octaves):
            chosen = np.flatnonzero(octaves == octave)
            if len(chosen) > per_image:
                chosen = np.sort(rng.choice(chosen, per_image, replace=False))
            drawn.setdefault(int(octave), []).append(values[chosen])
    widths = {part.shape[1] for parts in drawn.values() for part in parts}
    if len(widths) != 1:
        raise ValueError(
            f"fit_codebook: needs descriptors, all of one length; got {len(bags)} bags with "
            f"lengths {sorted(widths)}"
        )
    found = sorted(drawn)
    centres = tuple(_centres(np.concatenate(drawn[octave]), words, seed) for octave in found)
    return Codebook(tuple(found), centres)


def bag_of_words(bag: Bag, codebook: Codebook) -> Values:
    """Return the share of every word among the descriptors of an image.

    Parameters
    ----------
    bag : Descriptors or numpy.ndarray
    codebook : Codebook
        Descriptors of an octave that it lacks go to the nearest one.

    Returns
    -------
    numpy.ndarray of float64
        Shape (words,), 1 in sum within every octave that has descriptors, else 0.

    Raises
    ------
    ValueError
        Descriptors are of another length than the words.
    """
    values, octaves = _parts(bag)
    width = codebook.centres[0].shape[1]
    if len(values) and values.shape[1] != width:
        raise ValueError(
            f"bag_of_words: descriptors must have the words' length {width}; got {values.shape[1]}"
        )
    known = np.array(codebook.octaves)
    nearest = np.abs(octaves[:, None] - known[None, :]).argmin(1)
    parts = []
    for place, centres in enumerate(codebook.centres):
        own = _nearest(values[nearest == place], centres)
        counts = np.bincount(own, minlength=len(centres)).astype(np.float64)
        parts.append(counts / max(counts.sum(), 1))
    return np.concatenate(parts)


def bags_of_words(
    bags: Sequence[Bag], codebook: Codebook, index: Sequence[Any] | None = None
) -> FeatureTable:
    """Return one row of word shares an image (or object), as a table."""
    rows = [bag_of_words(bag, codebook) for bag in bags]
    names = codebook.names
    values = np.stack(rows) if rows else np.zeros((0, len(names)))
    keys = tuple(range(1, len(bags) + 1) if index is None else index)
    return FeatureTable(names, ("1",) * len(names), values, keys)


class BagOfWords:
    """The codebook as a scikit-learn transformer: fits on bags, gives rows of shares.

    ``make_pipeline(BagOfWords(words=64), StandardScaler(), LinearSVC())`` then refits the
    words in every fold. Rows are square roots of the shares by default: distances between
    them are Hellinger's, where a frequent word does not drown the rare ones.

    Parameters
    ----------
    words, per_image, seed : int
        See :func:`fit_codebook`.
    root : bool
        Whether the shares' square roots are given.
    """

    def __init__(
        self, words: int = 64, per_image: int = 300, seed: int = 0, root: bool = True
    ) -> None:
        self.words = words
        self.per_image = per_image
        self.seed = seed
        self.root = root

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, as scikit-learn asks for them."""
        return {name: getattr(self, name) for name in ("words", "per_image", "seed", "root")}

    def set_params(self, **params: Any) -> BagOfWords:
        """Set parameters, as scikit-learn does.

        Raises
        ------
        ValueError
            There is no such parameter.
        """
        unknown = sorted(set(params) - set(self.get_params()))
        if unknown:
            raise ValueError(
                f"BagOfWords.set_params: takes {', '.join(self.get_params())}; got {unknown}"
            )
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def fit(self, bags: Sequence[Bag], y: Any = None) -> BagOfWords:
        """Fit the codebook; ``y`` is not looked at."""
        self.codebook_ = fit_codebook(
            bags, words=self.words, per_image=self.per_image, seed=self.seed
        )
        return self

    def transform(self, bags: Sequence[Bag]) -> Values:
        """Return one row of word shares (or their roots) a bag."""
        shares = bags_of_words(bags, self.codebook_).values
        return np.sqrt(shares) if self.root else shares

    def fit_transform(self, bags: Sequence[Bag], y: Any = None) -> Values:
        """Fit, then transform."""
        return self.fit(bags, y).transform(bags)


def _parts(bag: Bag) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return values and octave of every descriptor."""
    if isinstance(bag, Descriptors):
        octaves = np.rint(np.log2(np.maximum(bag.scales, 1e-3))).astype(np.int64)
        return bag.values, octaves
    values = np.asarray(bag, dtype=np.float32)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(
            f"fit_codebook: a bag must be (descriptors, features), all finite; "
            f"got shape {values.shape}"
        )
    return values, np.zeros(len(values), dtype=np.int64)


def _centres(values: Floats, words: int, seed: int) -> Floats:
    from sklearn.cluster import MiniBatchKMeans

    different = np.unique(values, axis=0)
    if len(different) <= words:
        return different
    means = MiniBatchKMeans(words, n_init=3, batch_size=4096, random_state=seed)
    centres: Floats = means.fit(values).cluster_centers_.astype(np.float32)
    return centres


def _nearest(values: Floats, centres: Floats) -> npt.NDArray[np.int64]:
    """Return the nearest centre of every row."""
    far = (centres**2).sum(1)[None, :] - 2 * values @ centres.T
    nearest: npt.NDArray[np.int64] = far.argmin(1)
    return nearest
