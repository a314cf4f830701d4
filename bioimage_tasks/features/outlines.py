"""The outlines of objects: their length, and the Euler number that tells holes.

Runs come in, arrays with an entry an object go out. Only places where two labels meet are
looked at, those of all objects at once.

Perimeter: Benkrid, Crookes 2000, as scikit-image's; Euler number: Ohser, Nagel, Schladitz
2002, doi:10.1007/3-540-45782-8_12.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from bioimage_tasks.features.runs import Runs
from bioimage_tasks.features.table import Values

#: Length that a pixel of an outline adds, by 1 + 2 (neighbours beside it) + 10 (diagonal).
_LENGTHS = {
    **dict.fromkeys((5, 7, 15, 17, 25, 27), 1.0),
    **dict.fromkeys((21, 33), 2**0.5),
    **dict.fromkeys((13, 23), (1 + 2**0.5) / 2),
}


def perimeters(runs: Runs) -> Values:
    """Return the length of the outlines of objects in 2D, those of holes too: shape (n,)."""
    flat, (row, _) = runs.flat, runs.steps
    place = np.flatnonzero(flat)
    own = flat[place]
    beside = (1, -1, row, -row)
    rim = (flat[place + 1] != own) | (flat[place - 1] != own)
    rim |= (flat[place + row] != own) | (flat[place - row] != own)
    place, own = place[rim], own[rim]
    outline = np.zeros_like(flat)
    outline[place] = own
    code = np.ones(len(place), dtype=np.int64)
    for step in (*beside, row + 1, row - 1, 1 - row, -1 - row):
        code += (outline[place + step] == own) * (2 if step in beside else 10)
    weights = np.zeros(50)
    weights[list(_LENGTHS)] = list(_LENGTHS.values())
    return np.bincount(own, weights[code], runs.count + 1)[1:].astype(np.float64)


def euler_numbers(runs: Runs) -> Values:
    """Return parts minus holes (in 3D: parts minus tunnels plus cavities) of objects: (n,).

    Pixels that touch in a corner are one part.
    """
    flat = runs.flat
    offsets = [sum(steps) for steps in product(*((0, step) for step in runs.steps))]
    mixed = np.zeros(len(flat) - offsets[-1], dtype=bool)
    for offset in offsets[1:]:
        mixed |= flat[offset : offset + len(mixed)] != flat[: len(mixed)]
    around = flat[np.flatnonzero(mixed) + np.array(offsets)[:, None]]
    share = _shares(len(runs.shape))
    powers = 1 << np.arange(len(offsets))
    found = np.zeros(runs.count + 1)
    for corner, own in enumerate(around):
        same = around == own
        # Where several corners are one object's, the first of them speaks.
        new = (own > 0) & ~same[:corner].any(0)
        found += np.bincount(
            own[new], weights=share[powers @ same[:, new]], minlength=runs.count + 1
        )
    return found[1:]


def _shares(dimensions: int) -> Values:
    """Return what a corner where 2^n pixels meet adds, by which of them are the object's.

    Corners, edges, faces and bodies of its closed pixels count with alternating signs, each
    in as many equal shares as it has corners.
    """
    pixels = list(product((-1, 1), repeat=dimensions))
    configurations = np.arange(1 << len(pixels))
    found = np.zeros(len(configurations))
    for cell in product((-1, 0, 1), repeat=dimensions):
        size = sum(map(abs, cell))
        meets = [all(c in (0, p) for c, p in zip(cell, pixel, strict=True)) for pixel in pixels]
        bits = sum(1 << place for place, touches in enumerate(meets) if touches)
        found += (-0.5) ** size * ((configurations & bits) > 0)
    return found
