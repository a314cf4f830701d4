"""What leaving out images hides: scores by image and by group, joined by a line a way.

Scores of ways come in (plain numbers, several seeds each), a picture goes out. The figure
of Coelho et al. 2013, doi:10.1093/bioinformatics/btt392. Must not know how a way works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from bioimage_tasks.plots.canvas import COLOURS, MARKERS, picture, plain, sheet
from bioimage_tasks.plots.overlays import Picture


def leak_lines(
    by_image: Mapping[str, Sequence[float]],
    by_group: Mapping[str, Sequence[float]],
    each: Mapping[str, Mapping[str, float]],
    *,
    chance: float,
    quantity: str = "accuracy",
    group: str = "group",
    title: str = "",
) -> Picture:
    """Draw the fall from images to groups left out: ``leak_lines(by_image, by_group, each)``.

    Parameters
    ----------
    by_image, by_group : mapping of str to sequence of float
        Scores of every way, one a seed.
    each : mapping of str to mapping of str to float
        Score of every way in every group left out; the second panel.
    chance : float
        Score of guessing the most frequent class.
    quantity, group, title : str
        What the axes are called.

    Returns
    -------
    numpy.ndarray of uint8
        RGB.

    Raises
    ------
    ValueError
        The ways of the three differ, or there is none.
    """
    if not by_image or not (list(by_image) == list(by_group) == list(each)):
        raise ValueError(
            f"leak_lines: all three must have the same ways, one at least; got "
            f"{list(by_image)}, {list(by_group)}, {list(each)}"
        )
    figure = sheet(9.5, 4.2)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(2, 3))
    for place, way in enumerate(by_image):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        means = [float(np.mean(by_image[way])), float(np.mean(by_group[way]))]
        left.plot([0, 1], means, color=colour, linewidth=2)
        for column, scores in enumerate((by_image[way], by_group[way])):
            left.plot([column] * len(scores), scores, marker, color=colour, alpha=0.5)
            side = -0.08 if column == 0 else 0.08
            align = "right" if column == 0 else "left"
            left.text(column + side, means[column], f"{means[column]:.2f}", va="center", ha=align)
        shift = 0.16 * (place - (len(by_image) - 1) / 2)
        names = list(each[way])
        right.plot(np.arange(len(names)) + shift, [each[way][name] for name in names], marker,
                   color=colour, label=way)  # fmt: skip
    left.set_xticks([0, 1], ["images", f"whole {group}s"])
    left.set(xlim=(-0.5, 1.5), xlabel="left out", ylabel=quantity)
    right.set_xticks(range(len(names)), names, rotation=30, ha="right")
    right.set_xlabel(f"{group} left out")
    for axes in (left, right):
        plain(axes)
        axes.axhline(chance, color="0.4", linestyle="--", linewidth=1)
    right.text(len(names) - 0.5, chance, "guessing", va="bottom", ha="right", color="0.3")
    figure.legend(loc="outside upper right", ncols=len(by_image), frameon=False)
    if title:
        figure.suptitle(title, x=0.01, ha="left")
    return picture(figure)
