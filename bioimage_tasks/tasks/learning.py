"""Tasks from images to parts, folds, combined predictions, tables of scores and figures.

Every fold is a task that takes features by reference: what one fold needs is loaded when it
runs, and a changed feature recomputes the folds that saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bioimage_tasks import learning
from bioimage_tasks.checks import Array
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.features.parts import Parts, describe_parts
from bioimage_tasks.learning import Fold, FoldResult, OutOfFold
from bioimage_tasks.learning.report import Row
from bioimage_tasks.tasks.door import task
from bioimage_tasks.tasks.reading import read


@task()
def parts(
    image: ImageRef | Array,
    way: str,
    size: float,
    mask: LabelsRef | Array | None = None,
    **params: Any,
) -> Parts:
    """Break an image up and describe the parts: ``parts(image, "tiles", 64, image.gold)``.

    See :func:`bioimage_tasks.features.parts.describe_parts`.

    Parameters
    ----------
    image : ImageRef or numpy.ndarray
        Shape (height, width) or (height, width, channels).
    way, size, **params
        How, and how large in pixels.
    mask : LabelsRef or numpy.ndarray, optional
        Where it is above 0 counts; its share becomes the parts' targets.
    """
    pixels, inside = np.asarray(read("parts", image)), read("parts", mask)
    channels = [pixels] if pixels.ndim < 3 else list(np.moveaxis(pixels, -1, 0))
    return describe_parts(channels, way, size, inside, **params)


@task()
def fold(
    recipe: Any, images: Sequence[Any], targets: Sequence[Any], fold: Fold, **how: Any
) -> FoldResult:
    """Fit on a fold's training images, predict those left out.

    See :func:`bioimage_tasks.learning.fit_predict`; ``images`` holds rows, bags or tasks
    that give them.
    """
    return learning.fit_predict(recipe, images, targets, fold, **how)


@task()
def chosen_fold(
    candidates: dict[str, Any],
    images: Sequence[Any],
    targets: Sequence[Any],
    fold: Fold,
    folds: Sequence[Fold],
    **how: Any,
) -> FoldResult:
    """Choose among recipes inside a fold's training part, then predict those left out.

    See :func:`bioimage_tasks.learning.choose`.
    """
    return learning.choose(candidates, images, targets, fold, folds, **how).result


@task()
def gathered(
    results: Sequence[FoldResult],
    targets: Sequence[Any],
    groups: Sequence[str] | None = None,
    **how: Any,
) -> OutOfFold:
    """Put folds together; a group on both sides of one is an error.

    See :func:`bioimage_tasks.learning.gather`.
    """
    return learning.gather(results, targets, groups, **how)


@task()
def averaged(ways: Sequence[OutOfFold], name: str = "mean") -> OutOfFold:
    """Combine ways by their plain mean."""
    return learning.mean(ways, name)


@task()
def combined(
    base: Sequence[Sequence[FoldResult]],
    inner: Sequence[Sequence[FoldResult]],
    targets: Sequence[float],
    groups: Sequence[str] | None,
    weighing: str,
    **how: Any,
) -> OutOfFold:
    """Combine ways by a nested regression.

    See :func:`bioimage_tasks.learning.stack`.
    """
    return learning.stack(base, inner, targets, groups, weighing, **how)


@task()
def annotators(
    first: Sequence[float], second: Sequence[float], groups: Sequence[str] | None, name: str
) -> OutOfFold:
    """Score a second human as a prediction of the first."""
    return learning.agreement(first, second, groups, name)


@task()
def score_row(found: OutOfFold, by_image: OutOfFold | None = None, **how: Any) -> Row:
    """Return one row of scores, their intervals and the leak.

    See :func:`bioimage_tasks.learning.score_row`.
    """
    return learning.score_row(found, by_image, **how)


@task()
def write_scores(rows: Sequence[Row], path: str, notes: Sequence[str] = ()) -> str:
    """Write rows as ``path``.csv and, for the eye with notes below, ``path``.txt; return it."""
    from pathlib import Path

    from bioimage_tasks.learning.report import columns_of
    from bioimage_tasks.tables import csv_text

    text = learning.text(rows, notes)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    Path(f"{path}.txt").write_text(text, encoding="utf-8")
    columns = columns_of(rows)
    full = [{name: row.get(name, "") for name in columns} for row in rows]
    Path(f"{path}.csv").write_text(csv_text(full), encoding="utf-8")
    return text


@task()
def draw_residuals(ways: Sequence[OutOfFold], path: str, unit: str = "", title: str = "") -> str:
    """Draw the residuals of ways against each other; return the path of the PNG."""
    from bioimage_tasks.plots import residual_matrix

    names = [way.name for way in ways]
    return _write(path, residual_matrix(learning.residuals(ways), names, unit=unit, title=title))


@task()
def draw_predictions(found: OutOfFold, path: str, quantity: str, title: str = "") -> str:
    """Draw predicted against true, by group where groups are known; return the path."""
    from bioimage_tasks.plots import predicted_vs_true

    groups = found.groups if any(found.groups) else None
    drawn = predicted_vs_true(found.predicted, found.truth, groups, quantity=quantity, title=title)
    return _write(path, drawn)


@task()
def draw_strips(ways: Sequence[OutOfFold], path: str, quantity: str, title: str = "") -> str:
    """Draw the residuals of ways by group; return the path of the PNG."""
    from bioimage_tasks.plots import group_strips

    away = learning.residuals(ways)
    values = {way.name: away[:, place] for place, way in enumerate(ways)}
    return _write(path, group_strips(values, ways[0].groups, quantity=quantity, title=title))


@task()
def draw_confusion(found: OutOfFold, path: str, title: str = "") -> str:
    """Draw the confusion of classes; return the path of the PNG."""
    from bioimage_tasks.plots import confusion_matrix

    scores = found.classification()
    return _write(path, confusion_matrix(scores.confusion, scores.classes, title=title))


def _write(path: str, picture: Array) -> str:
    from bioimage_tasks.io import write_image

    write_image(path, picture)
    return path
