"""The image with labels on it: their outlines beside the gold standard's, or their colours.

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
    check_range,
    check_same_shape,
)

Picture = npt.NDArray[np.uint8]

#: Told apart also by readers who don't see red from green (Okabe and Ito 2008).
GOLD_COLOUR = (255, 176, 0)
LABELS_COLOUR = (86, 200, 255)
BOTH_COLOUR = (255, 255, 255)
#: Okabe and Ito's colours without black and grey, light and dark by turns.
_PALETTE = np.array(
    [
        (86, 180, 233), (213, 94, 0), (240, 228, 66), (0, 114, 178),
        (230, 159, 0), (0, 158, 115), (204, 121, 167),
    ],
    dtype=np.float64,
)  # fmt: skip


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


def coloured(image: Array, labels: Labels, share: float = 0.45) -> Picture:
    """Lay a colour over every object: ``write_image("o.png", coloured(image, labels))``.

    Neighbours differ in hue and in lightness, so that they are told apart without seeing
    red from green too; object n has the same colour in every picture.

    Parameters
    ----------
    image : array_like
        Shape (height, width).
    labels : array_like of int
        Same shape.
    share : float
        Of the colour, 0 to 1; the rest is the image.

    Returns
    -------
    numpy.ndarray of uint8
        Shape (height, width, 3).

    Raises
    ------
    ValueError
        Shapes differ, one is not an image or labels, or the share is out of range.
    """
    array = check_image("coloured", image)
    ours = check_labels("coloured", "labels", labels)
    check_same_shape("coloured", ours, array)
    check_range("coloured", "share", share, 0, 1)
    grey = _grey(array).astype(np.float64)
    paint = _PALETTE[(ours.astype(np.int64) - 1) % len(_PALETTE)]
    mixed = grey * (1 - share) + paint * share
    picture: Picture = np.where((ours > 0)[..., None], mixed, grey).astype(np.uint8)
    picture[outlines(ours)] = paint[outlines(ours)]
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
