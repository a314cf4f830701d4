"""Nuclei as the best choice among candidates whose IoU forests predict.

Images and gold standards come in, a :class:`CandidateRule` goes out, a plain value that
later tasks take as an argument; with an image it gives labels. Candidates are regions at
many thresholds and their parts at necks (:mod:`.candidates`); forests predict each one's
IoU with the truth (:mod:`.candidates_rule`); the choice without overlaps is exact, outlines
are a vote of regions alike (:mod:`.candidates_outline`). Haze is taken away, all lengths
follow the image's own object size, and candidates are compared with its usual objects
(:mod:`.candidates_usual`), so that a rule can be used on another laboratory's images.
Source: Arteta et al. 2012, doi:10.1007/978-3-642-33415-3_43.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import (
    Labels,
    check_image,
    check_labels,
    check_range,
    check_same_shape,
    check_varied,
    sequential,
)
from bioimage_tasks.segmentation import bright, haze, masks, registry
from bioimage_tasks.segmentation import candidates_usual as usual
from bioimage_tasks.segmentation.candidates import Doubles, Regions, overlaps, regions_of
from bioimage_tasks.segmentation.candidates_choice import choose
from bioimage_tasks.segmentation.candidates_measures import measure
from bioimage_tasks.segmentation.candidates_outline import draw
from bioimage_tasks.segmentation.candidates_rule import Answered, CandidateRule, learn
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.scale import diameter_or_estimate

#: Thresholds, evenly spaced in the square root of the intensity, which evens out shot noise.
THRESHOLDS = 40
#: The image is reduced by a whole factor as long as objects keep this many pixels across.
LEAST_ACROSS = 30
#: And the image this many a side: the diameter may be a wrong guess.
LEAST_SIDE = 256


@dataclass(frozen=True)
class Candidates:
    """Candidates of one image and what is measured of them."""

    regions: Regions
    measures: Doubles
    factor: int  #: how many pixels of the image make one of the regions'
    shape: tuple[int, ...]  #: of the image

    def overlaps(self, labels: Labels) -> Doubles:
        """Return each region's greatest IoU with one of the image's objects, labelled 1..N."""
        if self.factor > 1:
            labels = masks.reduced_labels(labels, self.factor)
        return overlaps(self.regions, labels)[0]


def find(image: npt.ArrayLike, *, diameter: float | None = None) -> Candidates:
    """Return the candidates of an image: ``find(image).measures``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), bright objects on a darker background.
    diameter : float, optional
        Usual diameter of an object in pixels; estimated when not given.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    from scipy.ndimage import gaussian_filter

    array = check_varied("candidates", check_image("candidates", np.asarray(image)))
    pixels = masks.prepare(array)
    clear = haze.even(bright.dimmed(pixels))
    length = diameter_or_estimate("candidates", diameter, clear)
    factor = max(1, min(int(length / LEAST_ACROSS), min(pixels.shape) // LEAST_SIDE))
    small, length = _reduced(clear, factor), length / factor
    light: Floats = gaussian_filter(small, max(0.5, 0.02 * length))
    root = np.sqrt(light)
    low, high = float(np.percentile(root, 20)), float(root.max())
    regions = regions_of(
        root,
        np.linspace(low, high, THRESHOLDS + 2)[1:-1],
        neck_smoothing=max(0.3, 0.015 * length),
        min_area=min(12.0, max(4.0, 0.03 * length**2)),
        max_hole=0.3 * length**2,
    )
    measures = measure(regions, light, length, _noise(small, light))
    rows = usual.usual_rows(regions, usual.guess(light, length))
    measures = np.hstack([measures, usual.differences(measures, rows)])
    return Candidates(regions, measures, factor, pixels.shape)


def answered(
    image: npt.ArrayLike, gold: npt.ArrayLike, *, diameter: float | None = None
) -> Answered:
    """Return the candidates of an image with their true IoU, to learn from.

    Parameters
    ----------
    image, gold : array_like
        Shape (height, width).
    diameter : float, optional
        Pixels; estimated when not given.

    Raises
    ------
    ValueError
        Shapes differ, or as for :func:`find`.
    """
    truth = sequential(check_labels("train", "gold", gold))
    check_same_shape("train", truth, np.asarray(image))
    found = find(image, diameter=diameter)
    regions = found.regions
    overlaps = found.overlaps(truth)
    name = digest(image)
    return Answered(regions.parent, regions.cut, found.measures, overlaps, int(truth.max()), name)


def digest(image: npt.ArrayLike) -> str:
    """Return what tells an image by its pixels."""
    pixels = np.ascontiguousarray(image)
    head = f"{pixels.dtype.str} {pixels.shape} ".encode()
    return hashlib.sha256(head + pixels.tobytes()).hexdigest()


def train(
    examples: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]],
    groups: Sequence[str] = (),
    *,
    trees: int = 40,
    seed: int = 0,
    elsewhere: bool = False,
    diameter: float | None = None,
) -> CandidateRule:
    """Learn to predict the IoU of candidates: ``rule = train([(image, gold), ...])``.

    Parameters
    ----------
    examples : sequence of (image, gold)
        Shape (height, width) each.
    groups : sequence of str
        One an example: see :func:`.candidates_rule.learn`.
    trees : int
        Of each forest.
    seed : int
        Of the forests and of the candidates taken.
    elsewhere : bool
        For images of laboratories that are none of the groups.
    diameter : float, optional
        Pixels; estimated for each image when not given.

    Returns
    -------
    CandidateRule

    Raises
    ------
    ValueError
        No example, shapes differ, or no candidate in any of them.
    """
    known = [answered(image, gold, diameter=diameter) for image, gold in examples]
    return learn(known, groups, trees=trees, seed=seed, elsewhere=elsewhere)


