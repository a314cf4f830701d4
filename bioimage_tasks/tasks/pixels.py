"""Tasks of pixel classifiers: samples of an image, forests of samples, maps of forests.

Every step is a task, so that a fold shares what it can: samples of an image are drawn once,
and the forest that knows neither block i nor block j serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bioimage_tasks.checks import Array, Labels, check_choice
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.metrics import Scores
from bioimage_tasks.metrics.membranes import MembraneScores
from bioimage_tasks.segmentation.map_candidates import MapAnswers, MapRule
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.merging import MergeRule
from bioimage_tasks.segmentation.pixel_forest import AutoContext, PixelForest, PixelModel
from bioimage_tasks.segmentation.pixel_samples import Samples
from bioimage_tasks.segmentation.stain import Picture, Stains
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import check_as_many, check_some, read


@task()
def pixel_samples(
    image: ImageRef | Array,
    classes: LabelsRef | Labels,
    maps: Array | None = None,
    rule: str = "",
    **params: Any,
) -> Samples:
    """Draw labelled pixels: ``pixel_samples(image, image.gold, rule="inside")``.

    Parameters
    ----------
    image : ImageRef or numpy.ndarray
    classes : LabelsRef or numpy.ndarray
        Classes 1..K with 0 for unlabelled (strokes); or, with a rule, labels of objects.
    maps : numpy.ndarray, optional
        From :func:`pixel_map` of a forest that did not learn from this image.
    rule : str
        "", or one of :data:`bioimage_tasks.segmentation.pixel_samples.CLASS_RULES`.
    **params
        See :func:`bioimage_tasks.segmentation.pixel_samples.sample_pixels`.
    """
    from bioimage_tasks.segmentation.pixel_samples import classes_of, sample_pixels

    numbers = read("pixel_samples", classes)
    chosen = classes_of(numbers, rule) if rule else numbers
    return sample_pixels(read("pixel_samples", image), chosen, maps, **params)


@task()
def pixel_forest(samples: Sequence[Samples], **params: Any) -> PixelForest:
    """Train a forest: see :func:`bioimage_tasks.segmentation.pixel_forest.fit_pixels`."""
    from bioimage_tasks.segmentation.pixel_forest import fit_pixels

    return fit_pixels(samples, **params)


@task()
def pixel_autocontext(
    images: Sequence[ImageRef | Array],
    classes: Sequence[LabelsRef | Labels],
    groups: Sequence[str],
    rule: str = "",
    **params: Any,
) -> AutoContext:
    """Train two forests in one task, the second on out-of-fold maps of the first.

    See :func:`bioimage_tasks.segmentation.pixel_forest.fit_autocontext`; ``rule`` as for
    :func:`pixel_samples`.
    """
    from bioimage_tasks.segmentation.pixel_forest import fit_autocontext
    from bioimage_tasks.segmentation.pixel_samples import classes_of

    numbers = [read("pixel_autocontext", one) for one in classes]
    chosen = [classes_of(one, rule) if rule else one for one in numbers]
    return fit_autocontext(
        [read("pixel_autocontext", image) for image in images], chosen, groups, **params
    )


@task()
def pixel_map(
    model: PixelModel, image: ImageRef | Array, maps: Array | None = None, **params: Any
) -> Floats:
    """Return the probabilities of all classes but the first: shape (classes - 1, *image).

    See :func:`bioimage_tasks.segmentation.pixel_forest.predict_pixels`.
    """
    from bioimage_tasks.segmentation.pixel_forest import predict_pixels

    return predict_pixels(model, read("pixel_map", image), maps, **params)[1:]


@task()
def stains(image: ImageRef | Array, **params: Any) -> Stains:
    """Find the colours of a slide's two stains: see :func:`..segmentation.stain.fit_stains`."""
    from bioimage_tasks.segmentation.stain import fit_stains

    return fit_stains(read("stains", image), **params)


@task()
def stain_normalised(image: ImageRef | Array, found: Stains) -> Picture:
    """Return the image in the usual colours: ``stain_normalised(tile, stains(slide))``."""
    from bioimage_tasks.segmentation.stain import normalise_stains

    return normalise_stains(read("stain_normalised", image), found)


