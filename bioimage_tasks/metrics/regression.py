"""How far predicted numbers lie from true ones: Q2 in both forms, R2, MAE, RMSE, bias.

Two vectors come in, one frozen row of scores goes out. Counting is regression of counts.
Must not know models, folds or groups.

Q2 is 1 - PRESS / TSS on predictions of what the model had not seen. What TSS is taken
around matters: the mean of the *training fold* (strict, as the model knew no other) or the
mean of *all* targets. Leaving out one group moves the training mean away from that group,
which makes TSS greater and the first form the more flattering one. Both are given.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import check_numbers

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RegressionScores:
    """Scores of predictions.

    Attributes
    ----------
    q2_fold : float
        1 - sum (y - prediction)^2 / sum (y - mean of y's training fold)^2. NaN where the
        training means are not known.
    q2 : float
        The same around the mean of all: scikit-learn's ``r2_score``.
    r2 : float
        Squared Pearson correlation: blind to slope and offset. 0 for a constant.
    mae, rmse : float
        Mean absolute and root mean square error, in the unit of y.
    bias : float
        Mean of prediction - y, in the unit of y.
    n : int
        Number of predictions.
    """

    q2_fold: float
    q2: float
    r2: float
    mae: float
    rmse: float
    bias: float
    n: int

    def as_dict(self) -> dict[str, float]:
        """Return the scores by name."""
        return asdict(self)


def regression_scores(
    predicted: npt.ArrayLike, truth: npt.ArrayLike, fold_means: npt.ArrayLike | None = None
) -> RegressionScores:
    """Score predictions: ``regression_scores(predicted, truth, fold_means)``.

    Parameters
    ----------
    predicted, truth : array_like of float
        Shape (n,), finite.
    fold_means : array_like of float, optional
        Shape (n,): mean target of the training fold of the model that predicted each.

    Raises
    ------
    ValueError
        Not vectors of one length, empty, not finite; or the truth is constant, which leaves
        no variance to explain.
    """
    guess, true = check_pair("regression_scores", predicted, truth)
    return RegressionScores(
        q2_fold=float("nan") if fold_means is None else q2(guess, true, fold_means),
        q2=q2(guess, true),
        r2=r2(guess, true),
        mae=mae(guess, true),
        rmse=rmse(guess, true),
        bias=bias(guess, true),
        n=len(true),
    )


def q2(
    predicted: npt.ArrayLike, truth: npt.ArrayLike, around: npt.ArrayLike | None = None
) -> float:
    """Return 1 - PRESS / TSS; at most 1, negative where the mean would have been better.

    Parameters
    ----------
    predicted, truth : array_like of float
        Shape (n,).
    around : array_like of float, optional
        Shape (n,) or a number: what TSS is taken around, by default the mean of ``truth``.

    Raises
    ------
    ValueError
        See :func:`regression_scores`.
    """
    guess, true = check_pair("q2", predicted, truth)
    centre = np.asarray(true.mean() if around is None else around, dtype=np.float64)
    if (centre.ndim and centre.shape != true.shape) or not np.isfinite(centre).all():
        raise ValueError(
            f"q2: around must be a finite number or one for each of {len(true)}; "
            f"got shape {centre.shape}"
        )
    total = float(((true - centre) ** 2).sum())
    if total == 0 or np.ptp(true) == 0:
        raise ValueError(
            f"q2: the truth must vary, else there is nothing to explain; use mae; "
            f"got {true[0]:g} throughout"
        )
    return 1 - float(((true - guess) ** 2).sum()) / total


def r2(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the squared Pearson correlation; 0 where either is constant."""
    guess, true = check_pair("r2", predicted, truth)
    if np.ptp(guess) == 0 or np.ptp(true) == 0:
        return 0.0
    return float(np.corrcoef(guess, true)[0, 1] ** 2)


def mae(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the mean absolute error, in the unit of the truth."""
    guess, true = check_pair("mae", predicted, truth)
    return float(np.abs(guess - true).mean())


def rmse(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the root mean square error, in the unit of the truth."""
    guess, true = check_pair("rmse", predicted, truth)
    return float(np.sqrt(((guess - true) ** 2).mean()))


def bias(predicted: npt.ArrayLike, truth: npt.ArrayLike) -> float:
    """Return the mean of prediction - truth: above 0 where too much is predicted."""
    guess, true = check_pair("bias", predicted, truth)
    return float((guess - true).mean())


def check_pair(
    function: str, predicted: npt.ArrayLike, truth: npt.ArrayLike
) -> tuple[Values, Values]:
    """Return two finite vectors of one length as float64.

    Raises
    ------
    ValueError
        They are not.
    """
    guess = check_numbers(function, "predicted", predicted)
    true = check_numbers(function, "truth", truth)
    if guess.ndim != 1 or guess.shape != true.shape or not guess.size:
        raise ValueError(
            f"{function}: predicted and truth must be vectors of one length, not empty; "
            f"got shapes {guess.shape} and {true.shape}"
        )
    bad = int(np.count_nonzero(~(np.isfinite(guess) & np.isfinite(true))))
    if bad:
        raise ValueError(
            f"{function}: every value must be finite; was each image predicted once? "
            f"got {bad} of {len(true)} that are not"
        )
    return guess, true
