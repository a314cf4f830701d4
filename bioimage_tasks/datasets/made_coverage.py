"""Made-up images in groups, for trying a pipeline where there is no data: veils and discs.

A group's name and a number come in, pixels and their truth go out, the same for the same
arguments. Groups differ in camera gain and background, as experiments do.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_range


def covered(group: str, number: int, side: int = 96) -> tuple[Array, npt.NDArray[np.uint8]]:
    """Make an image that is partly covered: ``covered("day 1", 0)``.

    Parameters
    ----------
    group : str
        Decides gain, background and how much is covered on the whole.
    number : int
        Of the image within its group.
    side : int
        Height and width, pixels, 16 to 4096.

    Returns
    -------
    image : numpy.ndarray of uint8
        Shape (side, side, 2): spots all over, and a veil where it is covered.
    mask : numpy.ndarray of uint8
        Shape (side, side), 1 where it is covered.
    """
    from scipy.ndimage import gaussian_filter

    check_range("covered", "side (pixels)", side, 16, 4096)
    of_group = np.random.default_rng(crc32(group.encode()))
    gain, background, share = of_group.uniform((0.7, 5, 0.1), (1.3, 15, 0.9))
    rng = np.random.default_rng([crc32(group.encode()), number])
    field = gaussian_filter(rng.normal(size=(side, side)), side / 16, mode="wrap")
    part = np.clip(share + rng.uniform(-0.15, 0.15), 0.02, 0.98)
    mask = (field > np.quantile(field, 1 - part)).astype(np.uint8)
    spots = gaussian_filter((rng.random((side, side)) < 0.004).astype(float), 1.5)
    spots *= 90 / max(float(spots.max()), 1e-9)
    threads = np.abs(gaussian_filter(rng.normal(size=(side, side)), 1.5)) * 220
    veil = gaussian_filter(mask.astype(float), 1.0) * (40 + threads)
    planes = np.stack([spots + 0.2 * veil, veil], -1) * gain + background
    noisy = planes + rng.normal(0, 2, planes.shape)
    return noisy.clip(0, 255).astype(np.uint8), mask


def counted(number: int, side: int = 128) -> tuple[Array, npt.NDArray[np.float64]]:
    """Make an image of discs and return it with their boxes: ``counted(3)``.

    Parameters
    ----------
    number, side
        See :func:`covered`.

    Returns
    -------
    image : numpy.ndarray of uint8
        Shape (side, side, 3): pink discs on white, as a stained smear.
    corners : numpy.ndarray of float64
        Shape (discs, 4): top, left, bottom, right of each; some overlap.
    """
    check_range("counted", "side (pixels)", side, 16, 4096)
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:side, :side]
    cover, radius = np.zeros((side, side)), side / 16
    centres = rng.uniform(side / 12, side * 11 / 12, (int(rng.integers(3, 16)), 2))
    for row, column in centres:
        cover += (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    cover = np.minimum(cover, 1.5)
    picture = np.stack([240 - 30 * cover, 235 - 90 * cover, 238 - 110 * cover], -1)
    noisy = picture + rng.normal(0, 4, picture.shape)
    corners = np.hstack([centres - radius, centres + radius])
    return noisy.clip(0, 255).astype(np.uint8), corners
