"""An image broken up into parts, every part described: pixels, regions, tiles, SURF windows.

Channels of one image and, for training, a mask come in; a bag of parts goes out, a row of
features each, with the part's area and the share of the mask in it. What is learned from
parts, and how their predictions become the image's, is no business of this file.

Four ways, after Coelho et al. 2015, doi:10.1093/bioinformatics/btv156 (pixels, regions,
SURF) and a plain grid. Regions and tiles are described by the sets that ``compute`` takes
when none is named (the camera's grey values: intensity, Haralick's textures, binary
patterns), or by textures that do not change with its gain. SURF windows lie as there, as
densely at every scale; beside their descriptors of unit length stand mean and deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_choice, check_image, check_range

Floats = npt.NDArray[np.float32]
#: Ways to break an image up, and what their size means (pixels).
WAYS: Mapping[str, str] = {
    "pixels": "distance of the pixels looked at",
    "regions": "side of a square of a superpixel's mean area",
    "tiles": "side of a tile",
    "surf": "scale of the descriptor; its window is 20 times as wide",
}
#: Standard deviations of the Gaussians whose differences are the bands, pixels.
BANDS = (1.0, 2.0, 4.0, 8.0, 16.0)
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Distance of the SURF windows, and deviation of the Gaussian that smooths the mask at them
#: (pixels), as published.
SURF_STEP = 8.0


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of one image: m of them.

    Attributes
    ----------
    values : numpy.ndarray of float32
        Shape (m, features).
    areas : numpy.ndarray of float32
        Shape (m,), pixels.
    targets : numpy.ndarray of float32, optional
        Shape (m,), share of the mask in the part, 0 to 1.
    """

    values: Floats = field(repr=False)
    areas: Floats = field(repr=False)
    targets: Floats | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Return the number of parts."""
        return len(self.values)


def describe_parts(
    channels: Sequence[npt.ArrayLike],
    way: str,
    size: float,
    mask: npt.ArrayLike | None = None,
    *,
    textures: bool = False,
    full_scale: float = 256.0,
) -> Parts:
    """Break up an image and describe the parts: ``describe_parts([dna, protein], "tiles", 64)``.

    Parameters
    ----------
    channels : sequence of array_like
        One or more images of one shape (height, width), any real dtype.
    way : str
        One of :data:`WAYS`.
    size : float
        Pixels, 1 to 1024; what of is told there.
    mask : array_like, optional
        Shape (height, width); above 0 counts as in the mask.
    textures : bool
        Regions and tiles are described by patterns, band shapes and the correlation of
        channels, which a change of gain leaves alone, instead of by the standard sets.
    full_scale : float
        The camera's greatest value + 1; 256 grey levels lie below it.

    Returns
    -------
    Parts
        At least one.

    Raises
    ------
    ValueError
        No channel, shapes differ, an image is not 2D, empty or not finite, or a value is out
        of range.
    """
    planes = _planes(channels)
    check_choice("describe_parts", "way", way, tuple(WAYS))
    check_range("describe_parts", "size (pixels)", size, 1, 1024)
    inside = None
    if mask is not None:
        inside = (check_image("describe_parts", mask) > 0).astype(np.float32)
        if inside.shape != planes[0].shape:
            raise ValueError(
                f"describe_parts: mask and channels must have the same shape; "
                f"got {inside.shape} and {planes[0].shape}"
            )
    if way == "pixels":
        return _pixels(planes, max(1, round(size)), inside)
    if way == "surf":
        return _windows(planes, size, inside)
    labels = tile_labels(planes[0].shape, size) if way == "tiles" else _superpixels(planes, size)
    return _regions(planes, labels, inside, textures, full_scale)


def in_context(parts: Parts) -> Parts:
    """Put the mean of an image's parts beside every part: what it is, and in what image.

    The same part means another thing in an image that is stained, lit or crowded otherwise.

    Parameters
    ----------
    parts : Parts
        Of one image, m of them.

    Returns
    -------
    Parts
        Twice as many features; the second half is the mean by area, the same in each row.

    Examples
    --------
    >>> found = in_context(Parts(np.array([[1.0], [4.0]]), np.array([2.0, 1.0])))
    >>> found.values.tolist()
    [[1.0, 2.0], [4.0, 2.0]]
    """
    mean = np.broadcast_to(mean_part(parts), parts.values.shape)
    return replace(parts, values=np.concatenate([parts.values, mean], 1).astype(np.float32))


def mean_part(parts: Parts) -> npt.NDArray[np.float64]:
    """Return the mean of an image's parts by area, shape (features,)."""
    mean: npt.NDArray[np.float64] = np.average(parts.values, axis=0, weights=parts.areas)
    return mean


