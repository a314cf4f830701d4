"""Metrics: plain functions of label images (and later of images and counts).

``score(labels, gold)`` gives them all; the modules give them one by one.
"""

from __future__ import annotations

from bioimage_tasks.metrics.contingency import Contingency, contingency
from bioimage_tasks.metrics.segmentation import Scores, mean_scores, score

__all__ = ["Contingency", "Scores", "contingency", "mean_scores", "score"]
