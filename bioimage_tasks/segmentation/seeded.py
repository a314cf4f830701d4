"""Grow objects from seeds: seeded watershed and random walker, by name.

An image with bright objects comes in, labels go out. Mask, seeds and growth are apart; each
is chosen by a parameter. Lengths are in object diameters.
"""

from __future__ import annotations

import warnings

import numpy as np

from bioimage_tasks.checks import (
    Array,
    Labels,
    Mask,
    check_choice,
    check_range,
)
from bioimage_tasks.segmentation import masks, objects
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.registry import register
from bioimage_tasks.segmentation.scene import Scene, prepared
from bioimage_tasks.segmentation.seeds import SEED_RULES, find_seeds
from bioimage_tasks.segmentation.voxels import Steps

#: The walker solves an equation a pixel: its image is reduced to about so many pixels a
#: diameter.
WALKER_DIAMETER = 24.0


@register("seeded-watershed", dimensions=(2, 3))
def seeded_watershed(
    image: Array,
    *,
    seeds: str = "log",
    depth: float = 0.06,
    apart: float = 0.4,
    fraction: float = 0.4,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Flood the distance map from seeds of a chosen rule: ``seeded_watershed(image)``.

    Parameters
    ----------
    image : array_like
        Shape (height, width) or (depth, height, width), bright objects on a darker
        background, any real dtype.
    seeds : str
        ``log``, ``distance``, ``intensity`` or ``h-maxima``; see
        :func:`bioimage_tasks.segmentation.seeds.find_seeds`.
    depth : float
        Least height of a maximum (``distance``, ``h-maxima``), in diameters.
    apart : float
        Least distance of two seeds (``log``, ``intensity``), in diameters.
    fraction : float
        Where the outline lies between local background and object, in (0, 1).
    spacing, diameter, smoothing, fill, min_size, min_contrast, border
        As for :func:`bioimage_tasks.segmentation.threshold.global_threshold`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D or 3D, is empty, constant or not finite, or a value is out of range.
    """
    name = "seeded_watershed"
    check_choice(name, "seeds", seeds, SEED_RULES)
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "fraction", fraction, 0, 1)
    scene = prepared(name, image, diameter, smoothing, spacing)
    mask = _mask(scene, fraction, fill)
    marks = _marks(scene, mask, seeds, depth, apart)
    labels = objects.flood(scene.smooth(scene.distance(mask), 0.08), mask, marks)
    return scene.clean(name, labels, min_size, min_contrast, border)


@register("random-walker", dimensions=(2, 3))
def random_walker(
    image: Array,
    *,
    seeds: str = "distance",
    depth: float = 0.06,
    apart: float = 0.4,
    beta: float = 130.0,
    fraction: float = 0.4,
    spacing: tuple[float, ...] | None = None,
    diameter: float | None = None,
    smoothing: float = 0.02,
    fill: bool = True,
    min_size: float = 0.1,
    min_contrast: float = 0.3,
    border: str = "keep",
) -> Labels:
    """Give each pixel to the seed that a random walker reaches first.

    Grady 2006, doi:10.1109/TPAMI.2006.233. The walker avoids steps in the brightness; it
    takes touching objects apart at dim lines between them. Pixels of the mask only; the
    equations are solved on an image reduced to :data:`WALKER_DIAMETER` pixels a diameter.

    Parameters
    ----------
    image : array_like
        Shape (height, width) or (depth, height, width), bright objects on a darker
        background, any real dtype.
    seeds, depth, apart
        As for :func:`seeded_watershed`.
    beta : float
        How much the walker avoids steps in the brightness; 0 for not at all.
    fraction, spacing, diameter, smoothing, fill, min_size, min_contrast, border
        As for :func:`seeded_watershed`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D or 3D, is empty, constant or not finite, or a value is out of range.
    """
    name = "random_walker"
    check_choice(name, "seeds", seeds, SEED_RULES)
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "beta", beta, 0, 1e6)
    check_range(name, "fraction", fraction, 0, 1)
    scene = prepared(name, image, diameter, smoothing, spacing)
    mask = _mask(scene, fraction, fill)
    labels = _walk(scene, mask, _marks(scene, mask, seeds, depth, apart), beta)
    return scene.clean(name, labels, min_size, min_contrast, border)


def _mask(scene: Scene, fraction: float, fill: bool) -> Mask:
    mask = scene.contrast_mask(fraction)
    return masks.fill_holes(mask) if fill else mask


def _marks(scene: Scene, mask: Mask, rule: str, depth: float, apart: float) -> Labels:
    return find_seeds(
        scene.pixels, mask, scene.diameter,
        rule=rule, depth=depth, apart=apart, spacing=scene.steps,
    )  # fmt: skip


def _walk(scene: Scene, mask: Mask, marks: Labels, beta: float) -> Labels:
    """Return which seed's walkers get to each pixel of the mask, part by part."""
    from scipy.ndimage import find_objects

    parts = objects.connected(mask)
    labels = np.zeros(mask.shape, dtype=np.int32)
    steps = scene.steps or (1.0,) * mask.ndim
    every = tuple(max(1, int(scene.diameter / step / WALKER_DIAMETER)) for step in steps)
    reduced = tuple(step * count for step, count in zip(steps, every, strict=True))
    for number, box in enumerate(find_objects(parts), 1):
        if box is None:
            continue
        here = parts[box] == number
        seeds = np.where(here, marks[box], 0)
        if len(np.unique(seeds[seeds > 0])) == 1:
            labels[box][here] = seeds.max()
        else:
            walked = _walk_part(scene.pixels[box], here, seeds, every, beta, reduced)
            labels[box][here] = walked[here]
    return labels


def _walk_part(
    light: Floats, here: Mask, seeds: Labels, every: tuple[int, ...], beta: float, steps: Steps
) -> Labels:
    """Walk in one connected part; between the reduced image's pixels the watershed decides.

    ``every`` how many pixels along each axis one is taken, ``steps`` apart.
    """
    from skimage.segmentation import random_walker as walker

    some = tuple(slice(None, None, count) for count in every)
    small_seeds = _reduced_seeds(seeds, every)
    inside = here[some] | (small_seeds > 0)
    numbers = np.unique(small_seeds[small_seeds > 0])
    marks = np.where(inside, np.searchsorted(numbers, small_seeds) + 1, -1)
    marks[inside & (small_seeds == 0)] = 0
    small = light[some]
    span = max(float(small.max() - small.min()), 1e-6)
    apart = np.asarray(steps) / min(steps)
    with warnings.catch_warnings():
        # Islands of the reduced part without a seed, and the solver that was chosen.
        warnings.simplefilter("ignore")
        found = walker(
            (small - small.min()) / span, marks, beta=beta, mode="cg_j", tol=1e-4, spacing=apart
        )
    grown = np.zeros(here.shape, dtype=np.int32)
    reached = inside & (found > 0)
    grown[some][reached] = numbers[found[reached] - 1]
    grown[seeds > 0] = seeds[seeds > 0]
    return objects.flood(np.zeros(here.shape, np.float32), here, np.where(here, grown, 0))


def _reduced_seeds(seeds: Labels, every: tuple[int, ...]) -> Labels:
    """Return the largest seed number within each box of ``every`` pixels."""
    if max(every) == 1:
        return seeds
    counts = [-(-size // step) for size, step in zip(seeds.shape, every, strict=True)]
    padded = np.zeros(np.multiply(counts, every), dtype=np.int32)
    padded[tuple(map(slice, seeds.shape))] = seeds
    pairs = [length for both in zip(counts, every, strict=True) for length in both]
    reduced: Labels = padded.reshape(pairs).max(tuple(range(1, 2 * seeds.ndim, 2)))
    return reduced
