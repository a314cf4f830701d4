"""Tasks from images to features: tables, local descriptors, words and bags of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.features import FeatureTable, compute, stack
from bioimage_tasks.features.surf import Descriptors, describe
from bioimage_tasks.features.table import Values
from bioimage_tasks.features.words import Bag, Codebook, bags_of_words, fit_codebook
from bioimage_tasks.learning import OutOfFold
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import read


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
        See :func:`bioimage_tasks.features.compute`. ``pixel_size="file"`` is what the file of
        the reference tells: lengths are then in micrometres.
    """
    told = _told("features", image, params)
    return compute(read("features", image), read("features", labels), sets, **told)


def _told(function: str, image: ImageRef | Array, params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters with the size of a pixel that the file tells."""
    if params.get("pixel_size") != "file":
        return params
    if not isinstance(image, ImageRef):
        raise ValueError(
            f"{function}: pixel_size='file' needs an ImageRef; give micrometres a pixel; got "
            f"{type(image).__name__}"
        )
    return params | {"pixel_size": image.pixel_size()}


@task()
def stacked(tables: Sequence[FeatureTable], keys: Sequence[str] | None = None) -> FeatureTable:
    """Put the tables of many images below each other: ``stacked(tables, names)``."""
    return stack(tables, keys)


@task()
def write_features(table: FeatureTable, path: str) -> str:
    """Write a table as CSV, units in brackets behind the names; return the path."""
    if not isinstance(table, FeatureTable):
        raise ValueError(
            f"write_features: the table must be a FeatureTable; got {type(table).__name__}"
        )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(table.csv_text(), encoding="utf-8")
    return path


@task()
def feature_row(image: ImageRef | Array, sets: Sequence[str], **params: Any) -> Values:
    """Compute sets of features of an image as a whole, as one row to learn from: shape (f,)."""
    told = _told("feature_row", image, params)
    row: Values = compute(read("feature_row", image), None, sets, **told).values[0]
    return row


@task()
def descriptors(image: ImageRef | Array, **params: Any) -> Descriptors:
    """Describe the surroundings of many points: ``descriptors(image, points="interest")``.

    See :func:`bioimage_tasks.features.surf.describe`.
    """
    return describe(read("descriptors", image), **params)


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


@task()
def draw_leak(
    by_image: dict[str, Sequence[OutOfFold]],
    by_group: dict[str, Sequence[OutOfFold]],
    path: str,
    **how: Any,
) -> str:
    """Draw accuracy when images and when whole groups are left out; return the path.

    See :func:`bioimage_tasks.plots.leaks.leak_lines`; each way has a result a seed.
    """
    from bioimage_tasks.io import write_image
    from bioimage_tasks.plots.leaks import leak_lines

    if not by_group or list(by_image) != list(by_group) or not all(by_group.values()):
        raise ValueError(
            f"draw_leak: both must have the same ways, one at least, each with a result a seed; "
            f"got {list(by_image)} and {list(by_group)}"
        )
    first = next(iter(by_group.values()))[0]
    counts = list(Counter(first.truth.tolist()).values())
    ways = [{way: [_accuracy(one) for one in own] for way, own in found.items()}
            for found in (by_image, by_group)]  # fmt: skip
    groups = {way: [one.by_group() for one in own] for way, own in by_group.items()}
    each = {
        way: {name: sum(_accuracy(one[name]) for one in own) / len(own) for name in own[0]}
        for way, own in groups.items()
    }
    chance = max(counts) / sum(counts)
    write_image(path, leak_lines(ways[0], ways[1], each, chance=chance, **how))
    return path


def _accuracy(found: OutOfFold) -> float:
    return float((found.truth == found.predicted).mean())
