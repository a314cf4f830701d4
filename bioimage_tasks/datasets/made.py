"""Images that are made, not taken: small grouped scenes to try a pipeline on.

A seed comes in, arrays go out: image, labels and group. They are easy on purpose and say
nothing about real images.
"""

from __future__ import annotations

import numpy as np

from bioimage_tasks.checks import Array, Labels

#: Image, labels, group.
Scene = tuple[Array, Labels, str]


def made_membranes(count: int = 6, groups: int = 3, side: int = 96, seed: int = 0) -> list[Scene]:
    """Draw dark lines between bright cells, with bodies inside: labels are 1 on membrane.

    Parameters
    ----------
    count, groups : int
        Images in all, and groups of neighbours.
    side : int
        Pixels.
    seed : int
    """
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    scenes: list[Scene] = []
    for number in range(count):
        labels = _cells(rng, side, 14)
        edge = np.zeros(labels.shape, dtype=bool)
        edge[1:] |= labels[1:] != labels[:-1]
        edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
        light = 190.0 - 110 * gaussian_filter(edge.astype(float), 0.8)
        light -= 25 * gaussian_filter(rng.normal(size=labels.shape), 3) * 6
        light += rng.normal(0, 8, labels.shape)
        image = np.clip(light, 0, 255).astype(np.uint8)
        scenes.append((image, edge.astype(np.int32), str(number * groups // count)))
    return scenes


def made_tissue(count: int = 6, groups: int = 3, side: int = 96, seed: int = 0) -> list[Scene]:
    """Draw purple discs on pink of a hue for each group: RGB of 8 bits and labels."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    scenes: list[Scene] = []
    rows, columns = np.mgrid[:side, :side]
    hues = rng.uniform(0.8, 1.2, (groups, 2, 3))
    for number in range(count):
        group = number * groups // count
        labels = np.zeros((side, side), dtype=np.int32)
        for row in range(12, side - 8, 24):
            for column in range(12, side - 8, 24):
                y, x = np.array((row, column)) + rng.uniform(-3, 3, 2)
                inside = ((rows - y) / rng.uniform(6, 9)) ** 2
                inside += ((columns - x) / rng.uniform(6, 9)) ** 2
                labels[inside <= 1] = labels.max() + 1
        nuclei = gaussian_filter((labels > 0).astype(float), 0.7)
        pink = 0.35 + 0.1 * gaussian_filter(rng.normal(size=labels.shape), 4) * 8
        stains = hues[group] * ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11))
        density = nuclei[..., None] * stains[0] + np.maximum(pink, 0)[..., None] * stains[1]
        light = 240 * np.exp(-density) + rng.normal(0, 4, (*labels.shape, 3))
        scenes.append((np.clip(light, 0, 255).astype(np.uint8), labels, str(group)))
    return scenes


def _cells(rng: np.random.Generator, side: int, count: int) -> Labels:
    """Return the nearest of ``count`` points for every pixel."""
    points = rng.uniform(0, side, (count, 2))
    rows, columns = np.mgrid[:side, :side]
    away = (rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2
    nearest: Labels = away.argmin(-1).astype(np.int32)
    return nearest
