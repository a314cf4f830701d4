"""Threshold adjacency statistics: how bright pixels touch each other.

An image and labels come in, 54 shares an object go out (162 for a volume): of the pixels
above a threshold, in a band and above a band around the mean of the bright ones, how many
have 0-8 bright neighbours; and the same of the negatives. As in mahotas, on masked crops.

Hamilton et al. 2007, doi:10.1186/1471-2105-8-110; the form without parameters: Coelho et
al. 2010, doi:10.1007/978-3-642-13131-8_4.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels, check_choice
from bioimage_tasks.features.crops import crops
from bioimage_tasks.features.grey import grey_levels
from bioimage_tasks.features.registry import register
from bioimage_tasks.features.table import FeatureTable

#: Where threshold and width of the band come from.
KINDS = ("pftas", "tas")
MASKS = ("band", "above_band", "above_mean")


@register("tas", dimensions=(2, 3))
def tas(
    image: Array,
    labels: Labels | None,
    *,
    kind: str = "pftas",
    value_range: tuple[float, float] | None = None,
) -> FeatureTable:
    """Threshold adjacency statistics of every object.

    Parameters
    ----------
    image : numpy.ndarray
        2D or 3D; taken in 256 grey levels.
    labels : numpy.ndarray of int32, optional
    kind : str
        ``"pftas"``: Otsu's threshold of the crop, band as wide as the deviation above it.
        ``"tas"``: threshold and half width 30, as published for 8 bits.
    value_range : (float, float), optional
        See :func:`bioimage_tasks.features.grey.grey_levels`.

    Raises
    ------
    ValueError
        A value out of range.
    """
    import mahotas

    check_choice("tas", "kind", kind, KINDS)
    grey = grey_levels("tas", image, 256, value_range).astype(np.uint8)
    of_crop = getattr(mahotas.features, kind)
    touching = 9 if image.ndim == 2 else 27
    count = 1 if labels is None else int(labels.max())
    found = np.zeros((count, 6 * touching))
    for place, crop in crops(grey, labels):
        found[place] = of_crop(crop)
    names = [
        f"{sign}{mask}_{neighbours}"
        for sign in ("", "not_")
        for mask in MASKS
        for neighbours in range(touching)
    ]
    return FeatureTable.of({name: ("1", found[:, i]) for i, name in enumerate(names)})
