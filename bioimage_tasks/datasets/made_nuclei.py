"""Made-up fields of nuclei with their labels, for trying a pipeline where there is no data.

A size and a number come in, pixels and labels go out, the same for the same arguments.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_range


def outlined(size: float, number: int, side: int = 160) -> tuple[Array, npt.NDArray[np.int32]]:
    """Make an image of discs with their labels: ``outlined(12, 0)``.

    Parameters
    ----------
    size : float
        Radius of the discs, pixels, 3 to a quarter of the side; decides how many there are.
    number : int
        Of the image among those of this size.
    side : int
        Height and width, pixels, 16 to 4096.

    Returns
    -------
    image : numpy.ndarray of uint8
        Bright discs on a darker background, some touching.
    labels : numpy.ndarray of int32
        Same shape, 0 background.
    """
    check_range("outlined", "side (pixels)", side, 16, 4096)
    check_range("outlined", "size (pixels)", size, 3, side / 4)
    rng = np.random.default_rng([int(8 * size), number])
    rows, columns = np.mgrid[:side, :side]
    image, labels = rng.normal(20, 3, (side, side)), np.zeros((side, side), np.int32)
    centres: list[tuple[float, float]] = []
    for row, column in rng.uniform(size / 2, side - size / 2, (int(0.2 * (side / size) ** 2), 2)):
        if all(np.hypot(row - y, column - x) > 1.8 * size for y, x in centres):
            centres.append((row, column))
    for place, (row, column) in enumerate(centres, 1):
        disc = (rows - row) ** 2 + (columns - column) ** 2 < size**2
        labels[disc & (labels == 0)] = place
        image[disc] = rng.uniform(80, 160) + rng.normal(0, 5, np.count_nonzero(disc))
    return image.clip(0, 255).astype(np.uint8), labels
