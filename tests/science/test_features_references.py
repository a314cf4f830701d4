"""Sets of features against mahotas on crops, scikit-image, scipy and naive twins."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.checks import sequential
from bioimage_tasks.features import compute
from bioimage_tasks.features.lbp import lbp_codes


@pytest.fixture(scope="module")
def part(field):
    return field[0][:200, :200].astype(np.uint8), sequential(field[1][:200, :200])


def crops(image, labels):
    from scipy.ndimage import find_objects

    return [
        np.where(labels[box] == number, image[box], 0)
        for number, box in enumerate(find_objects(labels), 1)
    ]


@pytest.mark.parametrize(("degree", "radius"), [(8, 10.0), (12, 6.0)])
def test_zernike_is_that_of_mahotas_on_crops(part, degree, radius):
    from mahotas.features import zernike_moments

    ours = compute(*part, ("zernike",), degree=degree, radius=radius).values
    theirs = [zernike_moments(crop, radius, degree) for crop in crops(*part) if crop.any()]
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_zernike_does_not_turn_with_the_object(part):
    image, labels = part
    plain = compute(image, labels, ("zernike",))
    turned = compute(np.rot90(image).copy(), np.rot90(labels).copy(), ("zernike",))
    order = [turned.index.index(key) for key in plain.index]
    assert np.allclose(turned.values[order], plain.values, atol=1e-9)


@pytest.mark.parametrize("kind", ["tas", "pftas"])
def test_tas_is_that_of_mahotas_on_crops(part, kind):
    import mahotas

    ours = compute(*part, ("tas",), kind=kind).values
    theirs = [getattr(mahotas.features, kind)(crop) for crop in crops(*part)]
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("radius", "points"), [(1, 8), (2, 12), (1.5, 4)])
def test_lbp_is_that_of_scikit_image(part, radius, points):
    """With a little noise, so that no two pixels are equal: ties count as brighter there."""
    from skimage.feature import local_binary_pattern

    image, labels = part
    noise = np.random.default_rng(0).permutation(image.size).reshape(image.shape)
    image = image.astype(np.int64) * image.size + noise + 1
    inner = (slice(3, -3), slice(3, -3))
    theirs = local_binary_pattern(image, points, radius, "ror")
    assert np.array_equal(lbp_codes(image, radius, points)[inner], theirs[inner])
    how = {"radius": radius, "points": points, "neighbours": "zero"}
    rim = compute(image, labels, ("lbp",), **how).values
    for row, crop in zip(rim, crops(image, labels), strict=True):
        alone = np.pad(crop, 3)
        codes = local_binary_pattern(alone, points, radius, "ror")[alone > 0].astype(int)
        assert np.allclose(row[row > 0], np.unique(codes, return_counts=True)[1] / len(codes))


def test_equal_neighbours_are_never_brighter():
    flat = np.full((30, 30), 0.1)
    assert compute(flat, None, ("lbp",)).values[0].tolist() == [1] + 35 * [0]


def test_lbp_of_parts_adds_up_to_the_whole(part):
    image, labels = part
    parts = compute(image, labels + 1, ("lbp",)).values
    size = np.bincount(labels.ravel())
    assert np.allclose(size @ parts / size.sum(), compute(image, None, ("lbp",)).values[0])


def test_shape_is_that_of_scikit_image(part):
    from skimage.measure import regionprops

    table = compute(*part, ("shape",), feret=True)
    same = {
        "area": "area", "perimeter": "perimeter", "eccentricity": "eccentricity",
        "solidity": "solidity", "extent": "extent", "axis_major": "axis_major_length",
        "diameter": "equivalent_diameter_area", "feret": "feret_diameter_max",
    }  # fmt: skip
    for row, region in enumerate(regionprops(part[1])):
        for ours, theirs in same.items():
            assert table.column(f"shape_{ours}")[row] == pytest.approx(region[theirs]), ours


def test_shape_of_known_forms():
    rows, columns = np.mgrid[:120, :200]
    labels = ((rows - 50) ** 2 + (columns - 50) ** 2 <= 40**2).astype(int)
    labels[(rows > 30) & (rows < 70) & (columns > 110) & (columns < 190)] = 2
    labels[40:60, 140:160] = 0
    table = compute(labels.astype(np.uint8), labels, ("shape",))
    assert table.column("shape_form_factor")[0] == pytest.approx(0.91, abs=0.01)
    assert table.column("shape_eccentricity")[0] < 0.05
    assert table.column("shape_holes").tolist() == [0, 1]
    assert table.column("shape_filled")[1] == pytest.approx(1 - 400 / (39 * 79))
    assert np.isfinite(table.values).all()


def test_intensity_against_numpy_and_scipy(part):
    from scipy import stats

    image, labels = part
    table = compute(image, labels, ("intensity",))
    for row, number in enumerate(table.index):
        inside = image[labels == number].astype(float)
        expected = {
            "mean": inside.mean(), "std": inside.std(), "sum": inside.sum(),
            "skewness": stats.skew(inside), "kurtosis": stats.kurtosis(inside),
            "quantile_0.25": np.quantile(inside, 0.25), "quantile_0.95": np.quantile(inside, 0.95),
            "quantile_0": inside.min(), "quantile_1": inside.max(),
        }  # fmt: skip
        for name, value in expected.items():
            assert table.column(f"intensity_{name}")[row] == pytest.approx(value), name


def test_intensity_of_a_volume_and_the_centre_of_light():
    volume = np.zeros((4, 9, 9), np.uint8)
    volume[:, :, 8] = 10
    table = compute(volume, None, ("intensity",))
    assert table.column("intensity_mean")[0] == pytest.approx(10 / 9)
    assert table.column("intensity_centre_shift")[0] == pytest.approx(4)


def test_granularity_finds_grains_at_their_size():
    """Discs of radius 5 lose their light between the openings by 4 and 6."""
    rows, columns = np.mgrid[:120, :120]
    grains = ((rows % 24 - 12) ** 2 + (columns % 24 - 12) ** 2 <= 26) * np.uint8(200)
    table = compute(grains, None, ("granularity",), radii=(1, 2, 3, 4, 7, 9))
    assert table.column("granularity_to_7")[0] > 0.7
    assert table.values.sum() == pytest.approx(1)


def test_neighbours_against_all_pairs(part):
    image, labels = part
    table = compute(image, labels, ("neighbourhood",), reach=40.0, nearest=2)
    centres = np.array([np.argwhere(labels == number).mean(0) for number in table.index])
    far = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    ranked = np.sort(far, axis=1)
    assert np.allclose(table.column("neighbourhood_distance_1"), ranked[:, 1])
    assert np.allclose(table.column("neighbourhood_distance_2"), ranked[:, 2])
    assert np.array_equal(table.column("neighbourhood_within_reach"), (far <= 40).sum(1) - 1)


def test_contact_of_tiles():
    labels = np.zeros((6, 9), int)
    labels[1:4, 1:4], labels[1:4, 4:7] = 1, 2
    table = compute(labels.astype(np.uint8), labels, ("neighbourhood",))
    assert table.column("neighbourhood_touching").tolist() == [1, 1]
    assert table.column("neighbourhood_contact").tolist() == [0.25, 0.25]
    alone = compute(labels.astype(np.uint8), (labels == 1) * 1, ("neighbourhood",))
    assert alone.column("neighbourhood_distance_1")[0] == pytest.approx(np.hypot(6, 9))


def test_nucleus_and_cytoplasm():
    image, nuclei = np.full((40, 60), 10.0), np.zeros((40, 60), int)
    nuclei[15:25, 10:20], nuclei[15:25, 40:50] = 1, 2
    cells = np.zeros((40, 60), int)
    cells[5:35, 3:28] = 9
    image[nuclei == 1], image[(cells == 9) & (nuclei == 0)] = 80, 20
    table = compute(image, nuclei, ("compartments",), cells=cells, gap=0.0)
    assert table.column("compartments_ratio")[0] == pytest.approx(4)
    assert table.column("compartments_area_share")[0] == pytest.approx(100 / 750)
    assert np.isnan(table.column("compartments_ratio")[1]), "no cell holds it"
    ring = compute(image, nuclei, ("compartments",), ring=3.0, gap=1.0)
    assert ring.column("compartments_cytoplasm_mean").tolist() == [20, 10]
    swapped = compute(image, 3 - nuclei - (nuclei == 0) * 3, ("compartments",), ring=3.0)
    assert swapped.column("compartments_ratio").tolist() == [1, 4]
    with pytest.raises(ValueError, match=r"compartments: cells must have the image's shape"):
        compute(image, nuclei, ("compartments",), cells=cells[:-1])
