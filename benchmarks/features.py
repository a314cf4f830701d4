"""Features of many objects in one pass beside a loop over mahotas and scikit-image.

``python benchmarks/features.py`` prints a table: CPU milliseconds of both, in turn (medians
of a few runs), how much faster (median and range of the turns), and how far the values are
apart. BLAS has one thread: more of them slow mahotas' small products down ten times and
more, and would flatter. The loops run over every object's own box, masked, as one would
write them by hand.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

#: What both measure of the form, and what scikit-image calls it; ours measures Hu's moments,
#: filled area and holes in the same time.
SHAPES = {
    "shape_area": "area", "shape_perimeter": "perimeter", "shape_axis_major": "axis_major_length",
    "shape_axis_minor": "axis_minor_length", "shape_solidity": "solidity",
    "shape_extent": "extent", "shape_feret": "feret_diameter_max",
}  # fmt: skip
FORMS = tuple(SHAPES.values())


def scene(smooth: float, size: int = 1024, objects: int = 500) -> tuple[Any, Any]:
    """Return an 8-bit image with all levels in use, and labels of ellipses on a grid."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    side = int(np.ceil(np.sqrt(objects)))
    labels = np.zeros((size, size), np.int32)
    for number in range(objects):
        y, x = (np.array(divmod(number, side)) + 0.5) * size / side
        high, wide = rng.uniform(13, 19, 2) * (500 / objects) ** 0.5
        labels[((rows - y) / high) ** 2 + ((columns - x) / wide) ** 2 <= 1] = number + 1
    noise = gaussian_filter(rng.normal(size=(size, size)), smooth)
    image = 110 + 35 * noise / noise.std() + 40 * gaussian_filter((labels > 0) * 1.0, 2)
    return np.clip(image, 1, 255).astype(np.uint8), labels


def boxes(image: Any, labels: Any) -> list[Any]:
    """Return every object's masked crop."""
    from scipy.ndimage import find_objects

    return [
        np.where(labels[box] == number, image[box], 0)
        for number, box in enumerate(find_objects(labels), 1)
    ]


def contenders(
    image: Any, labels: Any, radius: float
) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """Return (ours, the loop) by name; both give an array (objects, values)."""
    import mahotas.features as mh
    from skimage.measure import regionprops_table

    from bioimage_tasks.features import compute
    from bioimage_tasks.features.grey import grey_levels
    from bioimage_tasks.features.haralick import haralick_by_direction

    def texture(levels: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
        coarse = grey_levels("benchmark", image, levels)
        return (
            lambda: haralick_by_direction(coarse, labels).reshape(labels.max(), -1),
            lambda: np.array(
                [mh.haralick(crop, ignore_zeros=True).ravel() for crop in boxes(coarse, labels)]
            ),
        )

    crops = boxes(image, labels)
    numbers = range(1, int(labels.max()) + 1)
    return {
        "Haralick, 256 levels": texture(256),
        "Haralick, 32 levels": texture(32),
        "whole image, Haralick": (
            lambda: haralick_by_direction(image.astype(np.int32)).reshape(1, -1),
            lambda: mh.haralick(image).reshape(1, -1),
        ),
        "Zernike, degree 8": (
            lambda: compute(image, labels, ("zernike",), radius=radius).values,
            lambda: np.array([mh.zernike_moments(crop, radius, 8) for crop in crops]),
        ),
        "PFTAS": (
            lambda: compute(image, labels, ("tas",)).values,
            lambda: np.array([mh.pftas(crop) for crop in crops]),
        ),
        "mean, deviation": (
            lambda: compute(image, labels, ("intensity",), shares=()).values[:, :2],
            lambda: np.array(
                [(image[labels == n].mean(), image[labels == n].std()) for n in numbers]
            ),
        ),
        "shape": (
            lambda: compute(image, labels, ("shape",), feret=True).select(list(SHAPES)).values,
            lambda: np.stack(list(regionprops_table(labels, properties=FORMS).values()), 1),
        ),
    }


def timed_ms(function: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU time and the result."""
    start = time.process_time()
    result = function()
    return 1000 * (time.process_time() - start), result


def row(ours: Callable[[], Any], loop: Callable[[], Any], runs: int) -> str:
    """Return the cells of one comparison."""
    ours()
    own, other = [], []
    for _ in range(runs):
        one, values = timed_ms(ours)
        two, expected = timed_ms(loop)
        own.append(one)
        other.append(two)
    apart = np.nanmax(np.abs(values - expected) / np.maximum(np.abs(expected), 1e-6))
    times = np.divide(other, own)
    return (
        f"{np.median(own):.0f} | {np.median(other):.0f} | {np.median(times):.1f} "
        f"({times.min():.1f}-{times.max():.1f}) | {apart:.0e}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--objects", type=int, default=500)
    parser.add_argument("--only", default="", help="features whose name begins so")
    args = parser.parse_args()
    print("| image | feature | one pass, ms | loop, ms | times faster | apart |")
    print("|---|---|---|---|---|---|")
    for name, smooth in (("smooth", 3.0), ("noise", 0.5)):
        image, labels = scene(smooth, objects=args.objects)
        radius = 16 * (500 / args.objects) ** 0.5
        for feature, (ours, loop) in contenders(image, labels, radius).items():
            if feature.startswith(args.only):
                print(f"| {name} | {feature} | {row(ours, loop, args.runs)} |", flush=True)


if __name__ == "__main__":
    main()
