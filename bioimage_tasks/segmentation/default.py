"""Nuclei without a parameter: a first find on the root's scale, then each its own threshold.

An image with bright objects comes in, labels go out. A blurred edge is steepest near half
of the contrast, and there objects are cut and parted, whatever lies below them. Whoever
outlines by hand draws around that edge, the further out the larger the object is: 0.02 to
0.03 diameters from half of the contrast, whether a nucleus is 14 or 100 pixels wide. So
what was parted is grown by a margin that follows the diameter. Means and backgrounds are
found anew in a second look, from the objects of the first. What is too dim for the first find
is sought where nothing was found.
Lengths are in object diameters, which the image tells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bioimage_tasks.checks import (
    Array,
    Labels,
    check_choice,
    check_image,
    check_range,
    check_varied,
)
from bioimage_tasks.segmentation import bright, haze, masks, objects
from bioimage_tasks.segmentation.cut import Cut
from bioimage_tasks.segmentation.faint import faint
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scale import diameter_or_estimate

#: Least size of an object cut by the border, as a share of a whole one's.
BORDER_SHARE = 0.15
#: An object reaches so far outside of what the first threshold finds of it, in diameters: what
#: is about as bright as the threshold is found in part only. In haze that much can't be told
#: from what lies around.
FAR, CLOSE = 0.1, 0.03


@register("root-contrast")
def root_contrast(
    image: Array,
    *,
    fraction: float = 0.55,
    margin: float = 0.025,
    window: float = 3.0,
    looks: int = 2,
    split: float = 0.05,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.25,
    min_contrast: float = 0.3,
    faintest: float = 0.02,
    border: str = "keep",
) -> Labels:
    """Label bright objects, each cut at its own contrast: ``root_contrast(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width), bright objects on a darker background, any real dtype.
    fraction : float
        Where an edge lies between the local background and its object's mean, in [0, 1].
    margin : float
        How far outside of the edge the outline lies, in diameters; objects that touch stay
        parted where they were.
    window : float
        Side of the window in which the background is sought, in diameters.
    looks : int
        How often objects are cut and parted; from the second look on, the background is
        sought between the objects of the one before. 1 to 10.
    split : float
        Depth of a neck at which touching objects are parted, in diameters; 0 for never.
    diameter : float, optional
        Usual diameter of an object in pixels; estimated when not given.
    smoothing : float
        Sigma of the Gaussian before anything else, in diameters; 0 for none.
    fill : bool
        Whether enclosed holes belong to the object.
    min_size : float
        Least area of an object, as a share of a disc of one diameter; of one that the border
        cuts, :data:`BORDER_SHARE` of it.
    min_contrast : float
        Least brightness above background, as a share of the median object's, of what the
        first threshold finds.
    faintest : float
        The same of what it does not find, or is dimmer than ``min_contrast``, and looks like
        an object in shape, outline and surroundings (see
        :mod:`bioimage_tasks.segmentation.faint`); 1 seeks none.
    border : str
        ``keep`` or ``clear`` objects that touch the image's border.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    name = "root_contrast"
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "faintest", faintest, 0, 1)
    check_range(name, "smoothing", smoothing, 0, 5)
    cut = Cut(
        fraction=check_range(name, "fraction", fraction, 0, 1),
        margin=check_range(name, "margin", margin, 0, 5),
        window=check_range(name, "window", window, 0.1, 100),
        looks=int(check_range(name, "looks", looks, 1, 10)),
        split=check_range(name, "split", split, 0, 5),
        fill=fill,
        reach=CLOSE,
    )
    pixels = masks.prepare(check_varied(name, check_image(name, image)))
    usual = bright.dimmed(pixels)
    ground = haze.even(usual)
    if ground is usual:
        cut = replace(cut, reach=FAR)
    length = diameter_or_estimate(name, diameter, ground, dim=False)
    light = masks.smooth(pixels, smoothing * length)
    clear = light if ground is pixels else masks.smooth(ground, smoothing * length)

    def kept(labels: Labels, least: float) -> Labels:
        """Return the objects, grown by the margin, that are large and bright enough."""
        return objects.clean(
            name, labels, clear, length,
            min_size=min_size, min_contrast=least, border=border, border_share=BORDER_SHARE,
        )  # fmt: skip

    steps = cut.steps(length)
    first = cut.looked(light, masks.bright(clear), length)
    labels = kept(objects.grown(first, steps), min_contrast)
    if faintest == 1 or not labels.any():
        return labels
    more = objects.grown(faint(light, clear, labels, length, cut, faintest), steps)
    more = kept(np.where(labels > 0, 0, more), 0.0)
    return np.where(more > 0, more + labels.max(), labels)
