"""The form of objects: size, elongation, smoothness of outline, holes.

Labels come in, one row an object goes out. All objects are measured at once, from their
runs; the ratios are formed here, and an object of a pixel or a line gets the values of its
limit, not NaN. The image's pixels are not looked at.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels
from bioimage_tasks.features.grouped import ratio
from bioimage_tasks.features.holes import filled_sizes
from bioimage_tasks.features.hulls import filled_rows, reaches, rows_of
from bioimage_tasks.features.moments import axes, central_moments, hu_moments
from bioimage_tasks.features.outlines import euler_numbers, perimeters
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.runs import Runs
from bioimage_tasks.features.table import FeatureTable, Values


@register("shape", dimensions=(2, 3), objects=True)
def shape(image: Array, labels: Labels, *, feret: bool = False) -> FeatureTable:
    """Area, perimeter, axes, eccentricity, solidity, form factor, holes, Hu's moments.

    Parameters
    ----------
    image : numpy.ndarray
        2D, or 3D for volume, filled volume, equivalent diameter, extent, Euler number.
    labels : numpy.ndarray of int32
    feret : bool
        Whether the greatest caliper is measured too.

    Notes
    -----
    ``form_factor`` is 4 pi area / perimeter^2: 0.91 for a large disc, because a perimeter
    along pixels is 5 % too long; of few pixels it is too short and the factor above 1. Hu's seven moments come as
    sign and logarithm, because they span many decades; the last changes its sign in a
    mirror.
    """
    runs = Runs.of(labels)
    if image.ndim == 3:
        return FeatureTable.of(_of_volumes(runs))
    return FeatureTable.of(_of_areas(runs, feret))


def _of_volumes(runs: Runs) -> dict[str, tuple[str, Values]]:
    volume = runs.sizes.astype(np.float64)
    return {
        "volume": ("px^3", volume),
        "diameter": ("px", np.cbrt(6 * volume / np.pi)),
        "filled": ("1", ratio(volume, filled_sizes(runs), 1.0)),
        "extent": ("1", ratio(volume, runs.box_sizes)),
        "euler_number": ("1", euler_numbers(runs)),
    }


def _of_areas(runs: Runs, feret: bool) -> dict[str, tuple[str, Values]]:
    area, perimeter = runs.sizes.astype(np.float64), perimeters(runs)
    moments = central_moments(runs)
    major, minor, eccentricity = axes(moments)
    hull = filled_rows(rows_of(runs))
    convex = np.bincount(hull.owner, hull.last - hull.first + 1, minlength=runs.count)
    columns = {
        "area": ("px^2", area),
        "perimeter": ("px", perimeter),
        "diameter": ("px", np.sqrt(4 * area / np.pi)),
        "axis_major": ("px", major),
        "axis_minor": ("px", minor),
        "aspect": ("1", ratio(minor, major, 1.0)),
        "eccentricity": ("1", eccentricity),
        "solidity": ("1", ratio(area, convex)),
        "extent": ("1", ratio(area, runs.box_sizes)),
        "form_factor": ("1", ratio(4 * np.pi * area, perimeter**2, 1.0)),
        "filled": ("1", ratio(area, filled_sizes(runs), 1.0)),
        "holes": ("1", 1 - euler_numbers(runs)),
    }
    if feret:
        columns["feret"] = ("px", reaches(hull, runs.count))
    for rank, moment in enumerate(hu_moments(moments).T, 1):
        columns[f"hu_{rank}"] = ("1", np.sign(moment) * np.log10(1 + 1e12 * np.abs(moment)))
    return columns
