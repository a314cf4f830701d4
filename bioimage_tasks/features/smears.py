"""What a stained blood smear shows: how much is stained, pieces and peaks of several sizes.

An RGB image comes in, named numbers go out, and a map of density for one who has boxes.
Lengths are shares of the image's height, so that another magnification changes little.
Must not know counts or what is learned.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array
from bioimage_tasks.features.table import FeatureTable

Floats = npt.NDArray[np.float64]
#: Radii at which round things are sought, shares of the height.
RADII = (0.05, 0.07, 0.09)
#: Purple is what exceeds this share of the purplest (99.5th percentile).
PURPLE = 0.35
#: Gap between the lobes of one nucleus (share of the height); least areas (of the image).
GAP, WHITE_CELL, PLATELET = 4 / 240, 0.01, 0.0003
#: Rows that every image is brought to first.
ROWS = 240


def smear_features(image: npt.ArrayLike) -> FeatureTable:
    """Describe a smear: ``smear_features(image).values``, one row.

    Parameters
    ----------
    image : array_like
        Shape (height, width, 3), RGB, brightfield: background is light.

    Raises
    ------
    ValueError
        Not an RGB image, empty or not finite.
    """
    red, green, blue = _absorbed(image)
    found: dict[str, float] = {}
    for name, plane in (("red", red), ("green", green), ("blue", blue)):
        for share in (0.05, 0.25, 0.5, 0.75, 0.95):
            found[f"{name}_quantile_{share:g}"] = float(np.quantile(plane, share))
        found[f"{name}_std"] = float(plane.std())
    index = _smooth(red - blue, 1.0)
    # Nuclei and platelets are so dark that with many of them Otsu parts them from the rest.
    cells = green > _otsu(green[~_is_purple(index)])
    found |= _pieces("cells", cells, (0.002, 0.005, 0.02))
    found |= _peaks("cells", cells)
    found |= _rounds(green)
    found |= _purple(index)
    found |= _colours(image)
    return FeatureTable.of({name: ("1", np.array([value])) for name, value in found.items()})


def _purple(index: Floats) -> dict[str, float]:
    """Count nuclei and platelets: they take up more red light than blue, red cells less."""
    from scipy.ndimage import distance_transform_edt, label

    purple = _is_purple(index)
    grown = distance_transform_edt(~purple) <= GAP * len(index)
    closed = purple | (distance_transform_edt(grown) > GAP * len(index))
    whole, pieces = (
        np.bincount(label(mask)[0].ravel())[1:] / index.size for mask in (closed, purple)
    )
    return {
        "purple_area": float(purple.mean()),
        "white_cells": float((whole > WHITE_CELL).sum()),
        "platelets": float(((pieces > PLATELET) & (pieces < 10 * PLATELET)).sum()),
    }


def _is_purple(index: Floats) -> npt.NDArray[np.bool_]:
    return index > max(PURPLE * float(np.quantile(index, 0.995)), 1e-6)


def _colours(image: npt.ArrayLike) -> dict[str, float]:
    """Return mean, deviation and quantiles of every colour as the camera gave it."""
    found = {}
    for name, plane in zip(
        ("red", "green", "blue"), np.moveaxis(np.asarray(image), 2, 0), strict=True
    ):
        ranked = np.quantile(plane, (0.05, 0.25, 0.5, 0.75, 0.95))
        for place, value in enumerate((plane.mean(), plane.std(), *ranked)):
            found[f"raw_{name}_{place}"] = float(value)
    return found


def _absorbed(image: npt.ArrayLike) -> Floats:
    """Return the absorbance of every channel against the light background, 240 rows."""
    from scipy.ndimage import zoom

    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or not array.size:
        raise ValueError(
            f"smear_features: the image must be RGB, (height, width, 3); got {array.shape}"
        )
    if array.dtype.kind not in "uif" or not np.isfinite(array).all():
        raise ValueError("smear_features: every pixel must be a finite number; got another")
    factor = ROWS / array.shape[0]
    planes = []
    for channel in range(3):
        plane = _smooth(array[..., channel].astype(np.float64), max(0.5 / factor - 0.5, 0.3))
        plane = zoom(plane, factor, order=1)
        light = max(float(np.quantile(plane, 0.95)), 1.0)
        planes.append(-np.log(np.clip(plane, 1, None) / light).clip(-1, 5))
    return np.stack(planes)


def _smooth(plane: Floats, sigma: float) -> Floats:
    from scipy.ndimage import gaussian_filter

    smooth: Floats = gaussian_filter(plane, sigma)
    return smooth


def _otsu(plane: Floats) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(plane)) if plane.size and np.ptp(plane) else np.inf


def _pieces(name: str, mask: Array, least: tuple[float, ...]) -> dict[str, float]:
    """Count pieces above several areas (shares of the image), and what they cover."""
    from scipy.ndimage import label

    numbers, _ = label(mask)
    areas = np.bincount(numbers.ravel())[1:] / mask.size
    found = {f"{name}_area": float(mask.mean())}
    for share in least:
        found[f"{name}_pieces_{share:g}"] = float((areas > share).sum())
    big = areas[areas > least[0]]
    found[f"{name}_median_area"] = float(np.median(big)) if len(big) else 0.0
    found[f"{name}_largest"] = float(areas.max(initial=0))
    return found


def _peaks(name: str, mask: Array) -> dict[str, float]:
    """Count maxima of the distance to the background that lie apart."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt
    from skimage.feature import peak_local_max

    distance = _smooth(distance_transform_edt(binary_fill_holes(mask)), 1.5)
    return {
        f"{name}_peaks_{radius:g}": float(
            len(
                peak_local_max(
                    distance,
                    min_distance=max(1, round(radius * mask.shape[0])),
                    threshold_abs=0.35 * radius * mask.shape[0],
                    exclude_border=False,
                )
            )
        )
        for radius in RADII
    }


def _rounds(plane: Floats) -> dict[str, float]:
    """Count maxima of the Laplacian of Gaussians, and its strength, at several radii."""
    from scipy.ndimage import gaussian_laplace
    from skimage.feature import peak_local_max

    found = {}
    for radius in RADII:
        pixels = radius * plane.shape[0]
        response = -gaussian_laplace(plane, pixels / np.sqrt(2)) * pixels**2 / 2
        least = max(0.25 * float(np.quantile(response, 0.99)), 1e-6)
        places = peak_local_max(
            response, min_distance=round(0.8 * pixels), threshold_abs=least, exclude_border=False
        )
        found[f"rounds_{radius:g}"] = float(len(places))
        found[f"rounds_{radius:g}_strength"] = float(response.clip(0).mean())
    return found


def spread(boxes: npt.ArrayLike, shape: tuple[int, int]) -> Floats:
    """Return a map whose sum over a region is the number of objects in it.

    Parameters
    ----------
    boxes : array_like of float
        Shape (n, 4): top, left, bottom, right, pixels. Each is spread evenly over its area
        inside the image.
    shape : tuple of int
        Height and width.

    Raises
    ------
    ValueError
        Boxes are not (n, 4).
    """
    found = np.zeros(shape)
    table = np.asarray(boxes, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != 4:
        raise ValueError(f"spread: boxes must have the shape (n, 4); got {table.shape}")
    for top, left, bottom, right in table:
        rows = slice(int(max(top, 0)), max(int(bottom), int(top) + 1))
        columns = slice(int(max(left, 0)), max(int(right), int(left) + 1))
        own = found[rows, columns]
        if own.size:
            own += 1 / own.size
    return found
