"""Ways to break an image up without knowing objects: superpixels, a grid, interest points.

An image comes in, labels that leave no pixel out, or a table of points, go out; 2D and 3D.
Must not know what is measured of the parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import (
    Array,
    Labels,
    check_choice,
    check_image,
    check_range,
    sequential,
)
from bioimage_tasks.segmentation.masks import Floats

POINT_KINDS = ("dog", "surf")


@dataclass(frozen=True)
class Points:
    """Interest points, strongest first.

    Attributes
    ----------
    places : numpy.ndarray of float64, shape (points, dimensions)
        Pixels, row before column.
    scales : numpy.ndarray of float64, shape (points,)
        Standard deviation of the blob (``dog``) or SURF scale, pixels.
    strengths : numpy.ndarray of float64, shape (points,)
        Of the response; comparable within one image.
    """

    places: npt.NDArray[np.float64]
    scales: npt.NDArray[np.float64]
    strengths: npt.NDArray[np.float64]


def superpixels(
    image: npt.ArrayLike,
    size: float,
    *,
    compactness: float = 0.1,
    channels: bool = False,
    spacing: Sequence[float] | None = None,
) -> Labels:
    """Cluster pixels by place and colour: ``superpixels(image, 16.0)``.

    SLIC of Achanta et al. 2012, doi:10.1109/TPAMI.2012.120, on each channel scaled from its
    1st to its 99th percentile, so that one compactness holds for all cameras.

    Parameters
    ----------
    image : array_like
        2D or 3D; its last axis is channels when ``channels``.
    size : float
        Side of a square (cube) of a superpixel's mean area (volume), pixels.
    compactness : float
        Weight of the place against the brightness: larger is more square.
    channels : bool
    spacing : sequence of float, optional
        Size of a pixel along each axis.

    Returns
    -------
    numpy.ndarray of int32
        Shape of the image without channels; 1..N, no pixel left out, each connected.

    Raises
    ------
    ValueError
        Not 2D or 3D, empty, not finite, or a value out of range.
    """
    from skimage.segmentation import slic

    array = _pixels("superpixels", image, channels)
    shape = array.shape[: array.ndim - channels]
    check_range("superpixels", "size (pixels)", size, 1, float(max(shape)))
    check_range("superpixels", "compactness", compactness, 1e-6, 1e6)
    count = max(1, round(float(np.prod(shape)) / size ** len(shape)))
    if count == 1:
        return np.ones(shape, dtype=np.int32)
    axes = tuple(range(len(shape)))
    low, high = np.percentile(array, (1, 99), axis=axes, keepdims=True)
    scaled = np.clip((array - low) / np.maximum(high - low, 1e-9), 0, 1)
    labels = slic(
        scaled,
        n_segments=count,
        compactness=compactness,
        spacing=spacing,
        start_label=1,
        channel_axis=-1 if channels else None,
    )
    return sequential(labels)


def grid(shape: Sequence[int], side: int | Sequence[int]) -> Labels:
    """Return tiles of equal size, the last of a row or column as large as is left.

    Parameters
    ----------
    shape : sequence of int
        Of the image without channels.
    side : int or sequence of int
        Of a tile, pixels; one for all axes, or one an axis.

    Returns
    -------
    numpy.ndarray of int32
        1..N in reading order.

    Raises
    ------
    ValueError
        An empty shape, as many sides as axes are missing, or a side below 1.

    Examples
    --------
    >>> grid((2, 3), 2).tolist()
    [[1, 1, 2], [1, 1, 2]]
    """
    sizes = tuple(int(size) for size in shape)
    sides = (side,) * len(sizes) if isinstance(side, int | np.integer) else tuple(side)
    if len(sides) != len(sizes) or min(*sides, *sizes, 1) < 1 or not sizes:
        raise ValueError(
            f"grid: shape and sides must be positive, a side for every axis; got {sizes}, {sides}"
        )
    labels = np.zeros(sizes, dtype=np.int64)
    for axis, (size, step) in enumerate(zip(sizes, sides, strict=True)):
        along = (np.arange(size) // step).reshape(
            [-1 if a == axis else 1 for a in range(len(sizes))]
        )
        labels = labels * -(-size // step) + along
    return (labels + 1).astype(np.int32)


def interest_points(
    image: npt.ArrayLike,
    kind: str = "dog",
    *,
    scales: tuple[float, float] = (1.0, 16.0),
    threshold: float = 0.02,
    most: int = 5000,
) -> Points:
    """Find places that stand out: ``interest_points(image, "surf")``.

    Parameters
    ----------
    image : array_like
        2D; 3D too for ``dog``. Scaled from its 1st to its 99th percentile.
    kind : str
        ``dog``: maxima over place and scale of differences of Gaussians (Lowe 2004,
        doi:10.1023/B:VISI.0000029664.99615.94). ``surf``: determinants of box-filtered
        Hessians (Bay et al. 2008, doi:10.1016/j.cviu.2007.09.014), of mahotas.
    scales : tuple of 2 floats
        Smallest and largest, pixels; ``surf`` has octaves of its own from 1.2 on.
    threshold : float
        Least response; 1 is the step from dark to bright (``dog``). For ``surf`` the least
        share of the strongest response.
    most : int
        At most so many points.

    Returns
    -------
    Points

    Raises
    ------
    ValueError
        Not 2D (or 3D for ``dog``), empty, not finite, unknown kind, or a value out of range.
    """
    check_choice("interest_points", "kind", kind, POINT_KINDS)
    array = _pixels("interest_points", image, False)
    if kind == "surf":
        array = check_image("interest_points", array)
    check_range("interest_points", "threshold", threshold, 0, 1)
    check_range("interest_points", "smallest scale (pixels)", scales[0], 0.1, scales[1])
    check_range("interest_points", "most", most, 1, float("inf"))
    low, high = np.percentile(array, (1, 99))
    scaled = ((array - low) / max(float(high - low), 1e-9)).astype(np.float32)
    rows = _dog(scaled, scales, threshold) if kind == "dog" else _surf(scaled, threshold, most)
    order = np.argsort(-rows[:, -1], kind="stable")[:most]
    return Points(rows[order, :-2], rows[order, -2], rows[order, -1])


def _dog(scaled: Floats, scales: tuple[float, float], threshold: float) -> npt.NDArray[np.float64]:
    from scipy.ndimage import gaussian_filter, maximum_filter

    ratio = 2 ** (1 / 3)
    count = max(1, int(np.floor(np.log(scales[1] / scales[0]) / np.log(ratio)))) + 3
    sigmas = scales[0] / ratio * ratio ** np.arange(count)
    smooth = [gaussian_filter(scaled, sigma, truncate=3.0) for sigma in sigmas]
    response = np.stack([a - b for a, b in pairwise(smooth)]) / (ratio - 1)
    tops = response == maximum_filter(response, 3, mode="constant", cval=-np.inf)
    tops &= response > max(threshold, 1e-9)
    tops[0] = tops[-1] = False  # the scale space goes on there
    found = np.nonzero(tops)
    return np.column_stack([*found[1:], sigmas[found[0]], response[found]]).astype(np.float64)


def _surf(scaled: Floats, threshold: float, most: int) -> npt.NDArray[np.float64]:
    from mahotas.features import surf

    image = np.clip(scaled * 255, 0, 255)
    rows = np.asarray(surf.interest_points(image, 4, 6, 1, threshold=1e-6, max_points=most))
    if not rows.size:
        return np.zeros((0, 4))
    kept = rows[:, 3] >= threshold * rows[:, 3].max()
    strong: npt.NDArray[np.float64] = rows[kept][:, :4].astype(np.float64)
    return strong


def _pixels(function: str, image: npt.ArrayLike, channels: bool) -> Array:
    array = np.asarray(image)
    if array.ndim - channels not in (2, 3) or array.size == 0 or array.dtype.kind not in "buif":
        raise ValueError(
            f"{function}: the image must have 2 or 3 dimensions (and channels when told so) and "
            f"hold real numbers; got shape {array.shape}, {array.dtype}, channels={channels}"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = int(np.count_nonzero(~np.isfinite(array)))
        raise ValueError(f"{function}: every pixel must be finite; got {bad} that are not")
    return array.astype(np.float32)
