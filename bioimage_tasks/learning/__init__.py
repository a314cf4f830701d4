"""Learning by experiment: folds that keep groups whole, predictions that are out-of-fold.

``fit_predict`` is one fold; ``gather`` puts folds together and refuses leaks; ``stack``
combines ways, nested; ``bootstrap`` and ``permutation_test`` go over groups.
"""

from __future__ import annotations

from bioimage_tasks.learning.choice import Chosen, choose
from bioimage_tasks.learning.combine import (
    NotNested,
    Weights,
    mean,
    pairs,
    residual_correlation,
    residuals,
    stack,
    weigh,
)
from bioimage_tasks.learning.estimators import Recipe, build, recipe
from bioimage_tasks.learning.folds import FoldResult, cross_predict, fit_predict
from bioimage_tasks.learning.report import agreement, score_row, text
from bioimage_tasks.learning.results import OutOfFold, gather, leak
from bioimage_tasks.learning.schedules import (
    Fold,
    GroupLeak,
    GroupsUnknown,
    check_folds,
    contiguous_blocks,
    group_k_fold,
    leave_one_dataset_out,
    leave_one_group_out,
    stratified_group_k_fold,
    without,
)
from bioimage_tasks.learning.uncertainty import Interval, bootstrap, permutation_test

__all__ = [
    "Chosen",
    "Fold",
    "FoldResult",
    "GroupLeak",
    "GroupsUnknown",
    "Interval",
    "NotNested",
    "OutOfFold",
    "Recipe",
    "Weights",
    "agreement",
    "bootstrap",
    "build",
    "check_folds",
    "choose",
    "contiguous_blocks",
    "cross_predict",
    "fit_predict",
    "gather",
    "group_k_fold",
    "leak",
    "leave_one_dataset_out",
    "leave_one_group_out",
    "mean",
    "pairs",
    "permutation_test",
    "recipe",
    "residual_correlation",
    "residuals",
    "score_row",
    "stack",
    "stratified_group_k_fold",
    "text",
    "weigh",
    "without",
]
