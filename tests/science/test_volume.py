"""Stacks: what is found on made ones, against SciPy and scikit-image, turned, scaled, refused."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import segmentation
from bioimage_tasks.datasets import get
from bioimage_tasks.datasets.made_volumes import made_volume
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import masks, voxels
from bioimage_tasks.segmentation.volume import own_cut, volume_watershed

NAME = "volume-watershed"


@pytest.fixture(scope="module")
def stack():
    """Nuclei that touch here and there, planes two pixels apart."""
    return made_volume(10, 2.0, 1.0)


@pytest.fixture(scope="module")
def plain(stack):
    return segmentation.segment(stack[0], NAME, spacing=(2, 1, 1))


def balls(spacing=(2.0, 1.0, 1.0)):
    """Eight equal balls apart from each other, and their labels."""
    labels = np.zeros((20, 40, 40), np.int32)
    places = np.moveaxis(np.indices(labels.shape), 0, -1) * spacing
    for number, corner in enumerate(np.ndindex(2, 2, 2), 1):
        away = places - np.array([10, 10, 10]) - 20 * np.array(corner)
        labels[np.square(away).sum(-1) <= 36] = number
    noise = np.random.default_rng(0).normal(0, 4, labels.shape)
    return np.clip(30 + 100 * (labels > 0) + noise, 0, 255).astype(np.uint8), labels


def test_methods_for_volumes_are_apart_from_those_for_planes():
    assert NAME in segmentation.methods(3)
    assert NAME not in segmentation.methods()
    assert "root-contrast" not in segmentation.methods(3)
    for image, method in ((balls()[0], "root-contrast"), (balls()[0][0], NAME)):
        with pytest.raises(ValueError, match=r"the image must have .* dimensions"):
            segmentation.segment(image, method)


@pytest.mark.parametrize(
    ("kind", "least"),
    [((10, 2.0, 1.2), 0.95), ((10, 1.0, 1.5), 0.95), ((16, 4.0, 1.0), 0.85), ((10, 2.0, 0.85), 0.7)],
)  # fmt: skip
def test_made_stacks_of_another_draw_are_found(kind, least):
    """Sparse and touching, at four anisotropies; nothing is told but the image."""
    image, gold = made_volume(*kind, 7)
    assert score(segmentation.segment(image, NAME), gold).f1 >= least
    one = segmentation.segment(image, NAME, split=0)
    # Where objects touch they run together unless they are parted.
    assert score(one, gold).f1 < least or kind[2] >= 1.2


def test_a_real_stack_is_found_when_its_spacing_is_told(collection):
    """StarDist's crop, blurred along the light, with what its authors publish of it."""
    image = get("3d-nuclei-stardist")(collection("3d-nuclei-stardist")).images()[0]
    stack, gold = image.read(), image.gold.read()
    assert image.about("spacing") == (2.0, 1.0, 1.0)
    told = score(segmentation.segment(stack, NAME, spacing=image.about("spacing")), gold)
    assert told.f1 > 0.75
    assert score(segmentation.segment(stack, NAME, spacing=(0.5, 1, 1)), gold).f1 < 0.5


def test_it_finds_balls_and_reports_int32_without_gaps():
    image, gold = balls()
    before = image.copy()
    labels = volume_watershed(image)
    assert labels.dtype == np.int32
    assert np.unique(labels).tolist() == list(range(9))
    assert score(labels, gold).mean_ap > 0.8
    assert np.array_equal(image, before)
    assert np.array_equal(labels, volume_watershed(image))


def test_dtype_offset_gain_and_memory_order_do_not_matter(stack, plain):
    image = stack[0]
    same = [image.astype(np.float64), image.astype(np.int32) + 1000, np.asfortranarray(image)]
    for other in (*same, image.astype(np.float32) * 4):
        assert np.array_equal(segmentation.segment(other, NAME, spacing=(2, 1, 1)), plain)


@pytest.mark.parametrize("axis", [0, 1, 2, (1, 2)])
def test_flips_find_the_same_objects(axis, stack, plain):
    turned = segmentation.segment(np.flip(stack[0], axis), NAME, spacing=(2, 1, 1))
    assert score(turned, np.flip(plain, axis)).f1 > 0.95


