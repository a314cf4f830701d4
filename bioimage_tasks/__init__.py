"""Work on biological images as plain functions of arrays; ``tasks`` makes tasks of them.

Importing this package loads nothing heavy: its rooms are opened on first use,
``bioimage_tasks.metrics`` and so on. Only :mod:`bioimage_tasks.tasks` knows taskgraph, and
:mod:`bioimage_tasks.start`, where the program begins, which of two it is.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

_ROOMS = (
    "checks",
    "datasets",
    "features",
    "io",
    "learning",
    "metrics",
    "plots",
    "segmentation",
    "tasks",
)

__all__ = list(_ROOMS)


def __getattr__(name: str) -> ModuleType:
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ROOMS])
