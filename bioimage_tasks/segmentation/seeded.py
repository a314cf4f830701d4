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
from bioimage_tasks.segmentation.scale import prepared
from bioimage_tasks.segmentation.seeds import SEED_RULES, find_seeds

#: The walker solves an equation a pixel: its image is reduced to about so many pixels a
#: diameter.
WALKER_DIAMETER = 24.0


@register("seeded-watershed")
def seeded_watershed(
    image: Array,
    *,
    seeds: str = "log",
    depth: float = 0.06,
    apart: float = 0.4,
    fraction: float = 0.4,
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
        Shape (height, width), bright objects on a darker background, any real dtype.
    seeds : str
        ``log``, ``distance``, ``intensity`` or ``h-maxima``; see
        :func:`bioimage_tasks.segmentation.seeds.find_seeds`.
    depth : float
        Least height of a maximum (``distance``, ``h-maxima``), in diameters.
    apart : float
        Least distance of two seeds (``log``, ``intensity``), in diameters.
    fraction : float
        Where the outline lies between local background and object, in (0, 1).
    diameter, smoothing, fill, min_size, min_contrast, border
        As for :func:`bioimage_tasks.segmentation.default.root_contrast`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    name = "seeded_watershed"
    check_choice(name, "seeds", seeds, SEED_RULES)
    check_choice(name, "border", border, objects.BORDERS)
    pixels, mask, length = _mask(name, image, diameter, smoothing, fraction, fill)
    marks = find_seeds(pixels, mask, length, rule=seeds, depth=depth, apart=apart)
    surface = masks.smooth(objects.distance_map(mask), 0.08 * length)
    labels = objects.flood(surface, mask, marks)
    return objects.clean(
        name,
        labels,
        pixels,
        length,
        min_size=min_size,
        min_contrast=min_contrast,
        border=border,
    )


@register("random-walker")
def random_walker(
    image: Array,
    *,
    seeds: str = "distance",
    depth: float = 0.06,
    apart: float = 0.4,
    beta: float = 130.0,
    fraction: float = 0.4,
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
        Shape (height, width), bright objects on a darker background, any real dtype.
    seeds, depth, apart
        As for :func:`seeded_watershed`.
    beta : float
        How much the walker avoids steps in the brightness; 0 for not at all.
    fraction, diameter, smoothing, fill, min_size, min_contrast, border
        As for :func:`seeded_watershed`.

    Returns
    -------
    numpy.ndarray of int32
        Labels 1..N, 0 background; all 0 when nothing is left.

    Raises
    ------
    ValueError
        The image is not 2D, empty, constant or not finite, or a value is out of range.
    """
    name = "random_walker"
    check_choice(name, "seeds", seeds, SEED_RULES)
    check_choice(name, "border", border, objects.BORDERS)
    check_range(name, "beta", beta, 0, 1e6)
    pixels, mask, length = _mask(name, image, diameter, smoothing, fraction, fill)
    marks = find_seeds(pixels, mask, length, rule=seeds, depth=depth, apart=apart)
    labels = _walk(pixels, mask, marks, length, beta)
    return objects.clean(
        name,
        labels,
        pixels,
        length,
        min_size=min_size,
        min_contrast=min_contrast,
        border=border,
    )


def _mask(
    name: str,
    image: Array,
    diameter: float | None,
    smoothing: float,
    fraction: float,
    fill: bool,
) -> tuple[Floats, Mask, float]:
    check_range(name, "fraction", fraction, 0, 1)
    smoothed, length = prepared(name, image, diameter, smoothing)
    mask = objects.contrast_mask(smoothed, length, masks.odd(3 * length), fraction)
    return smoothed, masks.fill_holes(mask) if fill else mask, length


def _walk(pixels: Floats, mask: Mask, marks: Labels, diameter: float, beta: float) -> Labels:
    """Return which seed's walkers get to each pixel of the mask, part by part."""
    from scipy.ndimage import find_objects

    parts = objects.connected(mask)
    labels = np.zeros(mask.shape, dtype=np.int32)
    step = max(1, int(diameter / WALKER_DIAMETER))
    for number, box in enumerate(find_objects(parts), 1):
        if box is None:
            continue
        here = parts[box] == number
        seeds = np.where(here, marks[box], 0)
        if len(np.unique(seeds[seeds > 0])) == 1:
            labels[box][here] = seeds.max()
        else:
            labels[box][here] = _walk_part(pixels[box], here, seeds, step, beta)[here]
    return labels


def _walk_part(light: Floats, here: Mask, seeds: Labels, step: int, beta: float) -> Labels:
    """Walk in one connected part; between the reduced image's pixels the watershed decides."""
    from skimage.segmentation import random_walker as walker

    small_seeds = _reduced_seeds(seeds, step)
    inside = here[::step, ::step] | (small_seeds > 0)
    numbers = np.unique(small_seeds[small_seeds > 0])
    marks = np.where(inside, np.searchsorted(numbers, small_seeds) + 1, -1)
    marks[inside & (small_seeds == 0)] = 0
    small = light[::step, ::step]
    span = max(float(small.max() - small.min()), 1e-6)
    with warnings.catch_warnings():
        # Islands of the reduced part without a seed, and the solver that was chosen.
        warnings.simplefilter("ignore")
        found = walker((small - small.min()) / span, marks, beta=beta, mode="cg_j", tol=1e-4)
    grown = np.zeros(here.shape, dtype=np.int32)
    reached = inside & (found > 0)
    grown[::step, ::step][reached] = numbers[found[reached] - 1]
    grown[seeds > 0] = seeds[seeds > 0]
    return objects.flood(np.zeros(here.shape, np.float32), here, np.where(here, grown, 0))


def _reduced_seeds(seeds: Labels, step: int) -> Labels:
    """Return the largest seed number within each step x step square."""
    if step == 1:
        return seeds
    rows, columns = (-(-size // step) * step for size in seeds.shape)
    padded = np.zeros((rows, columns), dtype=np.int32)
    padded[: seeds.shape[0], : seeds.shape[1]] = seeds
    reduced: Labels = padded.reshape(rows // step, step, -1, step).max((1, 3))
    return reduced
