"""The pipeline smooth, threshold, split, label beside the same in plain mahotas.

    python benchmarks/segmentation.py [--side 1024] [--nuclei 500] [--repeats 5]

CPU time of one process, the best of the repeats; both find the same objects, which is
checked by F1 of one against the other.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np

from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import masks, objects


def scene(side: int, nuclei: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return an image of bright, partly touching discs on noise, and their labels."""
    rng = np.random.default_rng(seed)
    cells = int(np.ceil(np.sqrt(nuclei)))
    step = side / cells
    rows, columns = np.mgrid[:side, :side]
    light, labels = np.zeros((side, side)), np.zeros((side, side), dtype=np.int32)
    for number in range(nuclei):
        row, column = (np.array(divmod(number, cells)) + 0.5) * step + rng.uniform(-3, 3, 2)
        top, left = int(max(row - step, 0)), int(max(column - step, 0))
        box = np.s_[top : top + int(2 * step), left : left + int(2 * step)]
        inside = (rows[box] - row) ** 2 + (columns[box] - column) ** 2 <= (0.45 * step) ** 2
        labels[box][inside] = number + 1
        light[box][inside] = rng.uniform(80, 160)
    light = masks.smooth(light.astype(np.float32), 1.0) + rng.normal(20, 4, light.shape)
    return light.clip(0, 255).astype(np.uint8), labels


def ours(image: np.ndarray) -> np.ndarray:
    """Smooth, threshold, split and label with this package's steps."""
    smoothed = masks.smooth(image.astype(np.float32), 2.0)
    mask = smoothed > masks.otsu(smoothed)
    return objects.split_touching(mask, 2.0, 1.0)


def plain_mahotas(image: np.ndarray) -> np.ndarray:
    """Do the same as mahotas' users write it."""
    import mahotas as mh

    smoothed = mh.gaussian_filter(image.astype(np.float32), 2.0)
    mask = smoothed > mh.otsu(smoothed.astype(np.uint8))
    depth = mh.gaussian_filter(np.sqrt(mh.distance(mask)).astype(np.float32), 2.0)
    seeds, _ = mh.label(mh.regmax(depth) & mask, np.ones((3, 3)))
    surface = (depth.max() - depth) * 255 / max(depth.max(), 1e-6)
    labels = mh.cwatershed(surface.astype(np.uint8), seeds)
    return np.where(mask, labels, 0).astype(np.int32)


def cpu(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray, repeats: int) -> float:
    """Return the least CPU seconds of the repeats."""
    took = []
    for _ in range(repeats):
        start = time.process_time()
        function(image)
        took.append(time.process_time() - start)
    return min(took)


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--nuclei", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    image, gold = scene(args.side, args.nuclei)
    labels = {"this package": ours(image), "plain mahotas": plain_mahotas(image)}
    took = {
        "this package": cpu(ours, image, args.repeats),
        "plain mahotas": cpu(plain_mahotas, image, args.repeats),
    }
    print(f"{args.side} x {args.side} pixels, {args.nuclei} nuclei, best of {args.repeats}")
    for name, found in labels.items():
        scores = score(found, gold)
        print(
            f"{name:14} {1000 * took[name]:7.1f} ms CPU  F1 {scores.f1:.3f}  AP {scores.mean_ap:.3f}"
        )
    agreement = score(labels["this package"], labels["plain mahotas"]).f1
    ratio = took["plain mahotas"] / took["this package"]
    print(f"{ratio:.1f} times as fast; F1 of one against the other {agreement:.3f}")


if __name__ == "__main__":
    main()