def _planes(channels: Sequence[npt.ArrayLike]) -> list[Floats]:
    planes = [check_image("describe_parts", channel).astype(np.float32) for channel in channels]
    shapes = {plane.shape for plane in planes}
    if len(shapes) != 1:
        raise ValueError(
            f"describe_parts: needs one or more channels of one shape; got {sorted(shapes)}"
        )
    return planes


# -- how an image is broken up ------------------------------------------------------


def tile_labels(shape: tuple[int, ...], side: float) -> Labels:
    """Return labels of tiles about ``side`` wide that cover the image evenly."""
    counts = [max(1, round(length / side)) for length in shape]
    rows, columns = (
        np.arange(length) * count // length for length, count in zip(shape, counts, strict=True)
    )
    return (rows[:, None] * counts[1] + columns[None, :] + 1).astype(np.int32)


def _superpixels(planes: list[Floats], side: float) -> Labels:
    from skimage.segmentation import slic

    shown = np.stack([_between(_smooth(np.log1p(_lifted(plane)), 1.0)) for plane in planes], -1)
    count = max(1, round(shown[..., 0].size / side**2))
    found: Labels = slic(shown, count, compactness=0.1, start_label=1, channel_axis=-1)
    _, dense = np.unique(found, return_inverse=True)
    return (dense.reshape(found.shape) + 1).astype(np.int32)


def _between(plane: Floats) -> Floats:
    low, high = np.percentile(plane, (1, 99))
    share: Floats = np.clip((plane - low) / max(float(high - low), 1e-6), 0, 1).astype(np.float32)
    return share


def _lifted(plane: Floats) -> Floats:
    """Return the plane without negative values, which have no logarithm."""
    return plane - min(float(plane.min()), 0.0)


def _smooth(plane: Floats, sigma: float) -> Floats:
    from scipy.ndimage import gaussian_filter

    smooth: Floats = gaussian_filter(plane, sigma, mode="nearest")
    return smooth


# -- pixels -------------------------------------------------------------------------


