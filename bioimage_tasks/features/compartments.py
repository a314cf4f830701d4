"""Nucleus against cytoplasm: where in its cell the light of a channel lies.

An image and labels of nuclei come in, and labels of whole cells or the width of a ring that
stands in for cytoplasm; one row a nucleus goes out. Must not know how either was segmented.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels, check_labels, check_range
from bioimage_tasks.features.grouped import means_and_deviations, ratio, sums
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable


@register("compartments", objects=True)
def compartments(
    image: Array,
    labels: Labels,
    *,
    cells: Labels | None = None,
    ring: float = 8.0,
    gap: float = 1.0,
) -> FeatureTable:
    """Mean light in nucleus and cytoplasm, their ratio, share of light and area in the nucleus.

    Parameters
    ----------
    image : numpy.ndarray
        Shape (height, width).
    labels : numpy.ndarray of int32
        Nuclei.
    cells : numpy.ndarray of int, optional
        Labels of whole cells in any numbering, shape of the image. A nucleus belongs to the
        cell that holds most of it; two nuclei of one cell share its cytoplasm.
    ring : float
        Without cells: how far the cytoplasm reaches from the nucleus, pixels; where two
        meet, each pixel goes to the nearer nucleus.
    gap : float
        Pixels around a nucleus that belong to neither: its rim is blurred.

    Raises
    ------
    ValueError
        A value out of range, or cells of another shape.

    Notes
    -----
    Columns of an object without cytoplasm (no room, no cell) are NaN, but for the nucleus's.
    """
    check_range("compartments", "ring (pixels)", ring, 1.0, 1e6)
    check_range("compartments", "gap (pixels)", gap, 0.0, 1e6)
    count = int(labels.max())
    owner, plasma = _cytoplasm(labels, cells, ring, gap, count)
    values = image.ravel().astype(np.float64)
    inside, spread = means_and_deviations(labels.ravel(), values, count)
    area = sums(labels.ravel(), None, count)
    last = int(max(owner.max(initial=0), plasma.max(initial=0)))
    known = np.append(0.0, means_and_deviations(plasma, values, last)[0])
    size = np.append(0.0, sums(plasma, None, last))
    outside = np.where(size[owner] > 0, known[owner], np.nan)
    light, light_outside = inside * area, outside * size[owner]
    return FeatureTable.of(
        {
            "nucleus_mean": ("grey", inside),
            "nucleus_std": ("grey", spread),
            "cytoplasm_mean": ("grey", outside),
            "difference": ("grey", inside - outside),
            "ratio": ("1", ratio(inside, outside, np.nan)),
            "light_share": ("1", ratio(light, light + light_outside, np.nan)),
            "area_share": ("1", np.where(size[owner] > 0, area / (area + size[owner]), np.nan)),
        }
    )


def _cytoplasm(
    labels: Labels, cells: Labels | None, ring: float, gap: float, count: int
) -> tuple[Array, Array]:
    """Return the cell of every nucleus and, flat, the cell of every pixel of cytoplasm."""
    from scipy.ndimage import distance_transform_edt

    away, nearest = distance_transform_edt(labels == 0, return_indices=True)
    outside = away > gap
    if cells is None:
        owners = labels[tuple(nearest)]
        plasma = np.where(outside & (away <= gap + ring), owners, 0)
        return np.arange(1, count + 1), plasma.ravel()
    whole = check_labels("compartments", "cells", cells).astype(np.int64)
    if whole.shape != labels.shape:
        raise ValueError(
            f"compartments: cells must have the image's shape, were they paired rightly? "
            f"got {whole.shape} and {labels.shape}"
        )
    return _most_of(labels, whole, count), np.where(outside, whole, 0).ravel()


def _most_of(labels: Labels, cells: Array, count: int) -> Array:
    """Return the cell that holds most of every nucleus, 0 where none does."""
    inside = np.flatnonzero(labels)
    span = int(cells.max()) + 1
    keys, times = np.unique(
        labels.ravel()[inside].astype(np.int64) * span + cells.ravel()[inside], return_counts=True
    )
    nucleus, cell = np.divmod(keys, span)
    owner = np.zeros(count + 1, dtype=np.int64)
    order = np.argsort(times, kind="stable")  # the most frequent is written last
    owner[nucleus[order]] = cell[order]
    return owner[1:]
