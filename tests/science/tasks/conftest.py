"""What the contract of the tasks is tried on: small made data, a case a task, equality.

``cases_*.py`` beside this file each hold ``CASES``: the name of a task -> a function
``(made, folder)`` that returns its :class:`Case`. A task without one fails.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bioimage_tasks import learning, metrics
from bioimage_tasks.datasets.made_coverage import counted, covered
from bioimage_tasks.datasets.made_nuclei import outlined

HERE = Path(__file__).parent


@dataclass
class Case:
    """One call of a task, what it must give, and what it must refuse.

    ``call``: arguments by name. ``plain``: the plain function's value. ``look``: what of a
    value is compared, where it is a model. ``other``: arguments that make another task, one
    by one. ``bad``: (changed arguments, message). ``drawn``: pixels of the file at the path
    that is returned; ``written``: name of a file in the folder -> its text.
    """

    call: dict[str, Any]
    plain: Callable[[], Any]
    bad: list[tuple[dict[str, Any], str]]
    other: dict[str, Any] = field(default_factory=dict)
    look: Callable[[Any], Any] = lambda value: value
    drawn: Callable[[], Any] | None = None
    written: Callable[[], dict[str, str]] = dict


class Made:
    """Images, labels, rows and folds, each made once."""

    Case = Case

    def __init__(self):
        self.pair, self.mask = covered("a", 0, side=48)
        self.image = self.pair[..., 0]
        self.rgb, self.boxes = counted(1, side=64)
        self.slide = self.rgb // 2
        self.nuclei, self.labels = outlined(7, 0, side=64)
        rng = np.random.default_rng(0)
        self.rows = list(rng.normal(size=(12, 3)))
        self.y = [float(row @ [1.0, -2.0, 0.5]) for row in self.rows]
        self.classes = ["up" if value > 0 else "down" for value in self.y]
        self.groups = [str(place % 4) for place in range(12)]
        self.folds = learning.leave_one_group_out(self.groups)

    @cached_property
    def base(self):
        """Results of two ways, folds by folds."""
        return [learning.cross_predict(way, self.rows, self.y, self.folds) for way in self.names]

    names = ("ridge", "mean")

    @cached_property
    def inner(self):
        """The same ways with two folds left out."""
        twice = learning.pairs(self.folds)
        return [learning.cross_predict(way, self.rows, self.y, twice) for way in self.names]

    @cached_property
    def ways(self):
        """Out-of-fold predictions of the two."""
        return [
            learning.gather(results, self.y, self.groups, name=way)
            for way, results in zip(self.names, self.base, strict=True)
        ]

    @cached_property
    def told(self):
        """Out-of-fold classes."""
        results = learning.cross_predict(
            "logistic", self.rows, self.classes, self.folds, kind="classification"
        )
        return learning.gather(results, self.classes, self.groups, name="logistic")

    @cached_property
    def scores(self):
        """A perfect segmentation and one that lacks an object."""
        lacking = np.where(self.labels == 1, 0, self.labels)
        return [metrics.score(self.labels, self.labels), metrics.score(lacking, self.labels)]

    @cached_property
    def maps(self):
        """A map of object probability, shape (1, height, width)."""
        from scipy.ndimage import gaussian_filter

        return gaussian_filter((self.labels > 0).astype(np.float32), 1.0)[None]


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal to the last bit, NaN included."""
    if isinstance(one, np.ndarray):
        alike = isinstance(other, np.ndarray) and one.dtype == other.dtype
        return alike and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (np.isnan(one) and np.isnan(other))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    return bool(one == other)


@pytest.fixture(scope="session")
def made():
    return Made()


def all_cases() -> dict[str, Callable[[Made, Path], Case]]:
    """Return the cases of all rooms."""
    found: dict[str, Callable[[Made, Path], Case]] = {}
    for path in sorted(HERE.glob("cases_*.py")):
        found |= runpy.run_path(str(path))["CASES"]
    return found


@pytest.fixture(scope="session")
def equal():
    return same
