"""Thresholds, global and local, with smoothing, hole filling, splitting and size limits.

An image with bright objects comes in, labels go out. Lengths are in object diameters,
and the diameter is estimated from the image unless given, so that one setting holds
across magnifications.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_choice,
    check_range,
)
from bioimage_tasks.segmentation import masks
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scene import Scene, prepared


@register("global-threshold", dimensions=(2, 3))
def global_threshold(
    image: Array,
    *,
    rule: str = "otsu",
    power: float = 0.5,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    split: float = 0.06,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label what is brighter than one threshold: ``global_threshold(image, rule="li")``.

    Parameters
    ----------
    image : array_like
        Shape (height, width) or (depth, height, width), bright objects on a darker
        background, any real dtype.
    rule : str
        ``otsu`` (Otsu 1979, doi:10.1109/TSMC.1979.4310076), ``ridler-calvard`` (1978,
        doi:10.1109/TSMC.1978.4310039), ``li`` (Li and Tam 1998,
        doi:10.1016/S0167-8655(98)00057-9), ``triangle`` (Zack 1977,
        doi:10.1177/25.7.70454) or ``mean``.
    power : float
        Pixels above the background are raised to it before the threshold is sought:
        1 leaves them, 0.5 is the square root, which finds dimmer objects. In (0, 1].
    spacing : tuple of 3 floats, optional
        Size of a voxel of a stack along depth, height and width, in any one unit, which is
        that of ``diameter`` too; as for
        :func:`bioimage_tasks.segmentation.volume.volume_watershed`. Not for planes.
    diameter, smoothing, fill, split, min_size, min_contrast, border
        As for :func:`bioimage_tasks.segmentation.default.root_contrast`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D or 3D, is empty, constant or not finite, or a value is out of range.
    """
    name = "global_threshold"
    check_choice(name, "rule", rule, tuple(masks.GLOBAL_RULES))
    check_range(name, "power", power, np.nextafter(0.0, 1.0), 1.0)
    check_range(name, "split", split, 0, 5)
    scene = prepared(name, image, diameter, smoothing, spacing)
    level = scene.pixels if power == 1 else _raised(scene.pixels, power)
    labels = scene.parted(level > masks.global_level(level.ravel(), rule), split, fill=fill)
    return scene.clean(name, labels, min_size, min_contrast, border)


def _raised(pixels: Floats, power: float) -> Floats:
    squared_root = masks.root(pixels)
    return squared_root if power == 0.5 else squared_root ** np.float32(2 * power)


@register("local-threshold", dimensions=(2, 3))
def local_threshold(
    image: Array,
    *,
    rule: str = "contrast",
    window: float = 3.0,
    fraction: float = 0.4,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    split: float = 0.06,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Label what is brighter than its surroundings: ``local_threshold(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width) or (depth, height, width), bright objects on a darker
        background, any real dtype.
    rule : str
        ``contrast``: each object of a first global mask is cut at ``fraction`` of the way
        from its local background to its own mean, so that bright and dim objects, and
        uneven light, get thresholds of their own. ``mean`` and ``gaussian``: the square
        root of a pixel lies above the mean of its window, weighted evenly or by a
        Gaussian. ``sauvola``: Sauvola and Pietikainen 2000,
        doi:10.1016/S0031-3203(99)00055-2, with k = 0.2 and the sign for bright objects.
    window : float
        Side of the window, in diameters.
    fraction : float
        Of the contrast, in (0, 1). For the other rules, the least share of the global
        Otsu level that a pixel must have, so that an empty region stays empty.
    spacing, diameter, smoothing, fill, split, min_size, min_contrast, border
        As for :func:`global_threshold`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D or 3D, is empty, constant or not finite, or a value is out of range.
    """
    name = "local_threshold"
    check_choice(name, "rule", rule, tuple(_LOCAL_RULES))
    check_range(name, "fraction", fraction, 0.0, 1.0)
    check_range(name, "split", split, 0, 5)
    check_range(name, "window", window, 0.1, 100)
    scene = prepared(name, image, diameter, smoothing, spacing)
    labels = scene.parted(_LOCAL_RULES[rule](scene, window, fraction), split, fill=fill)
    return scene.clean(name, labels, min_size, min_contrast, border)


def _contrast(scene: Scene, window: float, fraction: float) -> Mask:
    return scene.contrast_mask(fraction, window)


def _above_mean(scene: Scene, window: float, fraction: float) -> Mask:
    level = masks.root(scene.pixels)
    return (level > _box_mean(level, scene.box(window))) & _not_dark(level, fraction)


def _above_gaussian(scene: Scene, window: float, fraction: float) -> Mask:
    from scipy.ndimage import gaussian_filter

    level = masks.root(scene.pixels)
    # A Gaussian of a quarter of the window has about the same reach.
    sigma = [side / 4 for side in scene.box(window)]
    mean: Floats = gaussian_filter(level, sigma, truncate=3.0)
    return (level > mean) & _not_dark(level, fraction)


def _sauvola(scene: Scene, window: float, fraction: float) -> Mask:
    level, box = masks.root(scene.pixels), scene.box(window)
    mean = _box_mean(level, box)
    spread = np.sqrt(np.maximum(_box_mean(level * level, box) - mean * mean, 0))
    # Sauvola writes for dark ink on paper; for bright objects the step goes upwards.
    raised = mean * (1 + np.float32(0.2) * (spread / max(float(spread.max()), 1e-9)))
    return (level > raised) & _not_dark(level, fraction)


def _box_mean(level: Floats, box: tuple[int, ...]) -> Floats:
    from scipy.ndimage import uniform_filter

    mean: Floats = uniform_filter(level, box)
    return mean


def _not_dark(level: Floats, fraction: float) -> Mask:
    dark: Mask = level > np.float32(fraction * masks.otsu(level.ravel()))
    return dark


_LOCAL_RULES: dict[str, Callable[[Scene, float, float], Mask]] = {
    "contrast": _contrast,
    "mean": _above_mean,
    "gaussian": _above_gaussian,
    "sauvola": _sauvola,
}