@pytest.mark.parametrize("axes", [(0, 2, 1), (2, 0, 1), (1, 2, 0)])
def test_axes_may_be_swapped_when_their_spacing_is(axes, stack, plain):
    steps = np.array((2, 1, 1))[list(axes)]
    turned = segmentation.segment(stack[0].transpose(axes), NAME, spacing=tuple(steps))
    assert score(turned, plain.transpose(axes)).f1 > 0.95
    wrong = segmentation.segment(stack[0].transpose(axes), NAME, spacing=tuple(steps[::-1]))
    if tuple(steps) != tuple(steps[::-1]):
        assert score(wrong, plain.transpose(axes)).f1 < 0.95, "the spacing must matter"


@pytest.mark.parametrize("unit", [0.25, 3.0])
def test_the_unit_of_lengths_does_not_matter(unit, stack, plain):
    labels = segmentation.segment(stack[0], NAME, spacing=(2 * unit, unit, unit))
    assert score(labels, plain).f1 > 0.98
    given = [
        segmentation.segment(stack[0], NAME, spacing=(2 * one, one, one), diameter=9 * one)
        for one in (1.0, unit)
    ]
    assert score(*given).f1 > 0.98


def test_the_diameter_goes_with_the_objects():
    found = []
    for size in (8.0, 12.0, 20.0):
        pixels = masks.prepare(made_volume(size, 2.0, 1.2)[0])
        found.append(voxels.diameter_or_estimate("t", None, pixels, (2.0, 1.0, 1.0)))
        assert found[-1] == pytest.approx(size, rel=0.2)
    assert found == sorted(found)


@pytest.mark.parametrize("spacing", [1.0, 2.0, 4.0])
def test_the_distance_of_planes_is_told_by_outlines(spacing):
    image, gold = made_volume(16, spacing, 1.2)
    light = (gold > 0).astype(np.float32)
    assert voxels.plane_distance(light) == pytest.approx(spacing, rel=0.2)
    # Blur makes objects longer in depth: planes seem a little nearer.
    found = voxels.plane_distance(masks.prepare(image))
    assert 0.75 * spacing < found < 1.1 * spacing


def test_the_distance_of_planes_goes_with_the_planes_taken(collection):
    """Of a real stack, every second and third plane."""
    image = get("3d-nuclei-stardist")(collection("3d-nuclei-stardist")).images()[0]
    pixels = masks.prepare(image.read())
    every = [voxels.plane_distance(pixels[::step]) for step in (1, 2, 3)]
    assert every[1] / every[0] == pytest.approx(2, rel=0.3)
    assert every[2] / every[0] == pytest.approx(3, rel=0.4)
    half = pixels[:, :60, :56].reshape(31, 30, 2, 28, 2).mean((2, 4))
    assert voxels.plane_distance(half) == pytest.approx(every[0] / 2, rel=0.2)


def test_smoothing_and_background_are_scipys_where_voxels_are_cubes():
    from scipy.ndimage import gaussian_filter, generic_filter

    rng = np.random.default_rng(0)
    pixels = rng.random((9, 10, 11)).astype(np.float32)
    cube = voxels.smooth(pixels, 1.5, (1.0, 1.0, 1.0))
    assert np.allclose(cube, gaussian_filter(pixels, 1.5, truncate=3.0), atol=1e-6)
    mask = rng.random(pixels.shape) < 0.4
    slow = generic_filter(np.where(mask, np.nan, pixels), np.nanmean, size=5)
    assert np.allclose(voxels.background(pixels, mask, 5, (1.0, 1.0, 1.0)), slow, atol=1e-5)
    flat = generic_filter(np.where(mask, np.nan, pixels), np.nanmean, size=(3, 5, 5))
    assert np.allclose(voxels.background(pixels, mask, 5, (2.0, 1.0, 1.0)), flat, atol=1e-5)


def test_parting_is_scikit_images_watershed_of_the_distance():
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    image, _ = balls()
    image[9:11, 8:12, 8:32] = 130  # bridges between balls
    steps = (2.0, 1.0, 1.0)
    mask = voxels.bright(masks.prepare(image))
    from bioimage_tasks.segmentation.volume import _parted

    ours = _parted(mask, 12.0, 0.05, steps, fill=False)
    distance = gaussian_filter(distance_transform_edt(mask, steps), [0.48, 0.96, 0.96], truncate=3)
    distance *= mask
    tops = label(h_maxima(distance, 0.6) & mask, np.ones((3, 3, 3)))[0]
    theirs = watershed(-distance, tops, mask=mask)
    assert score(ours, theirs).f1 > 0.9
    assert ours.max() >= 8


