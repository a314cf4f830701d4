"""Nuclei in stacks: planes may lie further apart than pixels, lengths follow the object.

A volume with bright objects comes in, labels go out. Every length is physical: it is divided
by the voxel's size along each axis before anything is smoothed or measured. The outline of an
object lies between its own brightness and the background around it, on the scale of the
square root; touching objects are parted where the distance to the outline has a neck.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_choice,
    check_range,
)
from bioimage_tasks.segmentation import masks, objects, voxels
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scene import prepared
from bioimage_tasks.segmentation.seeds import standing
from bioimage_tasks.segmentation.voxels import Steps

#: Sigma of the Gaussian on the distance map, in diameters: rough outlines make no seeds.
ROUGH = 0.08


@register("volume-watershed", dimensions=(3,))
def volume_watershed(
    image: Array,
    *,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    fraction: float = 0.5,
    window: float = 2.0,
    looks: int = 2,
    split: float = 0.01,
    smoothing: float = 0.05,
    fill: bool = True,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label bright objects of a stack: ``volume_watershed(stack, spacing=(0.5, 0.2, 0.2))``.

    Parameters
    ----------
    image : array_like
        Shape (depth, height, width), bright objects on a darker background, any real dtype.
    spacing : tuple of 3 floats, optional
        Size of a voxel along each axis, in any one unit. When not given pixels are squares
        of size 1, and the distance of planes is guessed from how often outlines are crossed
        along each axis: :func:`bioimage_tasks.segmentation.voxels.steps_or_estimate`. Blur
        misleads that guess, so give what is known. In a stack thinner than its objects are
        wide, planes are taken to lie further apart than given
        (:func:`bioimage_tasks.segmentation.voxels.upright`), unless ``diameter`` is given too.
    diameter : float, optional
        Usual diameter of an object in the unit of ``spacing``; estimated when not given.
    fraction : float
        Where an outline lies between the square roots of the local background and of its
        object's mean, in [0, 1].
    window : float
        Side of the cube in which the background is sought, in diameters.
    looks : int
        How often objects are cut and parted; each time the background is sought between the
        objects of the one before. 1 to 10.
    split : float
        Depth of a neck at which touching objects are parted, in diameters; 0 for never.
    smoothing : float
        Sigma of the Gaussian before anything else, in diameters; 0 for none.
    fill : bool
        Whether enclosed holes belong to the object.
    min_size : float
        Least volume of an object, as a share of a ball of one diameter.
    min_contrast : float
        Least brightness above background, as a share of the median object's.
    border : str
        ``keep`` or ``clear`` objects that touch one of the volume's six faces.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 3D, empty, constant or not finite, or a value is out of range.
    """
    name = "volume_watershed"
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "fraction", fraction, 0, 1)
    check_range(name, "window", window, 0.1, 100)
    check_range(name, "looks", looks, 1, 10)
    check_range(name, "split", split, 0, 5)
    scene = prepared(name, image, diameter, smoothing, spacing, dimensions=(3,))
    light, length, steps = scene.pixels, scene.diameter, scene.steps or ()
    labels = _parted(voxels.bright(light), length, split, steps, fill=fill)
    for _ in range(looks):
        mask = own_cut(light, labels, window * length, fraction, steps)
        labels = _parted(mask, length, split, steps, fill=fill)
    return scene.clean(name, labels, min_size, min_contrast, border)


def own_cut(light: Floats, labels: Labels, window: float, fraction: float, steps: Steps) -> Mask:
    """Keep of each object what lies above a fraction of its own contrast, in square roots.

    Parameters
    ----------
    light : numpy.ndarray of float32
        Darkest voxel at 0.
    labels : numpy.ndarray of int32
        Objects; their means are the bright end.
    window : float
        Side of the cube around each voxel in which the background's mean, the dark end, is
        taken.
    fraction : float
        In [0, 1].
    steps : tuple of 3 floats
        Size of a voxel, in the unit of the window.
    """
    area = np.bincount(labels.ravel())
    total = np.bincount(labels.ravel(), weights=light.ravel())
    high = np.sqrt(np.maximum(total / np.maximum(area, 1), 0)).astype(np.float32)[labels]
    low = np.sqrt(np.maximum(voxels.background(light, labels > 0, window, steps), 0))
    cut: Mask = (labels > 0) & (light > np.square(low + np.float32(fraction) * (high - low)))
    return cut


def _parted(mask: Mask, diameter: float, split: float, steps: Steps, *, fill: bool) -> Labels:
    solid = masks.fill_holes(mask) if fill else mask
    if split == 0 or not solid.any():
        return objects.connected(solid)
    distance = objects.distance_map(solid, steps)
    surface: Floats = voxels.smooth(distance, ROUGH * diameter, steps) * solid
    return objects.flood(surface, solid, standing(surface, solid, split * diameter))