def apply(
    image: npt.ArrayLike,
    rule: CandidateRule,
    *,
    cost: float | None = None,
    diameter: float | None = None,
    unseen: bool = False,
) -> Labels:
    """Choose the candidates with the greatest predicted IoU: ``labels = apply(image, rule)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width).
    rule : CandidateRule
    cost : float, optional
        What an object must be worth: the sum of (predicted IoU - cost) is made greatest.
        In (0, 1); greater means fewer and surer objects. The rule's own when not given.
    diameter : float, optional
        Pixels; estimated when not given.
    unseen : bool
        Whether to refuse an image that the rule learned from: for cross-validation.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N.

    Raises
    ------
    ValueError
        As for :func:`find`, or the rule knows an image that must be unseen.
    """
    least = rule.cost if cost is None else check_range("apply", "cost", cost, 0.0, 1.0)
    if unseen and digest(image) in rule.known:
        raise ValueError(
            "apply: with unseen=True a rule must not have learned from the image; leave the "
            f"image out where the rule is learned; got one of the {len(rule.known)} it knows"
        )
    found = find(image, diameter=diameter)
    if not len(found.regions):
        return np.zeros(found.shape, dtype=np.int32)
    worth = rule.worth(found.regions, found.measures)
    if rule.voice > 0:
        plain = found.overlaps(registry.segment(image, diameter=diameter))
        worth = (1 - rule.voice) * worth + rule.voice * plain
    chosen = choose(found.regions, worth - least)
    return draw(found.regions, chosen, worth, found.factor, found.shape)


def _reduced(pixels: Floats, factor: int) -> Floats:
    if factor == 1:
        return pixels
    height, width = (size // factor for size in pixels.shape)
    cut = pixels[: height * factor, : width * factor]
    tiles: Floats = cut.reshape(height, factor, width, factor).mean((1, 3), dtype=np.float32)
    return tiles


def _noise(pixels: Floats, light: Floats) -> float:
    """Return the noise's standard deviation, at least a thousandth of the brightest pixel."""
    from scipy.ndimage import gaussian_filter

    fine = pixels - gaussian_filter(pixels, 1)
    return max(1.48 * float(np.median(np.abs(fine))), 1e-3 * float(light.max()))
