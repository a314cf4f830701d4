"""Thin lines at any angle: long narrow filters, turned, and the strongest answers kept.

A plane comes in, a stack of float32 features goes out. A round filter smooths a membrane
away with the noise; one that is longer than wide smooths along it (steerable ridges as in
the membrane projections of Trainable Weka, doi:10.1093/bioinformatics/btx180). Must not know
classes or learners.
"""

from __future__ import annotations

import math

import numpy as np

from bioimage_tasks.segmentation.masks import Floats

#: Sigma along the line, over the one across.
LONG = 4.0
#: Angles, evenly over half a turn.
ANGLES = 8
#: Filters end at this many standard deviations.
TRUNCATE = 3.0
#: What is kept of the answers to all angles.
KEPT = ("largest", "least", "mean", "largest over middle", "second")


def reach(width: float) -> int:
    """Return how far a filter of that width looks, pixels."""
    return int(TRUNCATE * LONG * width) + 1


def line_filter(width: float, angle: float) -> Floats:
    """Return a filter that answers to dark lines: bright beside, dark along its middle.

    Parameters
    ----------
    width : float
        Sigma across the line, pixels.
    angle : float
        Of the line to the rows, radians.

    Returns
    -------
    numpy.ndarray of float32
        Square, sums to 0, its absolute values to 1.
    """
    far = reach(width)
    rows, columns = np.mgrid[-far : far + 1, -far : far + 1].astype(np.float64)
    along = columns * math.cos(angle) + rows * math.sin(angle)
    across = -columns * math.sin(angle) + rows * math.cos(angle)
    weights = np.exp(-(along**2) / (2 * (LONG * width) ** 2) - across**2 / (2 * width**2))
    weights *= across**2 / width**2 - 1
    weights -= weights.mean()
    made: Floats = (weights / np.abs(weights).sum()).astype(np.float32)
    return made


def line_bank(plane: Floats, widths: tuple[float, ...]) -> Floats:
    """Return what filters of several widths answer: shape (5 * widths, height, width).

    Raises
    ------
    ValueError
        The image is not 2D, or a width is not above 0.
    """
    from scipy.signal import fftconvolve

    if plane.ndim != 2 or not all(0 < width <= 100 for width in widths):
        raise ValueError(
            "line_bank: lines are looked for in images of 2 dimensions, with widths (pixels) in "
            f"(0, 100]; got shape {plane.shape} and {widths}"
        )
    found = []
    for width in widths:
        wide = np.pad(plane, reach(width), mode="symmetric")
        turned = [line_filter(width, math.pi * turn / ANGLES) for turn in range(ANGLES)]
        # A filter is its own mirror image, so convolution is correlation.
        answers = np.sort([fftconvolve(wide, one, mode="valid") for one in turned], axis=0)
        most, least, middle = answers[-1], answers[0], answers[ANGLES // 2]
        found += [most, least, answers.mean(0), most - middle, answers[-2]]
    return np.stack(found).astype(np.float32)
