"""The form of objects: size, elongation, smoothness of outline, holes.

Labels come in, one row an object goes out. scikit-image measures, the ratios are formed
here, and an object of a pixel or a line gets the values of its limit, not NaN. The image's
pixels are not looked at.
"""

from __future__ import annotations

import warnings

import numpy as np

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.features.grouped import ratio
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable, Values

_MEASURED = (
    "area",
    "area_convex",
    "area_filled",
    "axis_major_length",
    "axis_minor_length",
    "eccentricity",
    "euler_number",
    "extent",
    "feret_diameter_max",
    "moments_hu",
    "perimeter",
)
_SOLID = ("area", "area_filled", "equivalent_diameter_area", "extent", "euler_number")


@register("shape", dimensions=(2, 3), objects=True)
def shape(image: Array, labels: Labels, *, feret: bool = False) -> FeatureTable:
    """Area, perimeter, axes, eccentricity, solidity, form factor, holes, Hu's moments.

    Parameters
    ----------
    image : numpy.ndarray
        2D, or 3D for volume, filled volume, equivalent diameter, extent, Euler number.
    labels : numpy.ndarray of int32
    feret : bool
        Whether the greatest caliper is measured too: slow.

    Notes
    -----
    ``form_factor`` is 4 pi area / perimeter^2: 0.91 for a large disc, because a perimeter
    along pixels is 5 % too long; of few pixels it is too short and the factor above 1. Hu's seven moments come as
    sign and logarithm, because they span many decades; the last changes its sign in a
    mirror.
    """
    from skimage.measure import regionprops_table

    if image.ndim == 3:
        table = regionprops_table(labels, properties=_SOLID)
        return FeatureTable.of(_of_volumes(table))
    wanted = [name for name in _MEASURED if feret or name != "feret_diameter_max"]
    with warnings.catch_warnings():  # a line of pixels has no convex hull
        warnings.filterwarnings("ignore", message="Failed to get convex hull")
        table = regionprops_table(labels, properties=wanted)
    return FeatureTable.of(_of_areas(table))


def _of_volumes(table: dict[str, Values]) -> dict[str, tuple[str, Values]]:
    return {
        "volume": ("px^3", table["area"]),
        "diameter": ("px", table["equivalent_diameter_area"]),
        "filled": ("1", ratio(table["area"], table["area_filled"], 1.0)),
        "extent": ("1", table["extent"]),
        "euler_number": ("1", table["euler_number"]),
    }


def _of_areas(table: dict[str, Values]) -> dict[str, tuple[str, Values]]:
    area, perimeter = table["area"], table["perimeter"]
    major, minor = table["axis_major_length"], table["axis_minor_length"]
    hull = np.maximum(table["area_convex"], area)
    columns = {
        "area": ("px^2", area),
        "perimeter": ("px", perimeter),
        "diameter": ("px", np.sqrt(4 * area / np.pi)),
        "axis_major": ("px", major),
        "axis_minor": ("px", minor),
        "aspect": ("1", ratio(minor, major, 1.0)),
        "eccentricity": ("1", table["eccentricity"]),
        "solidity": ("1", area / hull),
        "extent": ("1", table["extent"]),
        "form_factor": ("1", ratio(4 * np.pi * area, perimeter**2, 1.0)),
        "filled": ("1", ratio(area, table["area_filled"], 1.0)),
        "holes": ("1", 1 - table["euler_number"]),
    }
    if "feret_diameter_max" in table:
        columns["feret"] = ("px", table["feret_diameter_max"])
    for rank in range(7):
        moment = table[f"moments_hu-{rank}"]
        columns[f"hu_{rank + 1}"] = ("1", np.sign(moment) * np.log10(1 + 1e12 * np.abs(moment)))
    return columns
