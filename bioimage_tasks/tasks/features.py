"""Tasks from images to features: tables, local descriptors, words and bags of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.features import FeatureTable, compute, stack
from bioimage_tasks.features.surf import Descriptors, describe
from bioimage_tasks.features.words import Bag, Codebook, bags_of_words, fit_codebook
from bioimage_tasks.tasks.door import task


@task()
def features(
    image: ImageRef | Array,
    labels: LabelsRef | Labels | None = None,
    sets: Sequence[str] | None = None,
    **params: Any,
) -> FeatureTable:
    """Compute sets of features: ``features(image, segment(image), ("shape", "haralick"))``.

    Parameters
    ----------
    image : ImageRef or numpy.ndarray
        A reference is read when the task runs; arrays may come from other tasks.
    labels : LabelsRef or numpy.ndarray, optional
        Objects; without them the image is one.
    sets : sequence of str, optional
        Some of :func:`bioimage_tasks.features.feature_sets`.
    **params
        See :func:`bioimage_tasks.features.compute`.
    """
    pixels = image.read() if isinstance(image, ImageRef) else image
    numbers = labels.read() if isinstance(labels, LabelsRef) else labels
    return compute(pixels, numbers, sets, **params)


@task()
def stacked(tables: Sequence[FeatureTable], keys: Sequence[str] | None = None) -> FeatureTable:
    """Put the tables of many images below each other: ``stacked(tables, names)``."""
    return stack(tables, keys)


@task()
def write_features(table: FeatureTable, path: str) -> str:
    """Write a table as CSV, units in brackets behind the names; return the path."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(table.csv_text(), encoding="utf-8")
    return path


@task()
def descriptors(image: ImageRef | Array, **params: Any) -> Descriptors:
    """Describe the surroundings of many points: ``descriptors(image, points="interest")``.

    See :func:`bioimage_tasks.features.surf.describe`.
    """
    return describe(image.read() if isinstance(image, ImageRef) else image, **params)


@task()
def codebook(bags: Sequence[Bag], **params: Any) -> Codebook:
    """Find visual words by k-means: ``codebook([descriptors(i) for i in training])``.

    Give it training images only: words are learned.
    """
    return fit_codebook(bags, **params)


@task()
def bag_of_words(
    bags: Sequence[Bag], words: Codebook, keys: Sequence[str] | None = None
) -> FeatureTable:
    """Return the share of every word in every image, one row an image."""
    return bags_of_words(bags, words, keys)
