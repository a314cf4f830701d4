"""Pictures for people: the image with the outlines of labels and gold standard on it.

Arrays come in, RGB arrays of uint8 go out; writing them is the caller's business.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_image,
    check_labels,
    check_same_shape,
)

Picture = npt.NDArray[np.uint8]

#: Told apart also by readers who don't see red from green (Okabe and Ito 2008).
GOLD_COLOUR = (255, 176, 0)
LABELS_COLOUR = (86, 200, 255)
BOTH_COLOUR = (255, 255, 255)


def overlay(image: Array, labels: Labels, gold: Labels | None = None, zoom: int = 1) -> Picture:
    """Draw outlines on an image: ``write_image("o.png", overlay(image, labels, gold))``.

    The gold standard's outline is amber, ours is blue, white where the two agree.

    Parameters
    ----------
    image : array_like
        Shape (height, width); shown from its 1st to its 99.8th percentile, as the square
        root, so that dim objects are seen.
    labels : array_like of int
        Same shape.
    gold : array_like of int, optional
        Same shape.
    zoom : int
        Each pixel becomes zoom x zoom ones; outlines stay one pixel thin.

    Returns
    -------
    numpy.ndarray of uint8
        Shape (height * zoom, width * zoom, 3).

    Raises
    ------
    ValueError
        Shapes differ, or one is not an image or labels.
    """
    array = check_image("overlay", image)
    ours = check_labels("overlay", "labels", labels)
    check_same_shape("overlay", ours, array)
    picture = _grey(_zoomed(array, zoom))
    inner = outlines(_zoomed(ours, zoom))
    picture[inner] = LABELS_COLOUR
    if gold is not None:
        truth = check_labels("overlay", "gold", gold)
        check_same_shape("overlay", ours, truth)
        right = outlines(_zoomed(truth, zoom))
        picture[right] = GOLD_COLOUR
        picture[right & inner] = BOTH_COLOUR
    return picture


def outlines(labels: Labels) -> Mask:
    """Return the pixels of objects that have a neighbour of another number (4-connected)."""
    edge = np.zeros(labels.shape, dtype=bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        before = [slice(None)] * 2
        after = [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        edge[tuple(before)] |= differs
        edge[tuple(after)] |= differs
    inside: Mask = edge & (labels > 0)
    return inside


def _zoomed(array: Array, zoom: int) -> Array:
    if zoom < 1:
        raise ValueError(f"overlay: zoom must be at least 1; got {zoom}")
    return array if zoom == 1 else array.repeat(zoom, axis=0).repeat(zoom, axis=1)


def _grey(image: Array) -> Picture:
    low, high = np.percentile(image, (1.0, 99.8))
    span = max(float(high - low), 1e-9)
    share = np.clip((image.astype(np.float64) - low) / span, 0, 1)
    level = (np.sqrt(share) * 235).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=2)
