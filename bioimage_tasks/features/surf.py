"""Local descriptors: what the surroundings of many points look like, SURF's 64 numbers each.

An image comes in, descriptors with their places and scales go out: on a grid at fixed
scales, or at interest points. A bag of them is an image, or an object, whose words are
learned elsewhere, inside a fold. Must not know words.

Bay, Ess, Tuytelaars, Van Gool 2008, doi:10.1016/j.cviu.2007.09.014; mahotas computes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import (
    Array,
    Labels,
    check_choice,
    check_image,
    check_labels,
    check_range,
)

Floats = npt.NDArray[np.float32]
#: Ways to choose the points.
POINTS = ("dense", "interest")
#: A window of SURF is this many pixels wide at scale 1.
WINDOW = 20
#: SURF's threshold is meant for an image of this deviation, and is scaled to the image's.
#: The image itself is left as it is: of whole numbers all sums are exact, and where rounding
#: decides between two orientations a descriptor may turn.
DEVIATION = 40.0


@dataclass(frozen=True, eq=False)
class Descriptors:
    """Local descriptors of one image: m of them.

    Attributes
    ----------
    values : numpy.ndarray of float32
        Shape (m, 64).
    places : numpy.ndarray of float32
        Shape (m, 2), row and column, pixels.
    scales : numpy.ndarray of float32
        Shape (m,), pixels.
    """

    values: Floats = field(repr=False)
    places: Floats = field(repr=False)
    scales: Floats = field(repr=False)

    def __len__(self) -> int:
        """Return the number of descriptors."""
        return len(self.values)

    def some(self, chosen: npt.NDArray[Any]) -> Descriptors:
        """Return those of a mask or of indices."""
        return Descriptors(self.values[chosen], self.places[chosen], self.scales[chosen])

    def by_object(self, labels: Labels) -> list[Descriptors]:
        """Return the descriptors whose place lies in object 1, in object 2, and so on.

        Raises
        ------
        ValueError
            Not labels, or smaller than the image was.
        """
        numbers = check_labels("Descriptors.by_object", "labels", labels)
        rows, columns = self.places.astype(np.int64).T
        fits = numbers.ndim == 2 and (
            not len(self) or (rows.max() < numbers.shape[0] and columns.max() < numbers.shape[1])
        )
        if not fits:
            raise ValueError(
                f"Descriptors.by_object: labels must have the image's shape; got {numbers.shape}"
            )
        owner = numbers[rows, columns].astype(np.int64)
        order = np.argsort(owner, kind="stable")
        ends = np.searchsorted(owner[order], np.arange(1, int(numbers.max()) + 2))
        return [self.some(order[start:end]) for start, end in pairwise(ends)]


def describe(
    image: npt.ArrayLike,
    *,
    points: str = "dense",
    scales: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0),
    spacing: float = 8.0,
    max_points: int = 1024,
    threshold: float = 0.1,
    min_contrast: float = 0.0,
) -> Descriptors:
    """Describe the surroundings of many points: ``describe(image, scales=(1, 2))``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), any real dtype.
    points : str
        ``"dense"``: a grid at each of the scales, the image mirrored beyond its border.
        ``"interest"``: the strongest blobs, bright or dark, that SURF's detector finds, each
        at its own scale and not closer to the border than its window reaches.
    scales : tuple of float
        Of the grid; a window is 20 pixels wide at scale 1.
    spacing : float
        Of the grid, in units of the scale: 8 leaves windows overlapping by more than half.
    max_points : int
        Of interest points, the strongest.
    threshold : float
        An interest point's least strength, for an image of a deviation of 40 grey values.
    min_contrast : float
        Grid points whose window deviates by less than this share of the image's own
        deviation are left out: empty background, all alike but for noise. 0 keeps all.

    Returns
    -------
    Descriptors
        Perhaps none.

    Raises
    ------
    ValueError
        The image is not 2D, empty or not finite, or a value is out of range.
    """
    pixels = check_image("describe", image).astype(np.float64)
    check_choice("describe", "points", points, POINTS)
    check_range("describe", "spacing (scales)", spacing, 0.5, 1e3)
    check_range("describe", "max_points", max_points, 1, 1e7)
    check_range("describe", "threshold", threshold, 0.0, 1e9)
    check_range("describe", "min_contrast", min_contrast, 0.0, 10.0)
    if not scales or not all(0.5 <= scale <= 256 for scale in scales):
        raise ValueError(f"describe: scales (pixels) must lie in [0.5, 256]; got {scales}")
    deviation = pixels.std()
    if deviation == 0:
        return _from_rows(np.zeros((0, 70)))
    if points == "interest":
        return _interesting(pixels, max_points, threshold * (deviation / DEVIATION) ** 2)
    return _dense(pixels, scales, spacing, min_contrast * deviation)


def _interesting(pixels: Array, max_points: int, threshold: float) -> Descriptors:
    from mahotas.features.surf import surf

    if min(pixels.shape) < WINDOW:
        return _from_rows(np.zeros((0, 70)))
    found = surf(pixels, 4, 6, 1, threshold, max_points)
    return _from_rows(np.asarray(found).reshape(-1, 70))


def _dense(
    pixels: Array, scales: tuple[float, ...], spacing: float, min_contrast: float
) -> Descriptors:
    from mahotas.features.surf import descriptors, integral

    # mahotas leaves out points within 16 scales of the border: mirrored, all are kept.
    rim = int(np.ceil(16 * max(scales))) + 2
    table = integral(np.pad(pixels, rim, mode="symmetric"))
    rows = [np.zeros((0, 70))]
    for scale in scales:
        grid = _grid(pixels.shape, max(1.0, spacing * scale))
        if min_contrast:
            grid = grid[_contrast(pixels, grid, scale) >= min_contrast]
        if len(grid):
            asked = np.ones((len(grid), 5))
            asked[:, :2], asked[:, 2] = grid + rim, scale
            found = descriptors(table, asked, is_integral=True)
            found[:, :2] -= rim
            rows.append(found)
    return _from_rows(np.concatenate(rows))


def _grid(shape: tuple[int, ...], step: float) -> npt.NDArray[np.float64]:
    """Return centres of tiles about ``step`` apart that cover the image evenly."""
    sides = [(np.arange(n) + 0.5) * side / n for side in shape for n in [max(1, int(side / step))]]
    down, across = np.meshgrid(*sides, indexing="ij")
    return np.floor(np.stack([down.ravel(), across.ravel()], 1))


def _contrast(
    pixels: Array, grid: npt.NDArray[np.float64], scale: float
) -> npt.NDArray[np.float64]:
    """Return the deviation of the pixels in every point's window."""
    from scipy.ndimage import uniform_filter

    size = max(3, round(WINDOW * scale))
    pixels = pixels - pixels.mean()
    mean, squares = uniform_filter(pixels, size), uniform_filter(pixels**2, size)
    rows, columns = grid.astype(np.int64).T
    variance = (squares - mean**2)[rows, columns]
    deviation: npt.NDArray[np.float64] = np.sqrt(np.maximum(variance, 0))
    return deviation


def _from_rows(rows: Array) -> Descriptors:
    """Take mahotas' rows apart: place, scale, three more, 64 values; NaN (flat) becomes 0."""
    values = np.nan_to_num(rows[:, 6:]).astype(np.float32)
    return Descriptors(values, rows[:, :2].astype(np.float32), rows[:, 2].astype(np.float32))
