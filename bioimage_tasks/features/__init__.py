"""Features: numbers that describe images, objects and regions, as tables.

``compute(image, labels, ("shape", "haralick"))`` gives a :class:`FeatureTable`;
``feature_sets()`` lists the names. A new set is one new file here with
``@register("its-name")`` above a function.
"""

from __future__ import annotations

from bioimage_tasks.features.registry import (
    FeatureSet,
    compute,
    feature_sets,
    get,
    parameters,
    register,
)
from bioimage_tasks.features.table import FeatureTable, join, stack

__all__ = [
    "FeatureSet",
    "FeatureTable",
    "compute",
    "feature_sets",
    "get",
    "join",
    "parameters",
    "register",
    "stack",
]
