"""An image as methods want it: a plane or a stack, smoothed, with the length that others follow.

An image comes in, a scene goes out, and a scene answers what methods ask: backgrounds,
distances, hills, which objects to keep. In a plane lengths are pixels; in a stack they are in
the unit of the voxel's size, whose planes may lie further apart than its pixels. So a method
is written once. Must not know methods.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_choice,
    check_image,
    check_range,
    check_varied,
)
from bioimage_tasks.segmentation import masks, objects, scale, voxels
from bioimage_tasks.segmentation.hills import hills
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.seeds import standing
from bioimage_tasks.segmentation.voxels import Steps

#: A last axis so short is that of channels, unless a spacing says that it is not.
CHANNELS = (3, 4)


@dataclass(frozen=True, eq=False)
class Scene:
    """A prepared image.

    Attributes
    ----------
    pixels : numpy.ndarray of float32
        Smoothed, the darkest about 0; shape (height, width) or (depth, height, width).
    diameter : float
        Usual diameter of an object, in pixels or in the unit of ``steps``.
    steps : tuple of 3 floats, optional
        Size of a voxel; None in a plane.
    """

    pixels: Floats = field(repr=False)
    diameter: float
    steps: Steps | None = None

    def box(self, side: float) -> tuple[int, ...]:
        """Return the odd numbers of pixels along each axis of a box ``side`` diameters wide."""
        steps = self.steps or (1.0,) * self.pixels.ndim
        return voxels.box(side * self.diameter, steps)

    def smooth(self, surface: Floats, sigma: float) -> Floats:
        """Return a surface under a Gaussian of ``sigma`` diameters."""
        if self.steps is None:
            return masks.smooth(surface, sigma * self.diameter)
        return voxels.smooth(surface, sigma * self.diameter, self.steps)

    def background(self, mask: Mask, window: float) -> Floats:
        """Return the mean outside of a mask within ``window`` diameters."""
        if self.steps is None:
            return masks.background(self.pixels, mask, masks.odd(window * self.diameter))
        return voxels.background(self.pixels, mask, window * self.diameter, self.steps)

    def distance(self, mask: Mask) -> Floats:
        """Return the distance to the background, in the unit of the diameter."""
        return objects.distance_map(mask, self.steps)

    def hills(self, surface: Floats, mask: Mask, depth: float) -> Labels:
        """Return a part for each top that stands ``depth`` diameters above its passes."""
        if self.steps is None:
            return hills(surface, mask, depth * self.diameter)
        return objects.flood(surface, mask, standing(surface, mask, depth * self.diameter))

    def parted(self, mask: Mask, split: float, *, fill: bool) -> Labels:
        """Return the objects of a mask, filled when asked, parted at necks of ``split``."""
        if self.steps is None:
            return objects.parted(mask, self.diameter, split, fill=fill)
        solid = masks.fill_holes(mask) if fill else mask
        if split == 0 or not solid.any():
            return objects.connected(solid)
        surface: Floats = self.smooth(self.distance(solid), split) * solid
        return self.hills(surface, solid, split)

    def contrast_mask(self, fraction: float, window: float = 3.0) -> Mask:
        """Return a mask in which every object is cut at a share of its own contrast.

        See :func:`bioimage_tasks.segmentation.objects.contrast_mask`.
        """
        if self.steps is None:
            side = masks.odd(window * self.diameter)
            return objects.contrast_mask(self.pixels, self.diameter, side, fraction)
        labels = self.parted(voxels.bright(self.pixels), 0.06, fill=True)
        low = self.background(labels > 0, window)
        level = objects.own_level(self.pixels, labels, labels, low, fraction)
        kept: Mask = (labels > 0) & (self.pixels > level)
        return kept

    def clean(
        self, function: str, labels: Labels, min_size: float, min_contrast: float, border: str
    ) -> Labels:
        """Drop objects that are small, dim or, when asked, cut by the border.

        Parameters
        ----------
        function : str
            Of the method, for errors.
        labels : numpy.ndarray of int32
        min_size : float
            Least area or volume, as a share of a disc or ball of one diameter.
        min_contrast : float
            Least brightness above the background, as a share of the median object's.
        border : str
            ``"keep"`` or ``"clear"``.
        """
        if self.steps is None:
            return objects.clean(
                function, labels, self.pixels, self.diameter,
                min_size=min_size, min_contrast=min_contrast, border=border,
            )  # fmt: skip
        check_choice(function, "border", border, objects.BORDERS)
        check_range(function, "min_contrast", min_contrast, 0, 10)
        ball = math.pi / 6 * self.diameter**3 / math.prod(self.steps)
        least = check_range(function, "min_size", min_size, 0, 100) * ball
        return voxels.clean(labels, self.pixels, least, min_contrast, border)


def prepared(
    function: str,
    image: Array,
    diameter: float | None,
    smoothing: float,
    spacing: Sequence[float] | None = None,
    dimensions: tuple[int, ...] = (2, 3),
) -> Scene:
    """Return the scene of an image.

    Parameters
    ----------
    function : str
        Of the method, for errors.
    image : array_like
        Shape (height, width) or (depth, height, width), any real dtype.
    diameter : float, optional
        Pixels, or the unit of ``spacing``; estimated when not given.
    smoothing : float
        Sigma of a Gaussian, in diameters; 0 for none.
    spacing : sequence of 3 floats, optional
        Size of a voxel of a stack along each axis; estimated when not given.
    dimensions : tuple of int
        That the method takes.

    Raises
    ------
    ValueError
        The image has other dimensions or looks like one with channels, is empty, constant or
        not finite, a plane has a spacing, or a value is out of range.
    """
    array = check_image(function, image, dimensions=dimensions)
    if array.ndim == 2:
        if spacing is not None:
            raise ValueError(
                f"{function}: spacing is the size of a stack's voxels, and this is a plane; leave "
                f"it out and give lengths in pixels; got {tuple(spacing)}"
            )
        return Scene(*scale.prepared(function, array, diameter, smoothing))
    if 2 in dimensions and spacing is None and array.shape[-1] in CHANNELS:
        raise ValueError(
            f"{function}: the last axis looks like channels; choose one, or tell by spacing=... "
            f"that this is a stack of planes; got shape {array.shape}"
        )
    pixels = masks.prepare(check_varied(function, array))
    steps = voxels.steps_or_estimate(function, spacing, pixels, diameter)
    length = voxels.diameter_or_estimate(function, diameter, pixels, steps)
    sigma = check_range(function, "smoothing", smoothing, 0, 5) * length
    return Scene(voxels.smooth(pixels, sigma, steps), length, steps)
