"""What planes show of a candidate: inside it, on its outline, at its necks, just beyond.

Regions of a map and some planes of the same shape (maps of classes, the image) come in,
numbers go out, a row a region. A map that is high all over a region and low along the neck
where it was cut speaks for the cut; one that is low all over speaks against the region.
Must not know what makes a region good.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioimage_tasks.segmentation.candidates import Doubles, Integers, Regions
from bioimage_tasks.segmentation.masks import Floats, smooth

#: Columns of :func:`plane_measures` for each plane, in this order.
SEEN = (
    "mean",  # inside
    "deviation",  # inside
    "over_around",  # mean inside, less that of a Gaussian window around
    "outline",  # mean on the outline to the background
    "step",  # mean on the outline, less that one pixel beyond
    "neck",  # mean along necks where it was cut, less the mean inside; 0 without
)
#: Sigma of the window around, diameters.
AROUND = 0.5


def plane_measures(
    regions: Regions, surface: Floats, planes: Sequence[Floats], diameter: float
) -> Doubles:
    """Measure planes in all regions: columns :data:`SEEN` for each plane.

    Parameters
    ----------
    regions : Regions
        2D, of ``surface`` at ascending thresholds.
    surface : numpy.ndarray of float32
        What the regions were cut from, in the unit of their levels.
    planes : sequence of numpy.ndarray of float32
        Shape of the surface.
    diameter : float
        Typical diameter of an object, pixels.

    Returns
    -------
    numpy.ndarray of float64, shape (regions, 6 * planes)
    """
    if not len(regions):
        return np.zeros((0, len(SEEN) * len(planes)))
    area = regions.area.astype(np.float64)
    stack = np.stack([plane.ravel() for plane in planes], axis=1).astype(np.float64)
    listed = stack[regions.pixels]
    mean = _sums(regions, listed) / area[:, None]
    variance = _sums(regions, listed**2) / area[:, None] - mean**2
    wide = np.stack([smooth(plane, AROUND * diameter).ravel() for plane in planes], axis=1)
    around = _sums(regions, wide.astype(np.float64)[regions.pixels]) / area[:, None]
    outline, beyond, neck = _borders(regions, surface, stack, mean)
    columns = [
        mean,
        np.sqrt(np.maximum(variance, 0)),
        mean - around,
        outline,
        outline - beyond,
        neck - mean,
    ]
    made: Doubles = np.stack(columns, axis=2).reshape(len(regions), -1)
    return made


def _sums(regions: Regions, values: Doubles) -> Doubles:
    total = np.zeros((len(values) + 1, values.shape[1]))
    np.cumsum(values, axis=0, out=total[1:])
    sums: Doubles = total[regions.stop] - total[regions.start]
    return sums


def _borders(
    regions: Regions, surface: Floats, stack: Doubles, mean: Doubles
) -> tuple[Doubles, Doubles, Doubles]:
    """Return means on the outline, beyond it and along necks; inside where there is none."""
    height, width = regions.shape
    high = np.pad(surface, 1, constant_values=-np.inf).ravel()
    rim = np.pad(np.zeros(regions.shape, dtype=bool), 1, constant_values=True).ravel()
    rows, columns = np.divmod(np.arange(height * width), width)
    padded = (rows + 1) * (width + 2) + columns + 1
    back = np.zeros(len(high), dtype=np.int64)
    back[padded] = np.arange(len(padded))
    steps = np.array((-1, 1, -width - 2, width + 2))
    inside = np.zeros(len(high), dtype=bool)
    outline, beyond, neck = mean.copy(), mean.copy(), mean.copy()
    for row in range(len(regions)):
        members = regions.members(row)
        at = padded[members]
        inside[at] = True
        others = at[:, None] + steps
        out = ~inside[others] & ~rim[others]
        inside[at] = False
        # What lies beyond but above the threshold is another part of the same component.
        parts = out & (high[others] > regions.level[row])
        free = out & ~parts
        _mean_into(outline, row, stack, members[free.any(1)])
        _mean_into(beyond, row, stack, back[others[free]])
        _mean_into(neck, row, stack, members[parts.any(1)])
    return outline, beyond, neck


def _mean_into(table: Doubles, row: int, stack: Doubles, places: Integers) -> None:
    if len(places):
        table[row] = stack[places].mean(0)
