"""Tasks from an image to labels, to scores, to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioimage_tasks import metrics, segmentation
from bioimage_tasks.checks import Array, Labels, check_choice, check_labels, check_range
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import check_as_many, read

#: A method's name and its parameters.
Setting = tuple[str, dict[str, Any]]


@task()
def load(image: ImageRef) -> Array:
    """Read the pixels of a reference: shape (height, width), native dtype."""
    pixels: Array = read("load", image)
    return pixels


@task(version=4)
def segment(
    image: ImageRef | Array, method: str = segmentation.DEFAULT_METHOD, **params: Any
) -> Labels:
    """Segment an image by a method's name: ``segment(image, "watershed", depth=0.1)``.

    Parameters
    ----------
    image : ImageRef or numpy.ndarray
        A reference is read when the task runs; arrays may come from other tasks.
    method : str
        One of :func:`bioimage_tasks.segmentation.methods`.
    **params
        Its parameters.

    Returns
    -------
    numpy.ndarray of int32
        Labels.
    """
    return segmentation.segment(read("segment", image), method, **params)


@task()
def score(labels: Labels, gold: LabelsRef | Labels, min_area: int = 0) -> metrics.Scores:
    """Score labels against a gold standard, a reference or labels.

    Labels of fewer than ``min_area`` pixels are dropped first, those of the gold standard
    are not: the rule of Coelho 2009 with 2,500.
    """
    if check_range("score", "min_area (pixels)", min_area, 0, float("inf")) > 0:
        labels = check_labels("score", "labels", labels)
        labels = np.where(np.bincount(labels.ravel())[labels] >= min_area, labels, 0)
    return metrics.score(labels, read("score", gold))


@task()
def best(
    settings: Sequence[Setting], scores: Sequence[Sequence[metrics.Scores]], by: str = "mean_ap"
) -> Setting:
    """Pick the setting with the greatest mean: ``scores[i]`` are those of ``settings[i]``."""
    check_as_many("best", settings=settings, scores=scores)
    check_choice("best", "by", by, tuple(metrics.Scores.__dataclass_fields__))
    means = [getattr(metrics.mean_scores(row), by) for row in scores]
    return settings[means.index(max(means))]


@task()
def overlay(
    image: ImageRef, gold: LabelsRef | None, setting: Setting, path: str, zoom: int = 1
) -> str:
    """Draw image, gold outline and the outline of a setting; return the path of the PNG.

    The labels are made again here: cheaper than to load those of every setting in order
    to show one.
    """
    from bioimage_tasks.io import write_image
    from bioimage_tasks.plots import overlay as draw

    method, params = setting
    pixels, truth = read("overlay", image), read("overlay", gold)
    labels = segmentation.segment(pixels, method, **params)
    write_image(path, draw(pixels, labels, truth, zoom))
    return path
