"""The sheet that figures are drawn on: matplotlib's Figure without its global state.

A size comes in, a figure goes out; a drawn figure comes in, RGB pixels go out. Must not
know what is drawn. Colours are told apart without seeing red from green (Okabe and Ito).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bioimage_tasks.plots.overlays import Picture

#: Blue, vermilion, green, orange, purple, sky, yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#B8A800")
MARKERS = "osD^vP*X<>hp8"
#: Maps: one from nothing to much, one with a middle.
SEQUENTIAL, DIVERGING = "cividis", "PuOr"
DPI = 120


def sheet(width: float, height: float) -> Any:
    """Return an empty figure, width and height in inches, laid out so that nothing overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def picture(figure: Any) -> Picture:
    """Return a drawn figure as pixels, shape (height, width, 3)."""
    figure.canvas.draw()
    pixels: Picture = np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()
    return pixels


def plain(axes: Any) -> None:
    """Take away the frame's upper and right side, and make the grid faint."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)


def ink(axes: Any, value: float, low: float, high: float, cmap: str) -> str:
    """Return black or white, whichever is read on a map's colour of ``value``."""
    from matplotlib import colormaps

    share = 0.5 if high <= low else (value - low) / (high - low)
    red, green, blue, _ = colormaps[cmap](min(max(share, 0.0), 1.0))
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
