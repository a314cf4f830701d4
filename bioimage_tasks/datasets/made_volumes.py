"""Made-up stacks of nuclei with their labels: round objects, sampled coarser from plane to plane.

A kind of specimen and a number come in, voxels and labels go out, the same for the same
arguments. What a microscope does is in them: planes further apart than pixels, blur that is
longer along the light, objects of unlike brightness, haze, photons. They say what a method
does with round objects, not what it reaches on a real specimen.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_range

#: Height and width of a stack's field, in object diameters.
FIELD = 5.0
#: Sigma of the blur across the light, in diameters.
ACROSS = 0.06


def made_volume(
    diameter: float = 12.0,
    spacing: float = 2.0,
    crowd: float = 0.85,
    number: int = 0,
    *,
    noise: float = 1.0,
    haze: float = 0.3,
    blur: float = 0.12,
) -> tuple[Array, Labels]:
    """Make a stack of ellipsoids with their labels: ``made_volume(12, spacing=2)``.

    Parameters
    ----------
    diameter : float
        Mean diameter of the objects in pixels, 6 to 40.
    spacing : float
        Distance of planes in pixels, 0.5 to 6.
    crowd : float
        How near two centres may be, in diameters, 0.6 to 3: under 1 objects touch.
    number : int
        Of the stack among those of its kind.
    noise : float
        1 for about 100 photons in a usual object's voxel; the photons go with its inverse
        square.
    haze : float
        Greatest background, as a share of a usual object's brightness.
    blur : float
        Sigma of the blur along the light, in diameters; 0.06 at least, which it is across.
        0.12 is a confocal's, 0.35 that of a wide field.

    Returns
    -------
    image : numpy.ndarray of uint16
        Shape (depth, height, width).
    labels : numpy.ndarray of int32
        Same shape, 0 background.
    """
    check_range("made_volume", "diameter (pixels)", diameter, 6, 40)
    check_range("made_volume", "spacing (pixels)", spacing, 0.5, 6)
    check_range("made_volume", "crowd (diameters)", crowd, 0.6, 3)
    check_range("made_volume", "noise", noise, 0.05, 20)
    check_range("made_volume", "haze", haze, 0, 5)
    check_range("made_volume", "blur (diameters)", blur, ACROSS, 2)
    rng = np.random.default_rng([int(8 * diameter), int(8 * spacing), int(100 * crowd), number])
    side = int(FIELD * diameter)
    shape = (max(4, int(0.8 * side / spacing)), side, side)
    steps = np.array([spacing, 1.0, 1.0])
    labels = _ellipsoids(rng, shape, steps, diameter, crowd * diameter)
    return _pictured(rng, labels, steps, diameter, (noise, haze, blur)), labels


def _ellipsoids(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    steps: npt.NDArray[np.float64],
    diameter: float,
    apart: float,
) -> Labels:
    """Return ellipsoids at random places and turns; a voxel in two belongs to the deeper one."""
    extent = np.array(shape) * steps
    labels = np.zeros(shape, dtype=np.int32)
    depth = np.ones(shape)
    places = np.moveaxis(np.indices(shape), 0, -1) * steps
    centres: list[npt.NDArray[np.float64]] = []
    for centre in rng.uniform(-0.2 * diameter, extent + 0.2 * diameter, (3000, 3)):
        if all(np.linalg.norm(centre - other) > apart for other in centres):
            centres.append(centre)
    for place, centre in enumerate(centres, 1):
        radii = diameter / 2 * rng.uniform(0.85, 1.15) * np.exp(rng.uniform(-0.18, 0.18, 3))
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        reach = 0.75 * diameter
        low = np.clip(np.floor((centre - reach) / steps).astype(int), 0, shape)
        high = np.clip(np.ceil((centre + reach) / steps).astype(int) + 1, 0, shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        away = np.square((places[box] - centre) @ turn / radii).sum(-1)
        deeper = away < depth[box]
        labels[box][deeper] = place
        depth[box][deeper] = away[deeper]
    present = np.unique(labels)
    numbered: Labels = np.searchsorted(present, labels).astype(np.int32)
    return numbered


def _pictured(
    rng: np.random.Generator,
    labels: Labels,
    steps: npt.NDArray[np.float64],
    diameter: float,
    seen: tuple[float, float, float],
) -> Array:
    """Return what a camera sees of the objects: ``seen`` is noise, haze and blur."""
    from scipy.ndimage import gaussian_filter

    noise, haze, blur = seen
    count = int(labels.max())
    bright = np.concatenate([[0.0], rng.uniform(0.4, 1.6, count)])
    texture = gaussian_filter(rng.normal(size=labels.shape), 0.12 * diameter / steps)
    light = bright[labels] * np.clip(1 + 0.25 * texture / texture.std(), 0.2, None)
    # Light comes from further above and below than from the sides.
    light = gaussian_filter(light, np.array([blur, ACROSS, ACROSS]) * diameter / steps)
    cloud = gaussian_filter(rng.normal(size=labels.shape), 1.5 * diameter / steps)
    low, high = cloud.min(), cloud.max()
    light += haze * (cloud - low) / max(high - low, 1e-9) + 0.05
    photons = rng.poisson(light * 100 / noise**2) * noise**2
    picture: Array = np.clip(100 + 4 * photons, 0, 65535).astype(np.uint16)
    return picture
