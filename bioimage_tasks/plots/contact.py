"""Many pictures on one sheet, each with its name.

Pictures come in, one goes out. Must not know how they were drawn.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bioimage_tasks.checks import Array, check_range
from bioimage_tasks.plots.canvas import picture, sheet
from bioimage_tasks.plots.overlays import Picture


def contact_sheet(
    pictures: Sequence[Array],
    names: Sequence[str],
    *,
    columns: int = 5,
    title: str = "",
    inches: float = 2.0,
) -> Picture:
    """Put pictures side by side: ``contact_sheet([one, other], ["one", "other"])``.

    Parameters
    ----------
    pictures : sequence of numpy.ndarray
        Shape (height, width) grey, shown from its 1st to its 99.8th percentile, or
        (height, width, 3) of uint8. Sizes may differ.
    names : sequence of str
        Written above each.
    columns : int
        1 to 20.
    title : str
    inches : float
        Width of one picture, 0.5 to 20; outlines want one in which no pixel is lost.

    Raises
    ------
    ValueError
        No pictures, or names are not as many.
    """
    check_range("contact_sheet", "columns", columns, 1, 20)
    check_range("contact_sheet", "inches", inches, 0.5, 20)
    if not pictures or len(pictures) != len(names):
        raise ValueError(
            f"contact_sheet: needs pictures and a name for each; got {len(pictures)}, {len(names)}"
        )
    across = min(columns, len(pictures))
    down = -(-len(pictures) // across)
    tall = max(np.shape(one)[0] / np.shape(one)[1] for one in pictures)
    figure = sheet(inches * across, (inches * tall + 0.3) * down + (0.4 if title else 0))
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, one, name in zip(grid, pictures, names, strict=False):
        shown = np.asarray(one)
        if shown.ndim == 2:
            low, high = np.percentile(shown, (1, 99.8))
            axes.imshow(shown, cmap="gray", vmin=low, vmax=max(high, low + 1e-9))
        else:
            axes.imshow(shown)
        axes.set_title(name, fontsize=8)
    if title:
        figure.suptitle(title, fontsize=11)
    return picture(figure)
