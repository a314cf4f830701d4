"""Cells between membranes: from a map of membrane probability to labels that fill the image.

A float map comes in, labels go out. Must not know how the map was made.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, check_range, sequential
from bioimage_tasks.segmentation.masks import Floats


def cells_between(
    membrane: npt.ArrayLike, *, level: float = 0.2, smoothing: float = 1.0, min_seed: int = 20
) -> Labels:
    """Grow cells where membrane is unlikely until they meet: ``cells_between(map)``.

    Seeds are the connected parts where the smoothed probability lies under ``level``;
    watershed gives every other pixel to one of them. Flooding from minima instead leaves
    hundreds of pieces: a cell's inside is full of small ones.

    Parameters
    ----------
    membrane : array_like of float
        Probability of membrane, 0..1; 2D or 3D.
    level : float
    smoothing : float
        Sigma of the Gaussian on the map before seeds are sought, pixels.
    min_seed : int
        Smaller seeds are dropped, pixels.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N without gaps; all 1 when there is no seed: one cell.

    Raises
    ------
    ValueError
        The map is not 2D or 3D, empty, not within 0..1, or a value is out of range.
    """
    from scipy.ndimage import gaussian_filter, label
    from skimage.segmentation import watershed

    chances = check_map("cells_between", membrane)
    check_range("cells_between", "level", level, 0, 1)
    check_range("cells_between", "smoothing", smoothing, 0, 100)
    check_range("cells_between", "min_seed", min_seed, 0, chances.size)
    surface = gaussian_filter(chances, smoothing, truncate=3.0) if smoothing else chances
    seeds = label(surface < level, output=np.int32)[0]
    large = np.bincount(seeds.ravel()) >= max(min_seed, 1)
    large[0] = False
    if not large.any():
        return np.ones(chances.shape, dtype=np.int32)
    return sequential(watershed(surface, np.where(large[seeds], seeds, 0)).astype(np.int32))


def check_map(function: str, chances: npt.ArrayLike) -> Floats:
    """Return a map of probabilities as float32.

    Raises
    ------
    ValueError
        Not 2D or 3D, empty, not finite or not within 0..1.
    """
    array = np.asarray(chances)
    if array.ndim not in (2, 3) or array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(
            f"{function}: a map must have 2 or 3 dimensions and hold numbers; got shape "
            f"{array.shape}, {array.dtype}"
        )
    low, high = float(array.min()), float(array.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise ValueError(
            f"{function}: a map must hold probabilities, finite and within 0..1; got values from "
            f"{low} to {high}"
        )
    return array.astype(np.float32)
