"""Objects that may overlap, painted into one label image by a fixed rule.

Coordinates of objects come in, labels go out. Must not know where they come from.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioimage_tasks.checks import Array, Labels


def paint(shape: tuple[int, int], objects: Sequence[tuple[Array, ...]]) -> Labels:
    """Paint objects numbered in their order: ``paint((512, 512), [(rows, columns), ...])``.

    Where objects overlap the pixel belongs to the smaller one, of equal ones to the
    first: a small object on a large one stays whole, and the order of files or the number
    of workers changes nothing. An object without pixels gets no number.

    Parameters
    ----------
    shape : tuple of int
        (height, width) in pixels.
    objects : sequence of (rows, columns)
        Pixels of each object, integer arrays.

    Returns
    -------
    numpy.ndarray of int32
        Labels; an object that others cover wholly has none.
    """
    labels = np.zeros(shape, dtype=np.int32)
    sizes = [len(rows) for rows, _columns in objects]
    for index in sorted(range(len(objects)), key=lambda at: (-sizes[at], -at)):
        labels[objects[index]] = index + 1
    return labels
