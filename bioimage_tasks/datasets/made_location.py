"""Made-up cells of tagged proteins, for trying out a study of location without any data.

Location, protein and a number come in, an image goes out. Every protein has a brightness
and a cloudy background of its own, so that global textures tell proteins apart better than
locations; the form of the bright spots tells the location.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

#: Where the protein sits: within the nucleus, or in a ring around it.
LOCATIONS = ("nuclear", "cytoplasmic")


def located(location: str, protein: int, number: int) -> npt.NDArray[np.uint8]:
    """Draw a field of cells: ``located("nuclear", protein=2, number=0)``.

    Parameters
    ----------
    location : str
        One of :data:`LOCATIONS`.
    protein : int
        From 0; decides brightness and background.
    number : int
        Of the field: other cells.

    Returns
    -------
    numpy.ndarray of uint8
        Shape (192, 192), 16 cells.

    Raises
    ------
    ValueError
        There is no such location.
    """
    if location not in LOCATIONS:
        raise ValueError(f"located: location must be one of {LOCATIONS}; got {location!r}")
    from scipy.ndimage import gaussian_filter

    own = np.random.default_rng((7, protein))
    bright, haze, cloud = own.uniform(50, 120), own.uniform(30, 80), own.uniform(0.5, 4)
    rng = np.random.default_rng((LOCATIONS.index(location), protein, number))
    rows, columns = np.mgrid[:192, :192]
    image = gaussian_filter(rng.normal(size=rows.shape), cloud)
    image = haze + own.uniform(3, 10) * image / float(image.std())
    for cell in range(16):
        y, x = 24 + 48 * np.array(divmod(cell, 4)) + rng.uniform(-6, 6, 2)
        away = np.hypot(rows - y, columns - x) / rng.uniform(0.9, 1.1)
        lit = away < 10 if location == "nuclear" else (away > 8) & (away < 12)
        image = image + bright * rng.uniform(0.8, 1.2) * lit
    field: npt.NDArray[np.uint8] = np.clip(image + rng.normal(0, 2, rows.shape), 0, 255).astype(
        np.uint8
    )
    return field