def _pixels(planes: list[Floats], step: int, mask: Floats | None) -> Parts:
    from bioimage_tasks.features.filters import filter_bank

    shape = planes[0].shape
    places = np.ix_(*(np.arange(step // 2 if n > step // 2 else 0, n, step) for n in shape))
    families = ("gaussian", "gradient", "laplacian", "structure")
    banks = [filter_bank(np.log1p(_lifted(plane)), BANDS, families) for plane in planes]
    values = np.concatenate([[plane[places] for plane in bank] for bank in banks])
    rows = values.reshape(len(values), -1).T.astype(np.float32)
    targets = None if mask is None else mask[places].ravel()
    return Parts(np.ascontiguousarray(rows), np.full(len(rows), step**2, np.float32), targets)


# -- SURF windows -------------------------------------------------------------------


def _windows(planes: list[Floats], scale: float, mask: Floats | None) -> Parts:
    from bioimage_tasks.features.surf import describe

    step = max(SURF_STEP, scale / 2)
    found = {
        place: describe(plane, scales=(scale,), spacing=step / scale)
        for place, plane in enumerate(planes)
        if np.ptp(plane) > 0
    }
    middle = np.array([[length // 2 for length in planes[0].shape]])
    places = next((own.places.astype(np.int64) for own in found.values()), middle)
    empty = np.zeros((len(places), 64), np.float32)
    columns = []
    for number, plane in enumerate(planes):
        columns.append(found[number].values if number in found else empty)
        columns.append(_lost(plane, places, scale))
    targets = None
    if mask is not None:
        targets = _smooth(mask, SURF_STEP)[tuple(places.T)]
    areas = np.full(len(places), step**2, np.float32)
    return Parts(np.concatenate(columns, 1).astype(np.float32), areas, targets)


def _lost(plane: Floats, places: Array, scale: float) -> Array:
    """Return mean and deviation of the windows, which a descriptor of unit length lacks."""
    from scipy.ndimage import uniform_filter

    from bioimage_tasks.features.surf import WINDOW

    level = float(plane.mean())
    side = max(3, round(WINDOW * scale))
    mean, squares = (uniform_filter((plane - level) ** power, side) for power in (1, 2))
    deviation = np.sqrt(np.maximum(squares - mean**2, 0))
    both: Array = np.stack([mean + level, deviation], -1)[tuple(places.T)]
    return both


# -- regions and tiles --------------------------------------------------------------


def _regions(
    planes: list[Floats], labels: Labels, mask: Floats | None, textures: bool, scale: float
) -> Parts:
    from bioimage_tasks.features.grouped import ratio, sums

    flat, count = labels.ravel(), int(labels.max())
    areas = sums(flat, None, count)
    both = [(one, other) for place, one in enumerate(planes) for other in planes[place + 1 :]]
    if textures:
        columns = [_textures(plane, labels, flat, count) for plane in planes]
    else:
        columns = [_standard(plane, labels, scale) for plane in planes]
    columns += [_together(one, other, flat, count) for one, other in both]
    values = np.nan_to_num(np.concatenate(columns, 1)).astype(np.float32)
    targets = None
    if mask is not None:
        targets = ratio(sums(flat, mask.ravel(), count), areas).astype(np.float32)
    return Parts(values, areas.astype(np.float32), targets)


def _standard(plane: Floats, labels: Labels, scale: float) -> Array:
    """Return the sets that ``compute`` takes for images, on the camera's grey values."""
    from bioimage_tasks.features.haralick import haralick
    from bioimage_tasks.features.intensity import intensity
    from bioimage_tasks.features.lbp import lbp

    grey = haralick(plane, labels, value_range=(0.0, scale), ignore_zeros=False)
    return np.column_stack(
        [intensity(plane, labels).values, grey.values, lbp(plane, labels).values]
    )


def _textures(plane: Floats, labels: Labels, flat: Array, count: int) -> Array:
    """Return what a camera's gain does not change."""
    from bioimage_tasks.features.grouped import means_and_deviations, quantiles
    from bioimage_tasks.features.haralick import haralick
    from bioimage_tasks.features.lbp import lbp

    lifted = _lifted(plane)
    values = lifted.ravel()
    mean, deviation = means_and_deviations(flat, values, count)
    spread = quantiles(flat, values, count, QUANTILES)
    middle = np.maximum(mean, 1e-6)[:, None]
    contrast = np.column_stack([deviation[:, None] / middle, spread / middle])
    whole = np.quantile(values, QUANTILES)
    scale = max(float(whole[-1] - whole[0]), 1e-6)
    ranked = np.column_stack([mean - whole[2], deviation, spread - whole[2]]) / scale
    bands = np.column_stack(list(_bands(lifted, flat, count)))
    energy = np.maximum(np.sqrt((bands**2).sum(1, keepdims=True)), 1e-9)
    shape = bands / energy
    patterns = [lbp(_smooth(lifted, sigma), labels).values for sigma in (0.5, 2.0)]
    top = max(float(whole[-1]) * 1.5, 1e-6)
    grey = haralick(
        _smooth(lifted, 1.0), labels, levels=32, value_range=(0.0, top), ignore_zeros=False
    )
    return np.column_stack([contrast, ranked, bands / middle, shape, *patterns, grey.values])


def _bands(plane: Floats, flat: Array, count: int) -> Sequence[Array]:
    """Return the deviation within every band of scales, by region."""
    from bioimage_tasks.features.grouped import means_and_deviations

    smooth = [plane, *(_smooth(plane, sigma) for sigma in BANDS)]
    found = []
    for fine, coarse in pairwise(smooth):
        _, deviation = means_and_deviations(flat, (fine - coarse).ravel(), count)
        found.append(deviation)
    return found


def _together(one: Floats, other: Floats, flat: Array, count: int) -> Array:
    """Return how two channels go together, by region: Pearson at three scales."""
    from bioimage_tasks.features.grouped import means_and_deviations, ratio, sums

    found = []
    for sigma in (0.5, 2.0, 8.0):
        left, right = _smooth(one, sigma).ravel(), _smooth(other, sigma).ravel()
        (left_mean, left_dev), (right_mean, right_dev) = (
            means_and_deviations(flat, values, count) for values in (left, right)
        )
        product = ratio(sums(flat, left * right, count), sums(flat, None, count))
        found.append(ratio(product - left_mean * right_mean, left_dev * right_dev))
    return np.column_stack(found)