@task()
def colour_groups(images: Sequence[ImageRef | Array], count: int = 4) -> tuple[str, ...]:
    """Group H&E images by colour, a stand-in for slides that are not known.

    See :func:`bioimage_tasks.segmentation.stain.colour_groups`.
    """
    from bioimage_tasks.segmentation import stain

    return stain.colour_groups([read("colour_groups", image) for image in images], count)


@task()
def map_pieces(maps: Array, **params: Any) -> Labels:
    """Break a map of object probability into pieces of objects.

    See :func:`bioimage_tasks.segmentation.map_objects.pieces_of_map`.
    """
    from bioimage_tasks.segmentation.map_objects import pieces_of_map

    return pieces_of_map(maps[0], **params)


@task()
def map_rule(
    pieces: Sequence[Labels],
    maps: Sequence[Array],
    images: Sequence[ImageRef | Array],
    gold: Sequence[LabelsRef | Labels],
    **params: Any,
) -> MergeRule:
    """Learn which pieces of out-of-fold maps belong together and which are real.

    See :func:`bioimage_tasks.segmentation.merging.train`.
    """
    from bioimage_tasks.segmentation.map_objects import views
    from bioimage_tasks.segmentation.merging import train

    check_as_many("map_rule", pieces=pieces, maps=maps, images=images, gold=gold)
    examples = [
        (one, views(chances, read("map_rule", image)), read("map_rule", truth))
        for one, chances, image, truth in zip(pieces, maps, images, gold, strict=True)
    ]
    return train(examples, **params)


@task()
def map_labels(
    pieces: Labels, maps: Array, image: ImageRef | Array, rule: MergeRule, **params: Any
) -> Labels:
    """Join pieces and drop junk as learned: see :func:`..segmentation.merging.apply`."""
    from bioimage_tasks.segmentation.map_objects import views
    from bioimage_tasks.segmentation.merging import apply

    return apply(pieces, views(maps, read("map_labels", image)), rule, **params)


@task()
def map_rows(
    maps: Array,
    image: ImageRef | Array,
    gold: LabelsRef | Labels,
    diameter: float | None = None,
) -> MapAnswers:
    """Return candidates for objects of an out-of-fold map, with their IoU, to learn from.

    See :func:`bioimage_tasks.segmentation.map_candidates.answered`.
    """
    from bioimage_tasks.segmentation.map_candidates import answered

    pixels, truth = read("map_rows", image), read("map_rows", gold)
    return answered(maps, pixels, truth, diameter=diameter)


@task()
def map_choice(rows: Sequence[MapAnswers], **params: Any) -> MapRule:
    """Learn from :func:`map_rows` of several images what a candidate is worth.

    See :func:`bioimage_tasks.segmentation.map_candidates.train`.
    """
    from bioimage_tasks.segmentation.map_candidates import train

    return train(rows, **params)


@task()
def map_chosen(
    maps: Array,
    image: ImageRef | Array,
    rule: MapRule,
    cost: float = 0.5,
    diameter: float | None = None,
) -> Labels:
    """Choose a map's objects at all its thresholds at once, those that promise most.

    See :func:`bioimage_tasks.segmentation.map_candidates.apply`.
    """
    from bioimage_tasks.segmentation.map_candidates import apply

    return apply(maps, read("map_chosen", image), rule, cost=cost, diameter=diameter)


@task()
def membrane_cells(maps: Array, **params: Any) -> Labels:
    """Fill the space between membranes with cells.

    See :func:`bioimage_tasks.segmentation.membranes.cells_between`.
    """
    from bioimage_tasks.segmentation.membranes import cells_between

    return cells_between(maps[0], **params)


@task()
def membrane_level(maps: Sequence[Array], gold: Sequence[LabelsRef | Labels]) -> float:
    """Return the probability above which membranes have the best mean Dice.

    Give it out-of-fold maps of training images only.
    """
    from bioimage_tasks.metrics.membranes import dice

    check_as_many("membrane_level", maps=maps, gold=gold)
    truths = [read("membrane_level", truth) > 0 for truth in gold]
    levels = [step / 20 for step in range(4, 19)]

    def mean(level: float) -> float:
        pairs = zip(maps, truths, strict=True)
        return sum(dice(chances[0] > level, truth) for chances, truth in pairs)

    return max(levels, key=mean)


