"""The one door: the package's functions as task generators for jugfiles.

Everything else here is plain functions of arrays. These calls make tasks; a method,
a parameter or an image's content that changes makes another task. ``version=`` is raised
when a function's results change.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bioimage_tasks import metrics, segmentation, tables
from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.datasets.base import ImageRef, LabelsRef
from bioimage_tasks.start import check_core

try:
    from taskgraph import TaskGenerator
except ImportError:
    check_core()
    raise

_task = partial(TaskGenerator, version=1)

#: A method's name and its parameters.
Setting = tuple[str, dict[str, Any]]


@_task
def load(image: ImageRef) -> Array:
    """Read the pixels of a reference: shape (height, width), native dtype."""
    return image.read()


@_task
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
    return segmentation.segment(_pixels(image), method, **params)


@_task
def score(labels: Labels, gold: LabelsRef | Labels) -> metrics.Scores:
    """Score labels against a gold standard, a reference or labels."""
    return metrics.score(labels, gold.read() if isinstance(gold, LabelsRef) else gold)


@_task
def table(entries: Sequence[tables.Entry], by: str = "mean_ap") -> list[tables.Row]:
    """Reduce (setting, image, scores) to one row per setting, best first."""
    return tables.mean_rows(entries, by)


@_task
def best(
    settings: Sequence[Setting], scores: Sequence[Sequence[metrics.Scores]], by: str = "mean_ap"
) -> Setting:
    """Pick the setting with the greatest mean: ``scores[i]`` are those of ``settings[i]``."""
    means = [getattr(metrics.mean_scores(row), by) for row in scores]
    return settings[means.index(max(means))]


@_task
def write_csv(rows: Sequence[tables.Row], path: str) -> str:
    """Write all columns of a table and return the path."""
    return _write(path, tables.csv_text(rows))


@_task
def write_text(rows: Sequence[tables.Row], path: str) -> str:
    """Write a table for the eye and return its text."""
    text = tables.plain_text(rows)
    _write(path, text)
    return text


@_task
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
    pixels = image.read()
    labels = segmentation.segment(pixels, method, **params)
    write_image(path, draw(pixels, labels, None if gold is None else gold.read(), zoom))
    return path


def _pixels(image: ImageRef | Array) -> Array:
    return image.read() if isinstance(image, ImageRef) else image


def _write(path: str, text: str) -> str:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return path
