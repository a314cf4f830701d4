"""Objects too dim for the first threshold, sought where nothing was found.

Prepared pixels and the objects found in them come in, labels of further objects go out. One
threshold for an image misses what has a tenth of the usual contrast, though the eye sees it
as well: noise is lower still. So what was found is taken out with a rim, the background is
evened, and what stands above its noise is a candidate. Cytoplasm, halos and what is out of
focus stand above noise too; an object is what has the usual size, no deep bays, more than a
fibre's width, an outline about as steep as those of the bright ones have (for its contrast),
and surroundings that are even beside its contrast. Must not know methods.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Labels, Mask, sequential
from bioimage_tasks.features.grouped import Numbers, means_and_deviations, quantiles, ratio
from bioimage_tasks.segmentation import masks
from bioimage_tasks.segmentation.cut import Cut, slope
from bioimage_tasks.segmentation.masks import Floats
from bioimage_tasks.segmentation.objects import connected, grown

Doubles = npt.NDArray[np.float64]

#: Pixels of a diameter that tell enough; larger ones are looked at reduced.
ENOUGH = 24
#: Lengths in diameters: smoothing before candidates are sought, smoothing before an object
#: is held against its surroundings, and the rim left free around what was found.
CALM, EVEN, RIM = 0.08, 0.06, 0.1
#: So many deviations of the noise lies a candidate above its background.
ABOVE = 4.0
#: So much of a candidate's outline may lie at what was found: more is halo.
TOUCHING = 0.25
#: Least and greatest area, as shares of a disc of one diameter.
SIZES = (0.3, 2.5)
#: Least area as a share of that of the convex hull.
SOLID = 0.88
#: Least width as a share of the length: less is a fibre.
WIDE = 0.3
#: Least steepness of an outline for its contrast, as a share of the usual object's.
SHARP = 0.6
#: Surroundings: from a gap to so far, in diameters; pixels needed to say anything of them.
GAP, REACH, FEW = 0.08, 0.3, 10
#: So many deviations of its surroundings an object stands above them.
STANDS = 10.0
#: Median absolute deviation to standard deviation, of a Gaussian.
DEVIATION = 1.4826


def faint(
    light: Floats, clear: Floats, found: Labels, diameter: float, cut: Cut, least: float
) -> Labels:
    """Return objects that were not found because they are dim, in the image's own pixels.

    Parameters
    ----------
    light : numpy.ndarray of float32
        Shape (height, width), hardly smoothed; here objects are cut.
    clear : numpy.ndarray of float32
        The same with haze taken away; here they are sought.
    found : numpy.ndarray of int32
        Objects that are sure; they tell how steep outlines are.
    diameter : float
        Usual diameter of an object, pixels.
    cut : Cut
        How objects are cut.
    least : float
        Least contrast, as a share of the median of those found.
    """
    factor = min(max(1, int(diameter / ENOUGH)), *found.shape)
    small = [masks.reduced(each, factor) for each in (light, clear)]
    coarse = masks.reduced_labels(found, factor)
    length = diameter / factor
    seen = _candidates(small[1], coarse, length, cut.side(length))
    labels = cut.looked(small[0], seen, length, coarse > 0)
    labels = _plain(labels, coarse, small[1], length, cut.side(length), least)
    if factor == 1:
        return labels
    if not labels.any():
        return np.zeros_like(found)
    return cut.looked(light, _enlarged(labels > 0, factor, found.shape), diameter, found > 0)


def _enlarged(mask: Mask, factor: int, shape: tuple[int, ...]) -> Mask:
    large = mask.repeat(factor, axis=0).repeat(factor, axis=1)
    missing = [(0, side - have) for side, have in zip(shape, large.shape, strict=True)]
    full: Mask = np.pad(large, missing)
    return full


def _candidates(pixels: Floats, found: Labels, diameter: float, window: int) -> Mask:
    """Return what stands above the noise outside of the objects found."""
    from scipy.ndimage import binary_opening

    calm = masks.smooth(pixels, CALM * diameter)
    rim = max(2, round(RIM * diameter))
    near = grown(found, rim) > 0
    standing = near
    mask = np.zeros_like(near)
    for _ in range(2):
        if standing.all():
            return np.zeros_like(near)
        rest = calm - masks.background(calm, standing, window)
        level = float(np.median(rest[~standing]))
        noise = DEVIATION * float(np.median(np.abs(rest[~standing] - level)))
        mask = (rest > level + ABOVE * noise) & ~near
        standing = near | (grown(mask.astype(np.int32), rim) > 0)
    solid: Mask = binary_opening(mask, iterations=max(1, round(CALM * diameter)))
    return _apart(solid, near)


def _apart(mask: Mask, near: Mask) -> Mask:
    """Keep the parts of a mask whose outline hardly lies at what is near."""
    parts = connected(mask)
    rim = masks.outline(mask)
    count = int(parts.max())
    beside = grown(near.astype(np.int32), 1) > 0
    whole = np.bincount(parts[rim], minlength=count + 1)
    shared = np.bincount(parts[rim & beside], minlength=count + 1)
    keep = shared <= TOUCHING * whole
    keep[0] = False
    kept: Mask = keep[parts]
    return kept


def _plain(
    labels: Labels, found: Labels, pixels: Floats, diameter: float, window: int, least: float
) -> Labels:
    """Return those candidates that look like objects; none of their pixels is found already."""
    from bioimage_tasks.features import compute

    labels = sequential(labels)
    if not labels.any() or not found.any():
        return np.zeros_like(labels)
    shape = compute(pixels, labels, ("shape",))
    size = shape.column("shape_area") / (math.pi / 4 * diameter**2)
    keep = (size >= SIZES[0]) & (size <= SIZES[1])
    keep &= (shape.column("shape_solidity") >= SOLID) & (shape.column("shape_aspect") >= WIDE)
    count = len(keep)
    both = np.where(found > 0, found + count, labels)
    contrast = _contrast(both, pixels, window)
    sharp = ratio(_steepness(both, pixels), contrast)
    keep &= contrast[:count] >= least * np.median(contrast[count:])
    keep &= sharp[:count] >= SHARP * np.median(sharp[count:])
    keep &= _standing(both, count, masks.smooth(pixels, EVEN * diameter), diameter) >= STANDS
    return sequential(np.where(np.append(False, keep)[labels], labels, 0))


def _contrast(labels: Labels, pixels: Floats, window: int) -> Doubles:
    """Return how much every object is brighter than the background, in the mean."""
    above = pixels - masks.background(pixels, labels > 0, window)
    return means_and_deviations(labels.ravel(), above.ravel(), int(labels.max()))[0]


def _steepness(labels: Labels, pixels: Floats) -> Doubles:
    """Return how steep every object's outline is, per pixel in the mean."""
    from scipy.ndimage import minimum_filter

    rim = np.where(minimum_filter(labels, 3) != labels, labels, 0).ravel()
    return means_and_deviations(rim, slope(pixels).ravel(), int(labels.max()))[0]


def _standing(labels: Labels, count: int, pixels: Floats, diameter: float) -> Doubles:
    """Return how many deviations of its surroundings each of the first objects stands above."""
    inner = grown(labels, max(1, round(GAP * diameter))) > 0
    around = np.where(inner, 0, grown(labels, max(2, round(REACH * diameter))))
    ring = (around > 0) & (around <= count)
    owner: Numbers = around[ring]
    enough = np.bincount(owner, minlength=count + 1)[1:] >= FEW
    if not enough.any():
        return np.zeros(count)
    values = pixels[ring]
    middle = quantiles(owner, values, count, (0.5,))[:, 0]
    away = np.abs(values - np.append(0.0, middle)[owner])
    spread = DEVIATION * quantiles(owner, away, count, (0.5,))[:, 0]
    own, _ = means_and_deviations(
        np.where(labels <= count, labels, 0).ravel(), pixels.ravel(), count
    )
    stands: Doubles = np.where(enough, ratio(own - middle, spread, np.inf), 0.0)
    return stands