@task()
def membrane_seed_scores(maps: Array, gold: LabelsRef | Labels) -> dict[float, float]:
    """Return the adapted Rand F of cells grown from seeds at several levels.

    Give it out-of-fold maps of training images, and the scores of all of them to
    :func:`membrane_seed_level`.
    """
    from scipy.ndimage import label

    from bioimage_tasks.metrics.membranes import adapted_rand
    from bioimage_tasks.segmentation.membranes import cells_between

    truth = label(read("membrane_seed_scores", gold) == 0)[0]
    levels = (0.05, 0.1, 0.15, 0.2, 0.3)
    return {one: adapted_rand(cells_between(maps[0], level=one), truth)[0] for one in levels}


@task()
def membrane_seed_level(scores: Sequence[dict[float, float]]) -> float:
    """Return the level whose cells have the best mean of the scores of several images."""
    check_some("membrane_seed_level", "scores", scores)
    return max(scores[0], key=lambda level: sum(one[level] for one in scores))


@task()
def membrane_score(
    maps: Array, level: float, cells: Labels, gold: LabelsRef | Labels
) -> MembraneScores:
    """Score a map of membranes and the cells made of it: gold is 1 on membrane."""
    from bioimage_tasks.metrics.membranes import membrane_scores

    return membrane_scores(maps[0] > level, cells, read("membrane_score", gold) > 0)


@task()
def mean_row(
    name: str,
    scores: Sequence[Scores | MembraneScores],
    shown: Sequence[str],
    groups: Sequence[str] = (),
) -> dict[str, str | float]:
    """Return one row of a table: means over images, and the range of the groups' means.

    Parameters
    ----------
    name : str
    scores : sequence of Scores or MembraneScores
        One an image.
    shown : sequence of str
        Names of the scores to keep.
    groups : sequence of str
        One an image; with some, the first score's least and greatest mean of a group.
    """
    check_some("mean_row", "scores", scores)
    if groups:
        check_as_many("mean_row", scores=scores, groups=groups)
    values = [one.as_dict() for one in scores]
    for key in shown:
        check_choice("mean_row", "shown", key, tuple(values[0]))
    row: dict[str, str | float] = {"way": name, "images": len(values)}
    row |= {key: sum(one[key] for one in values) / len(values) for key in shown}
    if groups:
        sets: dict[str, list[float]] = {}
        for group, one in zip(groups, values, strict=True):
            sets.setdefault(group, []).append(one[shown[0]])
        means = [sum(part) / len(part) for part in sets.values()]
        row |= {f"least {shown[0]}": min(means), f"greatest {shown[0]}": max(means)}
    return row


@task(version=2)
def draw_overlays(
    images: Sequence[ImageRef | Array],
    labels: Sequence[Labels],
    gold: Sequence[LabelsRef | Labels],
    names: Sequence[str | int],
    path: str,
    invert: bool = False,
) -> str:
    """Draw images with the outlines of labels (blue) and gold (amber) on one sheet.

    ``invert`` takes the gold standard's background for its objects, connected by edges:
    cells between membranes.
    """
    from pathlib import Path

    import numpy as np
    from scipy.ndimage import label

    from bioimage_tasks.io import write_image
    from bioimage_tasks.plots import contact_sheet, overlay

    check_as_many("draw_overlays", images=images, labels=labels, gold=gold, names=names)
    pictures = []
    for image, found, truth in zip(images, labels, gold, strict=True):
        pixels, numbers = np.asarray(read("draw_overlays", image)), read("draw_overlays", truth)
        grey = pixels if pixels.ndim == found.ndim else pixels.mean(-1)
        outlined = label(numbers == 0)[0] if invert else numbers
        pictures.append(overlay(grey, found, outlined, zoom=2))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    # So wide that outlines of one pixel are seen: 600 pixels a picture.
    sheet = contact_sheet(pictures, [f"{name}" for name in names], columns=3, inches=5.0)
    write_image(path, sheet)
    return path
