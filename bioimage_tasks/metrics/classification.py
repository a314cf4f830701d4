"""How often predicted classes are right: accuracy, balanced accuracy, macro F1, confusion.

Two vectors of classes come in, one frozen row of scores goes out. Must not know models,
folds or groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassificationScores:
    """Scores of predicted classes.

    Attributes
    ----------
    accuracy : float
        Share of right ones.
    balanced_accuracy : float
        Mean over the true classes of the share of each that was found; guessing one class
        scores 1 / classes.
    macro_f1 : float
        Mean over all classes, true or predicted, of 2 TP / (2 TP + FP + FN).
    n : int
        Number of predictions.
    classes : tuple of str
        In the order of the confusion matrix.
    confusion : numpy.ndarray of int64
        Shape (classes, classes): row true, column predicted.
    """

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    n: int
    classes: tuple[str, ...] = ()
    confusion: Counts = field(default_factory=lambda: np.zeros((0, 0), np.int64), repr=False)

    def as_dict(self) -> dict[str, float]:
        """Return the scores that are numbers by name."""
        found = asdict(self)
        return {name: found[name] for name in ("accuracy", "balanced_accuracy", "macro_f1", "n")}


def classification_scores(
    predicted: Sequence[Any] | npt.NDArray[Any],
    truth: Sequence[Any] | npt.NDArray[Any],
) -> ClassificationScores:
    """Score predicted classes: ``classification_scores(["a", "b"], ["a", "a"])``.

    Raises
    ------
    ValueError
        Not vectors of one length, or empty.
    """
    classes, table = confusion(predicted, truth)
    right = np.diag(table).astype(np.float64)
    real, found = table.sum(1), table.sum(0)
    recalls = right[real > 0] / real[real > 0]
    return ClassificationScores(
        accuracy=float(right.sum() / table.sum()),
        balanced_accuracy=float(recalls.mean()),
        macro_f1=float((2 * right / (real + found)).mean()),
        n=int(table.sum()),
        classes=classes,
        confusion=table,
    )


def confusion(
    predicted: Sequence[Any] | npt.NDArray[Any],
    truth: Sequence[Any] | npt.NDArray[Any],
) -> tuple[tuple[str, ...], Counts]:
    """Return the classes, sorted, and how often each true one (row) was predicted as each.

    Raises
    ------
    ValueError
        See :func:`classification_scores`.
    """
    guess, true = np.asarray(predicted), np.asarray(truth)
    if guess.ndim != 1 or guess.shape != true.shape or not guess.size:
        raise ValueError(
            f"confusion: predicted and truth must be vectors of one length, not empty; "
            f"got shapes {guess.shape} and {true.shape}"
        )
    if (guess.dtype.kind in "US") != (true.dtype.kind in "US"):
        raise ValueError(
            f"confusion: predicted and truth must be of one type, text or numbers; "
            f"got {guess.dtype} and {true.dtype}"
        )
    classes, codes = np.unique(np.concatenate([true, guess]), return_inverse=True)
    count, half = len(classes), len(true)
    cells = np.bincount(codes[:half] * count + codes[half:], minlength=count**2)
    return tuple(map(str, classes.tolist())), cells.reshape(count, count).astype(np.int64)
