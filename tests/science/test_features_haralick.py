"""Haralick in one pass against mahotas on every masked crop, and what follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.features import compute, cooccurrence
from bioimage_tasks.features.haralick import DIFFERENCES, NAMES, STEPS_2D, haralick_by_direction

#: mahotas cancels where two nearly equal numbers are subtracted; beyond that it is 1e-9.
CLOSE = {"rtol": 1e-9, "atol": 1e-11}


def of_mahotas(image, labels, **how):
    """Return mahotas' features of every object's masked crop, NaN where it raises."""
    import mahotas
    from scipy.ndimage import find_objects

    found = []
    for number, box in enumerate(find_objects(labels), 1):
        crop = np.where(labels[box] == number, image[box], 0)
        try:
            found.append(mahotas.features.haralick(crop, ignore_zeros=True, **how))
        except ValueError:
            found.append(np.full((4, 13), np.nan))
    return np.array(found)


@pytest.mark.parametrize("distance", [1, 3])
def test_all_nuclei_of_the_real_field(field, distance):
    image, labels = field[0].astype(np.int32), field[1]
    image = image if image.max() < 256 else image * 255 // image.max()
    ours = haralick_by_direction(image, labels, distance=distance)
    theirs = of_mahotas(image, labels, distance=distance)
    known = np.isfinite(theirs).all((1, 2))
    assert known.sum() > 100
    np.testing.assert_allclose(ours[known], theirs[known], **CLOSE)


def test_nuclei_at_256_levels(plain_field):
    """Fifty large nuclei; feature 10 in both of mahotas' ways."""
    from bioimage_tasks.segmentation import segment

    image, labels = plain_field[:400, :500], segment(plain_field[:400, :500])
    assert labels.max() > 5
    for difference, variance in (("mahotas", False), ("difference", True)):
        ours = haralick_by_direction(image.astype(np.int32), labels, difference=difference)
        theirs = of_mahotas(image, labels, use_x_minus_y_variance=variance)
        np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("levels", [2, 17, 256, 65536])
def test_random_objects_by_table_and_by_sort(levels, monkeypatch):
    """Few levels are counted in tables, many are sorted: both as mahotas has it."""
    rng = np.random.default_rng(levels)
    top = min(levels, 900)
    image = rng.integers(1, top, (40, 50)) if top > 2 else np.ones((40, 50), int)
    labels = np.repeat(np.repeat(np.arange(20).reshape(4, 5), 10, 0), 10, 1)
    theirs = of_mahotas(image, labels)
    for block in (64, 1 << 17):
        monkeypatch.setattr(cooccurrence, "BLOCK", block)
        ours = haralick_by_direction(image.astype(np.int32), labels)
        np.testing.assert_allclose(ours, theirs, **CLOSE)


@pytest.mark.parametrize("levels", [4, 64, 256])
def test_large_objects_are_counted_in_tables_with_the_same_result(levels, monkeypatch, field):
    """In pieces, two that touch, one in parts, with and without zeros, beside a small one."""
    image = field[0].astype(np.int32) * levels // (int(field[0].max()) + 1)
    labels = np.ones(image.shape, np.int32)
    labels[100:, 90:], labels[40:60, 20:50], labels[5:9, 5:9] = 2, 0, 3
    monkeypatch.setattr(cooccurrence, "BLOCK", 1500)
    found = {}
    for large in (1 << 40, 1):
        monkeypatch.setattr(cooccurrence, "LARGE", large)
        found[large] = [
            haralick_by_direction(image, numbers, distance=distance, ignore_zeros=zeros)
            for numbers in (labels, None)
            for distance, zeros in ((1, True), (3, False))
        ]
    for sorted_, counted in zip(*found.values(), strict=True):
        np.testing.assert_allclose(counted, sorted_, **CLOSE)
    np.testing.assert_allclose(found[1][0], of_mahotas(image, labels), **CLOSE)


@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("zeros", [True, False])
def test_a_whole_image_by_its_table_and_without(distance, zeros, monkeypatch, field):
    """In every way of feature 10; a volume too; what is too small for a table is sorted."""
    import mahotas

    image = field[0].astype(np.int32) % 100
    volume = np.random.default_rng(0).integers(0, 5, (7, 11, 13)).astype(np.int32)
    for pixels in (image, volume, image[:, ::2].T):
        for difference in DIFFERENCES:
            how = {"distance": distance, "ignore_zeros": zeros, "difference": difference}
            monkeypatch.setattr(cooccurrence, "LARGE", 1)
            ours = haralick_by_direction(pixels, **how)
            monkeypatch.setattr(cooccurrence, "LARGE", 1 << 40)
            np.testing.assert_allclose(ours, haralick_by_direction(pixels, **how), **CLOSE)
        theirs = mahotas.features.haralick(
            pixels, distance=distance, ignore_zeros=zeros, use_x_minus_y_variance=True
        )
        np.testing.assert_allclose(ours[0], theirs, **CLOSE)


