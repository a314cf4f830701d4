"""Segmentation: functions from an image to labels, found by name.

``segment(image, "watershed", markers="intensity")``; ``methods()`` lists the names. A
new method is one new file here with ``@register("its-name")`` above a function.
"""

from __future__ import annotations

from bioimage_tasks.segmentation.registry import (
    DEFAULT_METHOD,
    Method,
    get,
    methods,
    parameters,
    register,
    segment,
)

__all__ = [
    "DEFAULT_METHOD",
    "Method",
    "get",
    "methods",
    "parameters",
    "register",
    "segment",
]
