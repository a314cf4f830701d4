"""Objects of a probability map: the best choice among its parts at many thresholds.

A map of object probability (and others), the image and a gold standard come in; what was
learned is a :class:`MapRule`, which with another image's maps gives labels.
One threshold joins what touches and loses what is faint, so every region that the map has
at any threshold is a candidate, and so are its parts at necks (:mod:`.candidates`). A
forest predicts each one's IoU with the truth from its shape and from what the maps and the
image show inside it and along its outline; the choice without overlaps is exact. Source:
Arteta et al. 2012, doi:10.1007/978-3-642-33415-3_43.

Must not know how the maps were made. Maps that a rule learns from must come from a
classifier that did not learn from their image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import (
    Labels,
    check_labels,
    check_range,
    sequential,
)
from bioimage_tasks.segmentation.candidates import Doubles, Regions, overlaps, regions_of
from bioimage_tasks.segmentation.candidates_choice import choose
from bioimage_tasks.segmentation.candidates_measures import measure
from bioimage_tasks.segmentation.candidates_outline import draw
from bioimage_tasks.segmentation.candidates_rule import fit
from bioimage_tasks.segmentation.map_measures import plane_measures
from bioimage_tasks.segmentation.map_objects import typical_diameter, views
from bioimage_tasks.segmentation.masks import Floats, smooth
from bioimage_tasks.segmentation.membranes import check_map
from bioimage_tasks.segmentation.objects import distance_map

#: Probabilities at which the map is cut.
LEVELS = tuple(round(0.1 + 0.05 * step, 2) for step in range(17))
#: Sigma of the Gaussian on the map, pixels.
SMOOTHING = 1.0
#: What counts as noise of a map, probability.
NOISE = 0.02
#: An object counts as found from this IoU on, so a candidate that promises less is not taken.
COST = 0.5

#: Of a forest.
TREES = 60


@dataclass(frozen=True)
class MapCandidates:
    """Candidates of one image's maps.

    Attributes
    ----------
    regions : Regions
        Levels are square roots of probabilities.
    measures : numpy.ndarray of float64, shape (regions, measures)
    """

    regions: Regions
    measures: Doubles


@dataclass(frozen=True)
class MapAnswers:
    """Candidates of one image's maps, and what they should have promised.

    Attributes
    ----------
    measures : numpy.ndarray of float64, shape (regions, measures)
    overlaps : numpy.ndarray of float64, shape (regions,)
        Greatest IoU with an object of the gold standard.
    """

    measures: Doubles
    overlaps: Doubles


@dataclass(frozen=True)
class MapRule:
    """What :func:`train` learned; pickles.

    Attributes
    ----------
    forest : sklearn.ensemble.ExtraTreesRegressor
        From measures to IoU, and to the share of IoU thresholds reached.
    """

    forest: Any


def find(
    maps: npt.ArrayLike, image: npt.ArrayLike, *, diameter: float | None = None
) -> MapCandidates:
    """Return the candidates of the first map: ``find(maps, image).measures``.

    Parameters
    ----------
    maps : array_like of float
        Shape (maps, height, width), 0..1; the first is the probability of object, all are
        looked at.
    image : array_like
        Grey, bright objects; or RGB on white: then its mean optical density is looked at.
    diameter : float, optional
        Of a usual object, pixels; taken from the first map when not given.

    Raises
    ------
    ValueError
        Not 2D, shapes differ, a map is not within 0..1, or a value is out of range.
    """
    planes = _planes(maps, image)
    light = smooth(planes[0], SMOOTHING)
    if diameter is not None:
        check_range("map_candidates", "diameter (pixels)", diameter, 1.0, 1e6)
    length = diameter if diameter is not None else typical_diameter(distance_map(light > 0.5))
    root = np.sqrt(np.maximum(light, 0))
    regions = regions_of(
        root,
        np.sqrt(LEVELS),
        neck_smoothing=max(0.3, 0.015 * length),
        min_area=min(20.0, max(4.0, 0.05 * length**2)),
        max_hole=0.3 * length**2,
    )
    shape = measure(regions, light, length, NOISE)
    seen = plane_measures(regions, root, planes, length)
    sizes = np.column_stack([regions.area, np.full(len(regions), max(length, 1.0))])
    return MapCandidates(regions, np.hstack([shape, seen, np.log2(sizes)]))


def _planes(maps: npt.ArrayLike, image: npt.ArrayLike) -> list[Floats]:
    """Return the maps and the image, its background 0 and its brightest 1."""
    stack = np.asarray(maps)
    if stack.ndim != 3 or not len(stack):
        raise ValueError(
            "map_candidates: maps must have shape (maps, height, width), at least one; got "
            f"{stack.shape}"
        )
    checked = [check_map("map_candidates", one) for one in stack]
    pixels = views(checked, image)[-1]
    if pixels.shape != stack.shape[1:]:
        raise ValueError(
            "map_candidates: the image must have the shape of the maps, and channels last if it "
            f"has some; got {np.asarray(image).shape} and {stack.shape[1:]}"
        )
    low, high = np.percentile(pixels, (5, 99.5))
    scaled: Floats = ((pixels - low) / max(float(high - low), 1e-9)).astype(np.float32)
    return [*checked, scaled]


def answered(
    maps: npt.ArrayLike,
    image: npt.ArrayLike,
    gold: npt.ArrayLike,
    *,
    diameter: float | None = None,
) -> MapAnswers:
    """Return the candidates of an image's maps with their true IoU, to learn from.

    Parameters
    ----------
    maps, image, diameter
        See :func:`find`.
    gold : array_like of int
        Shape (height, width).

    Raises
    ------
    ValueError
        Shapes differ, or as for :func:`find`.
    """
    truth = sequential(check_labels("map_candidates", "gold", gold))
    found = find(maps, image, diameter=diameter)
    if truth.shape != found.regions.shape:
        raise ValueError(
            "map_candidates: gold must have the shape of the maps; got "
            f"{truth.shape} and {found.regions.shape}"
        )
    return MapAnswers(found.measures, overlaps(found.regions, truth)[0])


def train(examples: Sequence[MapAnswers], *, trees: int = TREES, seed: int = 0) -> MapRule:
    """Learn to predict the IoU of candidates: ``rule = train([answered(m, i, g), ...])``.

    Parameters
    ----------
    examples : sequence of Answered
        From :func:`answered`, all with as many maps.
    trees : int
        Of the forest.
    seed : int
        Of the forest.

    Returns
    -------
    MapRule

    Raises
    ------
    ValueError
        No example, other numbers of maps, or no candidate in any of them.
    """
    widths = {one.measures.shape[1] for one in examples}
    if len(widths) != 1:
        raise ValueError(
            "map_candidates: needs examples, all with as many maps; got numbers of measures "
            f"{sorted(widths)}"
        )
    measures = np.concatenate([one.measures for one in examples])
    overlaps = np.concatenate([one.overlaps for one in examples])
    return MapRule(fit(measures, overlaps, trees=trees, seed=seed))


def apply(
    maps: npt.ArrayLike,
    image: npt.ArrayLike,
    rule: MapRule,
    *,
    cost: float = COST,
    diameter: float | None = None,
) -> Labels:
    """Choose the candidates that promise most: ``labels = apply(maps, image, rule)``.

    Parameters
    ----------
    maps, image, diameter
        See :func:`find`.
    rule : MapRule
    cost : float
        The sum of (predicted IoU - cost) is made greatest; in [0, 1]. Greater means fewer
        and surer objects.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N.

    Raises
    ------
    ValueError
        As for :func:`find`, the rule looks at another number of maps, or a bad cost.
    """
    check_range("map_candidates", "cost", cost, 0, 1)
    found = find(maps, image, diameter=diameter)
    shape = found.regions.shape
    if rule.forest.n_features_in_ != found.measures.shape[1]:
        raise ValueError(
            "map_candidates: maps must be as many as those that the rule learned from, which "
            f"makes {rule.forest.n_features_in_} measures; got {found.measures.shape[1]}"
        )
    if not len(found.regions):
        return np.zeros(shape, dtype=np.int32)
    worth = rule.forest.predict(found.measures)[:, 0]
    return draw(found.regions, choose(found.regions, worth - cost), worth, 1, shape)