def of_dense_matrices(levels, labels, step):
    """Return energy, contrast, sum variance and entropies of objects, zeros and all."""
    found = np.full((labels.max(), 5), np.nan)
    height, width = levels.shape
    for number in range(1, labels.max() + 1):
        counts = {}
        for row, column in np.argwhere(labels == number):
            far = (row + step[0], column + step[1])
            if 0 <= far[0] < height and 0 <= far[1] < width and labels[far] == number:
                pair = (int(levels[row, column]), int(levels[far]))
                for way in (pair, pair[::-1]):
                    counts[way] = counts.get(way, 0) + 1
        if not counts:
            continue
        x, y = np.array(list(counts), dtype=float).T
        p = np.array(list(counts.values())) / sum(counts.values())
        sums, places = np.unique(x + y, return_inverse=True)
        of_sums = np.bincount(places, p)
        found[number - 1] = (
            (p**2).sum(),
            (p * (x - y) ** 2).sum(),
            (of_sums * sums**2).sum() - (of_sums * sums).sum() ** 2,
            -(of_sums * np.log2(of_sums)).sum(),
            -(p * np.log2(p)).sum(),
        )
    return found


@pytest.mark.parametrize("top", [2, 256, 257, 65536, 100_000])
def test_objects_of_all_sizes_with_their_zeros_against_dense_matrices(top):
    """One pixel, a line, a labyrinth of background, and most of the image; some labels unused."""
    rng = np.random.default_rng(top)
    levels = rng.integers(0, top, (23, 31)).astype(np.int32)
    levels[:9] = levels[:9] // (top // 2) * (top - 1)  # the same pairs again and again
    labels = np.full(levels.shape, 3)
    labels[0, 0], labels[2, 4:9], labels[5:9, 5:9] = 1, 2, 5
    labels[12:20, 12:20] = rng.integers(0, 2, (8, 8)) * 7
    ours = haralick_by_direction(levels, labels, ignore_zeros=False)
    for way, step in enumerate(STEPS_2D):
        theirs = of_dense_matrices(levels, labels, step)
        np.testing.assert_allclose(ours[:, way][:, [0, 1, 6, 7, 8]], theirs, rtol=1e-9, atol=1e-9)


def test_a_whole_image_and_a_volume(field):
    import mahotas

    image = field[0].astype(np.int32) % 256
    volume = np.random.default_rng(0).integers(0, 30, (7, 11, 13))
    for pixels in (image, volume):
        for distance in (1, 2):
            ours = haralick_by_direction(pixels, distance=distance)[0]
            theirs = mahotas.features.haralick(pixels, distance=distance)
            np.testing.assert_allclose(ours, theirs, **CLOSE)
    ours = haralick_by_direction(volume, ignore_zeros=True)[0]
    theirs = mahotas.features.haralick(volume, ignore_zeros=True)
    np.testing.assert_allclose(ours, theirs, **CLOSE)


def test_columns_are_means_and_ranges_over_directions(field):
    image, labels = field[0][:128, :128], field[1][:128, :128]
    raw = haralick_by_direction(image.astype(np.int32), labels)
    raw = raw[np.isin(np.arange(1, len(raw) + 1), labels)]
    table = compute(image, labels, ("haralick",))
    for place, name in enumerate(NAMES):
        each = raw[:, :, place]
        whole = np.isfinite(each).all(1)
        mean, spread = (table.column(f"haralick_{name}_{what}") for what in ("mean", "range"))
        assert np.allclose(mean[whole], each[whole].mean(1))
        assert np.allclose(spread[whole], np.ptp(each[whole], axis=1))
    assert len(compute(image, labels, ("haralick",), directions="all").names) == 52


def test_directions_without_pairs_do_not_count_and_a_lone_pixel_is_nan():
    image = np.arange(1, 101, dtype=np.uint8).reshape(10, 10)
    labels = np.zeros((10, 10), int)
    labels[2, 1:6], labels[8, 8] = 1, 2
    table = compute(image, labels, ("haralick",))
    assert np.isfinite(table.values[0]).all()
    assert table.column("haralick_contrast_mean")[0] == 1
    assert np.isnan(table.values[1]).all()


def test_grey_levels_of_many_bits(field):
    image, labels = field[0][:128, :128].astype(np.uint16) * 200, field[1][:128, :128]
    fixed = compute(image, labels, ("haralick",), levels=256, value_range=(0, 51200))
    plain = compute(image // 200, labels, ("haralick",), value_range=(0, 256))
    assert np.allclose(fixed.values, plain.values, equal_nan=True)
    own = compute(image, labels, ("haralick",), levels=32)
    assert np.nanmax(own.column("haralick_sum_average_mean")) <= 62


def test_the_cost_does_not_follow_the_levels_or_the_number_of_objects():
    """A million possible levels times objects would need terabytes as dense matrices."""
    rng = np.random.default_rng(0)
    image = rng.integers(0, 65536, (300, 300)).astype(np.uint16)
    labels = (np.arange(300)[:, None] // 4) * 75 + np.arange(300)[None, :] // 4 + 1
    table = compute(image, labels, ("haralick",), levels=65536, value_range=(0, 65536))
    assert len(table) == 75 * 75
    assert np.isfinite(table.values).all()
