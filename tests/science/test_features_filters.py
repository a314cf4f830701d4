"""The filter bank against scikit-image, scipy and LAPACK, in 2D and 3D."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks import features
from bioimage_tasks.features.filters import FAMILIES, OUTER, filter_bank, filter_names


@pytest.fixture(scope="module")
def image(field):
    return field[0][:96, :128].astype(np.float32)


@pytest.fixture(scope="module")
def volume():
    from scipy.ndimage import gaussian_filter

    noise = np.random.default_rng(3).normal(100, 20, (12, 20, 24))
    return gaussian_filter(noise, 1).astype(np.float32)


def smooth(pixels, sigma):
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(pixels.astype(np.float64), sigma, truncate=3.0)


def slopes(plane):
    """Central differences over a mirrored rim, the slow way."""
    padded = np.pad(plane, 1, mode="symmetric")
    inner = tuple(slice(1, -1) for _ in range(plane.ndim))
    rolled = lambda axis, by: np.roll(padded, by, axis)[inner]  # noqa: E731
    return [(rolled(axis, -1) - rolled(axis, 1)) / 2 for axis in range(plane.ndim)]


def test_families_against_a_naive_twin(image):
    """At scale 2, every family from its definition in double precision."""
    level = smooth(image, 2)
    down, across = slopes(level)
    window = {
        pair: smooth(product, 2 * OUTER)
        for pair, product in {"dd": down**2, "da": down * across, "aa": across**2}.items()
    }
    matrices = np.stack([window["dd"], window["da"], window["da"], window["aa"]], -1)
    values = np.linalg.eigvalsh(matrices.reshape(*image.shape, 2, 2))
    expected = {
        "gaussian_2": level,
        "gradient_2": np.hypot(down, across),
        "dog_2": level - smooth(image, 0.66 * 2),
        "structure_2_0": values[..., 1],
        "structure_2_1": values[..., 0],
    }
    bank = dict(zip(filter_names((2,)), filter_bank(image, (2,)), strict=True))
    for name, plane in expected.items():
        assert np.allclose(bank[name], plane, rtol=2e-3, atol=2e-3), name


@pytest.mark.parametrize("name", ["image", "volume"])
def test_hessian_against_lapack(name, request):
    pixels = request.getfixturevalue(name)
    level = smooth(pixels, 1.5)
    inner = (slice(3, -3),) * pixels.ndim
    rows = []
    for axis, slope in enumerate(slopes(level)):
        rows.append(np.stack(slopes(slope), -1))
        rolled = (np.roll(level, 1, axis), np.roll(level, -1, axis))
        rows[-1][..., axis] = rolled[0] + rolled[1] - 2 * level
    values = np.linalg.eigvalsh(np.stack(rows, -1))[inner]
    bank = filter_bank(pixels, (1.5,), ("hessian", "laplacian"))
    for rank in range(pixels.ndim):
        assert np.allclose(bank[rank][inner], values[..., -1 - rank], atol=2e-3)
    assert np.allclose(bank[-1], bank[:-1].sum(0), atol=1e-3), "the trace is the Laplacian"


def test_structure_of_a_volume_against_lapack(volume):
    level = smooth(volume, 1)
    first = slopes(level)
    rows = [np.stack([smooth(a * b, OUTER) for b in first], -1) for a in first]
    values = np.linalg.eigvalsh(np.stack(rows, -1))
    bank = filter_bank(volume, (1,), ("structure",))
    for rank in range(3):
        assert np.allclose(bank[rank], values[..., 2 - rank], atol=1e-3 * values.max())


def test_flips_dtype_and_memory_order(image):
    plain = filter_bank(image, (1, 3))
    assert plain.dtype == np.float32
    assert plain.shape == (len(filter_names((1, 3))), *image.shape)
    for other in (image.astype(np.uint8), image.astype(np.float64), np.asfortranarray(image)):
        assert np.array_equal(filter_bank(other, (1, 3)), plain)
    for turn in (np.flipud, np.fliplr, np.transpose):
        turned = filter_bank(np.ascontiguousarray(turn(image)), (1, 3))
        assert np.allclose(turned, [turn(plane) for plane in plain], atol=2e-2)


def test_spacing_follows_a_stretched_stack(volume):
    """Every second plane with twice the spacing: nearly the same smoothed planes."""
    smooth_stack = smooth(volume, (4, 2, 2))
    half = filter_bank(smooth_stack[::2], (2,), ("gaussian", "gradient"), spacing=(2, 1, 1))
    whole = filter_bank(smooth_stack, (2,), ("gaussian", "gradient"))[:, ::2]
    inner = (slice(None), slice(2, -2))
    assert np.abs(half[inner] - whole[inner]).max() < 0.1 * np.ptp(whole[0])


def test_flat_images_have_flat_responses():
    for shape in ((9, 11), (5, 9, 11), (1, 1), (1, 1, 1)):
        bank = filter_bank(np.full(shape, 7, np.uint8))
        names = filter_names(dimensions=len(shape))
        for name, plane in zip(names, bank, strict=True):
            assert np.allclose(plane, 7 if name.startswith("gaussian") else 0, atol=1e-4), name


def test_means_by_object_are_those_of_the_planes(field):
    image, gold = field[0][:128, :128], field[1][:128, :128]
    table = features.compute(image, gold, ("filters",), scales=(2.0,))
    bank = filter_bank(image, (2.0,))
    for name, plane in zip(filter_names((2.0,)), bank, strict=True):
        for number in table.index[:5]:
            row = table.index.index(number)
            inside = plane[gold == number].astype(np.float64)
            assert table.column(f"filters_{name}_mean")[row] == pytest.approx(inside.mean())
            assert table.column(f"filters_{name}_std")[row] == pytest.approx(inside.std())


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"scales": ()}, "at least one scale"),
        ({"scales": (0,)}, r"scales \(pixels\) must lie in .*got 0"),
        ({"families": ("gabor",)}, f"must be one of {', '.join(FAMILIES)}; got 'gabor'"),
        ({"spacing": (1, 1, 1)}, "a positive value an axis, 2 of them"),
    ],
)
def test_bad_settings_are_refused(how, message, image):
    with pytest.raises(ValueError, match=f"filter_bank: .*{message}"):
        filter_bank(image, **{"scales": (1,), **how})


def test_bad_images_are_refused():
    for bad in (np.zeros((2, 2, 2, 2)), np.zeros((0, 3)), np.array([[1, np.nan]]), [[1j]]):
        with pytest.raises(ValueError, match=r"filter_bank: .*got"):
            filter_bank(bad)
