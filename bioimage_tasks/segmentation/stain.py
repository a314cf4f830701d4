"""Stains of histology: an RGB image apart into haematoxylin and eosin, and to one colouring.

An RGB image comes in, concentrations or an RGB image go out. Fitting (what colours do this
slide's stains have?) and applying are apart, so that a whole slide is fitted once and its
tiles are normalised with that result. Must not know nuclei.

Optical density adds up where light intensity does not: it is ``-ln((I + 1) / 240)`` here
(Beer and Lambert). Colour deconvolution: Ruifrok and Johnston 2001; normalisation: Macenko
et al. 2009, doi:10.1109/ISBI.2009.5193250.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, check_range
from bioimage_tasks.segmentation.masks import Floats

Picture = npt.NDArray[np.uint8]
Doubles = npt.NDArray[np.float64]

#: Light that passes where nothing is, grey values of 8 bits.
WHITE = 240.0
#: Ruifrok and Johnston's colours of haematoxylin, eosin and DAB: optical density in R, G, B.
RUIFROK = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))
#: Macenko's target: colours of haematoxylin and eosin, and their 99th percentiles.
TARGET = ((0.5626, 0.7201, 0.4062), (0.2159, 0.8012, 0.5581))
TARGET_TOPS = (1.9705, 1.0308)
#: Fewer stained pixels than these tell nothing of a stain's colour.
LEAST_TISSUE = 100


@dataclass(frozen=True)
class Stains:
    """The colours of a slide's two stains.

    Attributes
    ----------
    colours : tuple of 2 tuples of 3 floats
        Optical density of haematoxylin and of eosin in R, G and B, each of length 1.
    tops : tuple of 2 floats
        99th percentiles of their concentrations.
    tissue : int
        Stained pixels that it was fitted to. Under :data:`LEAST_TISSUE` nothing was fitted
        and :func:`normalise_stains` returns its input.
    """

    colours: tuple[tuple[float, ...], ...]
    tops: tuple[float, ...]
    tissue: int


def optical_density(image: npt.ArrayLike, white: float = WHITE) -> Doubles:
    """Return ``-ln((image + 1) / white)``: shape (height, width, 3), 0 for no stain.

    Raises
    ------
    ValueError
        Not an RGB image of 8 bits.
    """
    return -np.log((check_rgb("optical_density", image).astype(np.float64) + 1) / white)


def deconvolve(image: npt.ArrayLike, colours: tuple[tuple[float, ...], ...] = RUIFROK) -> Floats:
    """Return how much of each stain a pixel has: ``deconvolve(image)[..., 0]`` is haematoxylin.

    Parameters
    ----------
    image : array_like of uint8
        Shape (height, width, 3), RGB.
    colours : tuple of 2 or 3 tuples of 3 floats
        Optical density of each stain in R, G, B; by default those of
        :data:`RUIFROK`. With two, the third is what is at right angles to both.

    Returns
    -------
    numpy.ndarray of float32
        Shape (height, width, 3): a stain each (of two, the third is what they leave
        unexplained). Negative where a stain's complement is seen.

    Raises
    ------
    ValueError
        Not an RGB image of 8 bits, or colours that lie in one plane.
    """
    density = optical_density(check_rgb("deconvolve", image))
    matrix = _complete(colours)
    if abs(float(np.linalg.det(matrix))) < 1e-6:
        raise ValueError(f"deconvolve: colours must not lie in one plane; got {colours}")
    amounts: Floats = (density @ np.linalg.inv(matrix)).astype(np.float32)
    return amounts


def _complete(colours: tuple[tuple[float, ...], ...]) -> Doubles:
    rows = np.asarray(colours, dtype=np.float64)
    if rows.shape not in ((2, 3), (3, 3)) or not (np.linalg.norm(rows, axis=1) > 0).all():
        raise ValueError(f"deconvolve: colours must be 2 or 3 rows of R, G, B; got {colours}")
    if len(rows) == 2:
        rows = np.vstack([rows, np.cross(rows[0], rows[1])])
    unit: Doubles = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return unit


def fit_stains(
    image: npt.ArrayLike, *, beta: float = 0.15, alpha: float = 1.0, white: float = WHITE
) -> Stains:
    """Find the colours of a slide's two stains: ``fit_stains(slide)``.

    Parameters
    ----------
    image : array_like of uint8
        Shape (height, width, 3), RGB; the whole slide at a low magnification, or a tile.
    beta : float
        Pixels with less optical density in any channel are not stained.
    alpha : float
        Robust extremes of the angle: this percentile and 100 less it.
    white : float
        Grey value of an empty place.

    Returns
    -------
    Stains

    Raises
    ------
    ValueError
        Not an RGB image of 8 bits, or a value out of range.
    """
    check_range("fit_stains", "alpha (percent)", alpha, 0, 49)
    check_range("fit_stains", "beta (optical density)", beta, 0, 5)
    density = optical_density(check_rgb("fit_stains", image), white).reshape(-1, 3)
    stained = density[(density >= beta).all(1)]
    if len(stained) < LEAST_TISSUE:
        return Stains(TARGET, TARGET_TOPS, len(stained))
    colours = _extremes(stained, alpha)
    amounts = _amounts(density, colours)
    tops = tuple(float(max(top, 1e-6)) for top in np.percentile(amounts, 99, axis=0))
    rows = tuple(tuple(float(value) for value in row) for row in colours)
    return Stains(rows, tops, len(stained))


def _extremes(stained: Doubles, alpha: float) -> Doubles:
    """Return the two outermost colours of stained pixels, haematoxylin first."""
    _, vectors = np.linalg.eigh(np.cov(stained.T))
    plane = vectors[:, [2, 1]]
    # An eigenvector's sign is arbitrary: turn the first towards the data, so that angles
    # stay within a quarter turn of it and never wrap from pi to -pi.
    if float((stained @ plane[:, 0]).sum()) < 0:
        plane[:, 0] *= -1
    if plane[0, 1] < 0:
        plane[:, 1] *= -1
    angles = np.arctan2(stained @ plane[:, 1], stained @ plane[:, 0])
    ends = np.percentile(angles, (alpha, 100 - alpha))
    colours = np.stack([plane @ (np.cos(end), np.sin(end)) for end in ends])
    colours = np.maximum(colours, 0)  # no stain makes a channel brighter
    colours /= np.maximum(np.linalg.norm(colours, axis=1, keepdims=True), 1e-12)
    ordered: Doubles = colours[np.argsort(-colours[:, 0])]  # haematoxylin takes more red
    return ordered


def _amounts(density: Doubles, colours: Doubles) -> Doubles:
    """Return concentrations by least squares, none below 0: shape (pixels, 2)."""
    amounts: Doubles = np.maximum(density @ np.linalg.pinv(colours), 0)
    return amounts


def normalise_stains(image: npt.ArrayLike, stains: Stains, *, white: float = WHITE) -> Picture:
    """Return the image as if its stains had the usual colours and strengths.

    Parameters
    ----------
    image : array_like of uint8
        Shape (height, width, 3), RGB.
    stains : Stains
        From :func:`fit_stains` of this image, or of its whole slide.
    white : float
        As in the fit.

    Returns
    -------
    numpy.ndarray of uint8
        Same shape. A copy of the input when the fit found no tissue.

    Raises
    ------
    ValueError
        Not an RGB image of 8 bits.
    """
    pixels = check_rgb("normalise_stains", image)
    if stains.tissue < LEAST_TISSUE:
        return pixels.copy()
    density = optical_density(pixels, white).reshape(-1, 3)
    amounts = _amounts(density, np.asarray(stains.colours))
    amounts *= np.asarray(TARGET_TOPS) / np.asarray(stains.tops)
    light = white * np.exp(-amounts @ np.asarray(TARGET))
    # Clipped before the cast: 8 bits would wrap 260 to 4.
    made: Picture = np.clip(light, 0, 255).reshape(pixels.shape).astype(np.uint8)
    return made


def check_rgb(function: str, image: npt.ArrayLike) -> Array:
    """Return an RGB image of 8 bits.

    Raises
    ------
    ValueError
        Another shape or dtype, or no pixels.
    """
    array = np.asarray(image)
    if array.ndim != 3 or array.shape[2] != 3 or array.size == 0 or array.dtype != np.uint8:
        raise ValueError(
            f"{function}: the image must be RGB of 8 bits, shape (height, width, 3), uint8; got "
            f"shape {array.shape}, {array.dtype}"
        )
    return array


def colour_groups(
    images: Sequence[npt.ArrayLike], count: int = 4, *, seed: int = 0
) -> tuple[str, ...]:
    """Return a group for each image by its colours: a stand-in where slides are not known.

    k-means on mean and deviation of the optical density. Images of one slide look alike, so
    a group holds whole slides or most of them; the reverse does not follow.

    Parameters
    ----------
    images : sequence of array_like of uint8
        RGB.
    count : int
        Groups; at most as many as images.
    seed : int

    Returns
    -------
    tuple of str
        "colour-0" is the largest group.

    Raises
    ------
    ValueError
        No images, too few for the count, or one is not RGB of 8 bits.
    """
    from sklearn.cluster import KMeans

    if not 1 <= count <= len(images):
        raise ValueError(
            f"colour_groups: count must lie in 1..{len(images)}, the number of images; got {count}"
        )
    densities = [optical_density(image).reshape(-1, 3) for image in images]
    rows = np.array([[*density.mean(0), *density.std(0)] for density in densities])
    found = KMeans(count, n_init=10, random_state=seed).fit_predict(rows)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    rank = {int(group): number for number, group in enumerate(order)}
    return tuple(f"colour-{rank[int(group)]}" for group in found)
