"""What is usual in an image, told without learning, and how candidates differ from it.

Regions, their measures and labels of a plain guess come in; how each region differs from
the usual object goes out. Laboratories differ in magnification, exposure and haze more than
a nucleus differs from its neighbours, so these differences mean the same elsewhere where the
measures don't. The guess needs no gold standard and need not be right: medians are taken.

Must not know what a good region is.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Labels
from bioimage_tasks.segmentation import masks, objects
from bioimage_tasks.segmentation.candidates import Doubles, Integers, Regions, overlaps
from bioimage_tasks.segmentation.candidates_measures import MEASURES
from bioimage_tasks.segmentation.masks import Floats

#: Measures in which a candidate is compared with the usual object of its image.
COMPARED = (
    "size",
    "signal",
    "brightness",
    "texture",
    "edge_share",
    "root_height",
    "roundness",
    "haze",
)
#: A region stands for an object of the guess from this IoU on.
LIKE = 0.5
#: At least so many make what is usual; with fewer, regions that are less like count too.
FEW = 3


def guess(light: Floats, diameter: float) -> Labels:
    """Return objects of one threshold, parted at necks, without the small and dim ones.

    Parameters
    ----------
    light : numpy.ndarray of float32
        2D, smoothed, darkest about 0.
    diameter : float
        Typical diameter of an object, pixels.
    """
    labels = objects.parted(masks.bright(light), diameter, 0.06, fill=True)
    return objects.clean(
        "candidates", labels, light, diameter, min_size=0.1, min_contrast=0.3, border="keep"
    )


def usual_rows(regions: Regions, labels: Labels) -> Integers:
    """Return the rows of the regions that are most like the objects of a guess.

    Parameters
    ----------
    regions : Regions
    labels : numpy.ndarray of int32
        1..N, of the regions' shape.

    Returns
    -------
    numpy.ndarray of int64
        One an object, of those with an IoU of 0.5; of all where these are fewer than three.
    """
    iou, which = overlaps(regions, labels)
    order = np.lexsort((-iou, which))
    first = order[np.r_[True, np.diff(which[order]) > 0]] if len(order) else order
    first = first[which[first] > 0]
    like = first[iou[first] >= LIKE]
    return like if len(like) >= FEW else first


def differences(measures: Doubles, rows: Integers) -> Doubles:
    """Return how regions differ from the median of some in :data:`COMPARED`.

    Parameters
    ----------
    measures : numpy.ndarray of float64, shape (regions, measures)
        The first columns are :data:`.candidates_measures.MEASURES`.
    rows : numpy.ndarray of int64
        The usual ones; all where there are none.
    """
    columns = measures[:, [MEASURES.index(name) for name in COMPARED]]
    if not len(columns):
        return columns
    return columns - np.median(columns[rows] if len(rows) else columns, axis=0)
