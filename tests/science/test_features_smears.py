"""Smears: purple things are counted, the light's strength matters little, densities add up."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.features.smears import smear_features, spread

NAMES = ("white_cells", "platelets")


def smear(white, platelets, side=240):
    """Draw pink discs with a few large and many small purple ones on a light ground."""
    picture = np.full((side, side * 4 // 3, 3), (235.0, 232.0, 240.0))
    rows, columns = np.mgrid[:side, : side * 4 // 3]

    def disc(row, column, radius, colour):
        picture[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = colour

    for place in range(8):
        disc(30 + 55 * (place // 4), 30 + 75 * (place % 4), 14, (215, 160, 150))
    for place in range(white):
        disc(200, 40 + 90 * place, 22, (110, 60, 160))
    for place in range(platelets):
        disc(150, 20 + 40 * place, 4, (120, 70, 165))
    return picture.astype(np.uint8)


@pytest.mark.parametrize(("white", "platelets"), [(1, 0), (1, 4), (2, 3), (3, 6)])
def test_nuclei_and_platelets_are_counted(white, platelets):
    table = smear_features(smear(white, platelets))
    assert [table.column(name)[0] for name in NAMES] == [white, platelets]
    assert np.isfinite(table.values).all()


def test_another_size_and_dimmer_light_count_the_same():
    image = smear(2, 3)
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    dim = (image * 0.8).astype(np.uint8)
    for other in (large, dim):
        table = smear_features(other)
        assert [table.column(name)[0] for name in NAMES] == [2, 3]


def test_an_empty_field_has_features_too():
    assert np.isfinite(smear_features(np.full((60, 80, 3), 230, np.uint8)).values).all()


def test_a_density_adds_up_to_the_count_inside():
    found = spread([[2, 3, 10, 12], [-5, -5, 4, 4], [50, 50, 60, 60], [5, 5, 5, 5]], (20, 30))
    assert found.sum() == pytest.approx(3), "the third lies outside"
    assert found[2:10, 3:12].min() >= 1 / 72
    assert spread(np.zeros((0, 4)), (5, 5)).sum() == 0
    with pytest.raises(ValueError, match=r"boxes must have the shape \(n, 4\); got \(3,\)"):
        spread([1, 2, 3], (5, 5))


@pytest.mark.parametrize("image", [np.ones((5, 5)), np.ones((0, 5, 3)), np.ones((5, 5, 4))])
def test_not_rgb_is_refused(image):
    with pytest.raises(ValueError, match=r"must be RGB, \(height, width, 3\)"):
        smear_features(image)


def test_nan_is_refused():
    with pytest.raises(ValueError, match="every pixel must be a finite number"):
        smear_features(np.full((5, 5, 3), np.nan))


def test_red_cells_are_seen_among_many_purple_things():
    """Purple is so dark that one threshold for all would part it from everything else."""
    red_cells = smear(0, 0)
    image = red_cells.copy()
    image[120:] = (110, 60, 160)
    area = [smear_features(one).column("cells_area")[0] for one in (image, red_cells)]
    assert area[0] > 0.5 + 0.9 * area[1]
