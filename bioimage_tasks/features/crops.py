"""Objects one at a time, for what can't be computed in one pass.

An image and labels come in, (row, masked crop) pairs come out one by one. Each object's
crop is its own box, so that all of them together cost as much as their boxes have pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bioimage_tasks.checks import Array, Labels


def crops(image: Array, labels: Labels | None) -> Iterator[tuple[int, Array]]:
    """Yield (row from 0, the object's box with zeros outside of the object)."""
    if labels is None:
        yield 0, image
        return
    from scipy.ndimage import find_objects

    for place, box in enumerate(find_objects(labels)):
        yield place, np.where(labels[box] == place + 1, image[box], image.dtype.type(0))
