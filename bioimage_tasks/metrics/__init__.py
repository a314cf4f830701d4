"""Metrics: plain functions of label images, of numbers and of classes.

``score(labels, gold)`` gives all of a segmentation, ``regression_scores`` and
``classification_scores`` those of predictions; the modules give them one by one.
"""

from __future__ import annotations

from bioimage_tasks.metrics.classification import (
    ClassificationScores,
    classification_scores,
    confusion,
)
from bioimage_tasks.metrics.contingency import Contingency, contingency
from bioimage_tasks.metrics.regression import RegressionScores, regression_scores
from bioimage_tasks.metrics.segmentation import Scores, mean_scores, score

__all__ = [
    "ClassificationScores",
    "Contingency",
    "RegressionScores",
    "Scores",
    "classification_scores",
    "confusion",
    "contingency",
    "mean_scores",
    "regression_scores",
    "score",
]
