"""Grey levels: an image of any dtype becomes one of few whole numbers.

An image comes in, integers 0..levels-1 go out. Must not know what is counted of them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array

Levels = npt.NDArray[np.int32]
Range = tuple[float, float]


def grey_levels(
    function: str, image: Array, levels: int, value_range: Range | None = None
) -> Levels:
    """Return an image in ``levels`` equal steps: ``grey_levels("lbp", image, 256)``.

    Parameters
    ----------
    function : str
        Name of the caller, put in front of messages.
    image : numpy.ndarray
        Any real dtype.
    levels : int
        2 to 65536.
    value_range : (float, float), optional
        What the steps divide, the upper end excluded; values outside go to the first or
        last. By default 0-256 where all values are whole numbers of 0-255, so that an
        8-bit image with 256 levels stays as it is, whatever its dtype; else the image's own
        range, which differs between images: give one to compare images of 16 bits.

    Raises
    ------
    ValueError
        Levels or range are not as they must be.
    """
    if not 2 <= levels <= 65536:
        raise ValueError(f"{function}: levels must lie in 2..65536; got {levels}")
    low, high = _own_range(image) if value_range is None else map(float, value_range)
    if not low < high:
        raise ValueError(
            f"{function}: value_range must be (low, high) with low < high; got {value_range}"
        )
    if (low, high) == (0, levels) and image.dtype.kind in "ui":
        return np.clip(image, 0, levels - 1).astype(np.int32)
    steps = np.floor((image.astype(np.float64) - low) * (levels / (high - low)))
    return np.clip(steps, 0, levels - 1).astype(np.int32)


def _own_range(image: Array) -> Range:
    low, high = float(image.min()), float(image.max())
    whole = image.dtype.kind in "ui" or bool((image == np.floor(image)).all())
    if low >= 0 and high <= 255 and whole:
        return 0.0, 256.0
    return (low, high) if low < high else (low, low + 1)