def test_each_object_is_cut_at_its_own_contrast():
    """A dim ball keeps its outline beside one ten times as bright."""
    _, gold = balls()
    light = np.where(gold == 1, 1000.0, np.where(gold > 0, 100.0, 0)) + 25.0
    blurred = voxels.smooth(light.astype(np.float32), 1.0, (2.0, 1.0, 1.0))
    grown = voxels.smooth((gold > 0).astype(np.float32), 2.0, (2.0, 1.0, 1.0)) > 0.05
    from scipy.ndimage import label

    parts = label(grown)[0].astype(np.int32)
    cut = own_cut(blurred, parts, 24.0, 0.5, (2.0, 1.0, 1.0))
    whole = [np.count_nonzero(cut & (gold == n)) / np.count_nonzero(gold == n) for n in (1, 2, 8)]
    assert min(whole) > 0.75
    assert np.count_nonzero(blurred[gold == 2] > 500) == 0, "no level serves both"


def bad_images():
    nan = np.ones((4, 8, 8))
    nan[1, 2, 3] = np.nan
    return [
        (np.zeros((0, 5, 5), np.uint8), r"must hold pixels.*\(0, 5, 5\)"),
        (np.full((4, 8, 8), 7, np.uint8), "must not be constant.*got 7"),
        (nan, "every pixel must be finite.*got 1 such"),
        (np.zeros((4, 4), np.uint8), r"must have 3 dimensions.*\(4, 4\)"),
        (np.zeros((4, 4, 4), complex), "must hold real numbers.*complex"),
    ]


@pytest.mark.parametrize(("image", "message"), bad_images())
def test_bad_images_are_refused_by_name(image, message):
    with pytest.raises(ValueError, match=f"volume_watershed: .*{message}"):
        segmentation.segment(image, NAME)


@pytest.mark.parametrize(
    "params",
    [{"diameter": 0.5}, {"diameter": 1e9}, {"smoothing": -1}, {"min_size": -1}, {"border": "cut"},
     {"spacing": (1, 1)}, {"spacing": (1, 0, 1)}, {"spacing": (1, float("nan"), 1)},
     {"looks": 0}, {"fraction": 2}, {"window": 0}, {"split": -1}, {"min_contrast": -1}],
)  # fmt: skip
def test_values_out_of_range_are_refused(params):
    (parameter,) = params
    with pytest.raises(ValueError, match=f"volume_watershed: {parameter}.*got"):
        segmentation.segment(balls()[0], NAME, **params)


def test_tiny_odd_and_empty_volumes_work():
    for shape in [(1, 1, 2), (2, 2, 2), (1, 20, 20), (3, 40, 5)]:
        image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        assert segmentation.segment(image, NAME).shape == shape
    noise = np.random.default_rng(1).normal(100, 3, (8, 24, 24))
    assert segmentation.segment(noise, NAME).shape == noise.shape


def test_objects_at_a_face_can_be_cleared(stack):
    labels = segmentation.segment(stack[0], NAME, spacing=(2, 1, 1), border="clear")
    for axis in range(3):
        assert not np.take(labels, 0, axis).any()
        assert not np.take(labels, -1, axis).any()
    assert labels.max() > 0


def test_made_stacks_are_those_of_their_arguments():
    one, again = (made_volume(8, 2.0, 1.0, 3) for _ in range(2))
    assert np.array_equal(one[0], again[0])
    assert np.array_equal(one[1], again[1])
    assert not np.array_equal(one[0], made_volume(8, 2.0, 1.0, 4)[0])
    assert np.unique(one[1]).tolist() == list(range(one[1].max() + 1))
    assert one[0][one[1] > 0].mean() > 1.5 * one[0][one[1] == 0].mean()
    with pytest.raises(ValueError, match=r"made_volume: spacing .*got 9"):
        made_volume(8, 9)


def test_every_parameter_is_documented_and_on_the_page():
    docs = Path(__file__).resolve().parents[2] / "docs" / "segmentation.md"
    text, page = inspect.getdoc(segmentation.get(NAME)), docs.read_text()
    assert f"`{NAME}`" in page
    for parameter, default in segmentation.parameters(NAME).items():
        assert parameter in text
        assert f"`{parameter}={default!r}`".replace("'", '"') in page, parameter
