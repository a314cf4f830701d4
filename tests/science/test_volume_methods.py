"""Methods written for planes and stacks alike: in stacks against SciPy and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks import io, segmentation
from bioimage_tasks.datasets import ImageRef
from bioimage_tasks.datasets.made_volumes import made_volume
from bioimage_tasks.metrics import score
from bioimage_tasks.segmentation import masks, seeds
from bioimage_tasks.segmentation.bernsen import bernsen_mask
from bioimage_tasks.segmentation.scene import Scene, prepared
from bioimage_tasks.segmentation.threshold import _box_mean

BOTH = tuple(name for name in segmentation.methods(3) if name in segmentation.methods())
PLANES_ONLY = tuple(set(segmentation.methods()) - set(BOTH))
STEPS = (2.0, 1.0, 1.0)
#: Nothing but the threshold.
BARE = {"smoothing": 0.0, "split": 0.0, "fill": False, "min_size": 0.0, "min_contrast": 0.0}


@pytest.fixture(scope="module")
def stack():
    """Nuclei that touch here and there, planes two pixels apart."""
    return made_volume(9, 2.0, 1.2, 2)


@pytest.fixture(scope="module")
def found(stack):
    return {name: segmentation.segment(stack[0], name, spacing=STEPS) for name in BOTH}


def test_which_methods_take_stacks():
    assert set(BOTH) == {
        "bernsen", "global-threshold", "local-threshold", "random-walker",
        "seeded-watershed", "watershed",
    }  # fmt: skip
    assert set(PLANES_ONLY) >= {"root-contrast", "region-merging"}


@pytest.mark.parametrize("name", PLANES_ONLY)
def test_the_others_refuse_a_stack_by_name(name, stack):
    function = segmentation.get(name).__name__
    with pytest.raises(ValueError, match=rf"{function}: .*must have 2 dimensions.*\(18, 45, 45\)"):
        segmentation.segment(stack[0], name)


@pytest.mark.parametrize("name", BOTH)
def test_nuclei_are_found_and_reported_as_everywhere(name, stack, found):
    image, gold = stack
    labels = found[name]
    assert labels.dtype == np.int32
    assert labels.shape == image.shape
    assert np.unique(labels).tolist() == list(range(labels.max() + 1))
    assert score(labels, gold).f1 > 0.85
    assert score(np.roll(labels, 9, 2), gold).f1 < 0.5


@pytest.mark.parametrize("name", BOTH)
def test_type_gain_offset_and_memory_do_not_matter(name, stack, found):
    image = stack[0]
    before = image.copy()
    same = [image.astype(np.float64) * 4, np.asfortranarray(image.astype(np.int32) + 1000)]
    for other in same:
        again = segmentation.segment(other, name, spacing=STEPS)
        assert np.array_equal(again, found[name])
    assert np.array_equal(image, before)


@pytest.mark.parametrize("name", BOTH)
def test_axes_may_be_swapped_when_their_spacing_is(name, stack, found):
    axes = (1, 2, 0)
    steps = tuple(np.array(STEPS)[list(axes)])
    turned = segmentation.segment(stack[0].transpose(axes), name, spacing=steps)
    assert score(turned, found[name].transpose(axes)).f1 > 0.9


@pytest.mark.parametrize("name", BOTH)
def test_the_unit_of_lengths_does_not_matter(name, stack, found):
    tenth = tuple(step / 10 for step in STEPS)
    labels = segmentation.segment(stack[0], name, spacing=tenth)
    assert score(labels, found[name]).f1 > 0.98


@pytest.mark.parametrize("name", BOTH)
def test_a_plane_has_no_spacing_and_channels_are_no_planes(name, discs):
    function = segmentation.get(name).__name__
    with pytest.raises(ValueError, match=rf"{function}: spacing .* this is a plane.*got \(2, 1\)"):
        segmentation.segment(discs[0], name, spacing=(2, 1))
    colour = np.repeat(discs[0][..., None], 3, 2)
    with pytest.raises(ValueError, match=rf"{function}: .*looks like channels.*\(96, 128, 3\)"):
        segmentation.segment(colour, name)
    with pytest.raises(ValueError, match=rf"{function}: spacing must be.*got \(1, 0, 1\)"):
        segmentation.segment(colour, name, spacing=(1, 0, 1))
    narrow = segmentation.segment(colour[:40], name, spacing=(1, 1, 9), diameter=18.0)
    assert narrow.shape == (40, 128, 3), "told that it is one, it is a stack"


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((3, 0, 5), np.uint8), r"must hold pixels.*\(3, 0, 5\)"),
        (np.full((4, 8, 8), 7, np.uint8), "must not be constant.*got 7"),
        (np.full((4, 8, 8), np.nan), "every pixel must be finite.*got 256 such"),
        (np.zeros((2, 4, 8, 8)), r"2 dimensions .* or 3 dimensions.*\(2, 4, 8, 8\)"),
    ],
)
def test_bad_stacks_are_refused_by_name(name, image, message):
    function = segmentation.get(name).__name__
    with pytest.raises(ValueError, match=f"{function}: .*{message}"):
        segmentation.segment(image, name)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    "params",
    [{"diameter": 0.5}, {"diameter": 1e9}, {"smoothing": -1}, {"min_size": -1}, {"border": "cut"},
     {"min_contrast": -1}],
)  # fmt: skip
def test_values_out_of_range_are_refused(name, params, stack):
    (parameter,) = params
    with pytest.raises(ValueError, match=f"{parameter}.*got"):
        segmentation.segment(stack[0], name, spacing=STEPS, **params)


@pytest.mark.parametrize("name", BOTH)
def test_tiny_odd_and_empty_stacks_work(name):
    for shape in [(1, 1, 2), (2, 2, 2), (1, 20, 20), (3, 40, 5)]:
        image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        assert segmentation.segment(image, name, spacing=(1, 1, 1)).shape == shape


def test_a_stack_with_its_voxels_comes_from_a_file_of_five_axes(stack, found, tmp_path):
    path = str(tmp_path / "stack.ome.tif")
    size = {"Z": 0.5, "Y": 0.25, "X": 0.25}
    io.write_image(path, stack[0][None, None], axes="TCZYX", pixel_size=size)
    image = ImageRef(path, plane=(("Z", "all"),)).read()
    spacing = tuple(io.open_image(path).pixel_size[axis] for axis in "ZYX")
    labels = segmentation.segment(image, "global-threshold", spacing=spacing)
    assert score(labels, found["global-threshold"]).f1 > 0.98


# -- against others ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "theirs"),
    [("otsu", "threshold_otsu"), ("li", "threshold_li"), ("triangle", "threshold_triangle"),
     ("mean", "threshold_mean"), ("ridler-calvard", "threshold_isodata")],
)  # fmt: skip
def test_global_thresholds_are_scikit_images_and_scipys_parts(rule, theirs, stack):
    from scipy.ndimage import label
    from skimage import filters

    ours = segmentation.segment(
        stack[0], "global-threshold", rule=rule, power=1.0, spacing=STEPS, **BARE
    )
    pixels = stack[0].astype(np.float32) - stack[0].min()
    assert np.array_equal(ours, label(pixels > getattr(filters, theirs)(pixels))[0])


def blocks():
    """Blocks of several sizes, one hollow, three cut by a face; each its own brightness."""
    image = np.zeros((24, 50, 50), np.float32)
    for number, (corner, side) in enumerate(
        [((3, 3, 3), 9), ((4, 20, 4), 3), ((3, 30, 6), 6), ((14, 5, 24), 8), ((12, 24, 24), 10),
         ((0, 6, 40), 8), ((10, 42, 30), 8), ((8, 20, 44), 6), ((15, 30, 10), 2)]
    ):  # fmt: skip
        box = tuple(slice(start, start + side) for start in corner)
        image[box] = 50 + number
    image[15:19, 27:31, 27:31] = 0
    return image


def test_holes_borders_and_sizes_are_scipys_and_scikit_images():
    from scipy.ndimage import binary_fill_holes, label
    from skimage.morphology import remove_small_objects
    from skimage.segmentation import clear_border

    image = blocks()

    def cut(**params):
        whole = {**BARE, **params}
        return segmentation.segment(
            image, "global-threshold", power=1.0, spacing=(1, 1, 1), diameter=10.0, **whole
        )

    plain = cut()
    assert plain.max() == 9
    assert np.array_equal(plain, label(image > 0)[0])
    filled = binary_fill_holes(image > 0)
    assert filled.sum() == (image > 0).sum() + 64
    assert np.array_equal(cut(fill=True) > 0, filled)
    inner = clear_border(plain)
    assert len(np.unique(inner)) == 1 + 6
    assert np.array_equal(cut(border="clear") > 0, inner > 0)
    # A fifth of a ball of one diameter is 104.7 voxels: blocks of 2 and 3 voxels a side go.
    large = remove_small_objects(inner, max_size=104)
    assert len(np.unique(large)) == 1 + 4
    assert np.array_equal(cut(border="clear", min_size=0.2) > 0, large > 0)


def test_windows_follow_the_spacing():
    from scipy.ndimage import generic_filter
    from skimage.filters import threshold_local

    pixels = np.random.default_rng(0).random((9, 20, 20)).astype(np.float32)
    scene = Scene(pixels, 5.0, STEPS)
    assert scene.box(1.0) == (3, 5, 5)
    theirs = threshold_local(pixels, (3, 5, 5), method="mean", mode="reflect")
    assert np.allclose(_box_mean(pixels, scene.box(1.0)), theirs, atol=1e-5)
    slow = generic_filter(pixels, lambda own: (own.max() + own.min()) / 2, (3, 5, 5))
    ours = bernsen_mask(pixels, scene.box(1.0), 0.0)
    assert np.array_equal(ours, pixels > slow.astype(np.float32))
    assert not np.array_equal(ours, bernsen_mask(pixels, 5, 0.0)), "a cube of voxels is another"


def test_the_watershed_is_scikit_images_on_scipys_distance(stack):
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label
    from skimage.morphology import h_maxima
    from skimage.segmentation import watershed

    scene = prepared("t", stack[0], 9.0, 0.02, STEPS)
    mask = scene.contrast_mask(0.4)
    ours = scene.hills(scene.smooth(scene.distance(mask), 0.08), mask, 0.06)
    distance = gaussian_filter(
        distance_transform_edt(mask, STEPS), 0.72 / np.array(STEPS), truncate=3
    )
    tops = label(h_maxima(distance * mask, 0.54) & mask, np.ones((3, 3, 3)))[0]
    theirs = watershed(-distance, tops, mask=mask)
    assert score(ours, theirs).f1 > 0.9
    assert ours.max() > 5
    by_name = segmentation.segment(
        stack[0], "watershed", markers="distance", spacing=STEPS, diameter=9.0, fill=False
    )
    assert score(by_name, ours).f1 > 0.9


def test_blobs_in_stretched_voxels_are_those_of_cubes():
    """Every third plane of a smooth stack: the same answer at the same places."""
    rng = np.random.default_rng(1)
    cubes = masks.smooth(rng.normal(size=(60, 30, 30)).astype(np.float32), 3.0)
    whole = seeds.blobs(cubes, 14.0, (1.0, 1.0, 1.0))
    assert np.allclose(whole, seeds.blobs(cubes, 14.0), atol=1e-6)
    third = np.ascontiguousarray(cubes[::3])
    middle = (slice(5, -5), slice(10, -10), slice(10, -10))
    expected = whole[::3][middle]
    span = float(np.ptp(expected))
    found, wrong = (seeds.blobs(third, 14.0, steps)[middle] for steps in ((3, 1, 1), (1, 1, 1)))
    assert np.abs(found - expected).max() < 0.04 * span
    assert np.abs(wrong - expected).max() > 0.2 * span


@pytest.mark.parametrize("rule", seeds.SEED_RULES)
def test_seeds_of_touching_balls_in_stretched_voxels(rule):
    z, y, x = np.indices((10, 24, 42)) * np.array([2.4, 1, 1]).reshape(3, 1, 1, 1)
    two = np.minimum((x - 12) ** 2, (x - 28) ** 2) + (y - 12) ** 2 + (z - 12) ** 2
    image = np.where(two <= 81, 100.0 - two / 2, 10.0)
    found = seeds.find_seeds(image, two <= 81, 18.0, rule=rule, spacing=(2.4, 1, 1))
    assert found.max() == 2
    with pytest.raises(ValueError, match=r"find_seeds: spacing .* 3 axes; got \(1, 1\)"):
        seeds.find_seeds(image, two <= 81, 18.0, rule=rule, spacing=(1, 1))


def test_the_walker_is_scikit_images_in_a_stack():
    from skimage.segmentation import random_walker

    from bioimage_tasks.segmentation.seeded import _walk_part

    light = np.where(np.arange(24) < 13, 1.0, 0.0) + np.zeros((6, 12, 1))
    light = (light + np.random.default_rng(0).normal(0, 0.05, light.shape)).astype(np.float32)
    marks = np.zeros(light.shape, dtype=np.int32)
    marks[3, 6, 4], marks[3, 6, 20] = 1, 2
    whole = np.ones(light.shape, bool)
    ours = _walk_part(light, whole, marks, (1, 1, 1), 130.0, STEPS)
    scaled = (light - light.min()) / (light.max() - light.min())
    theirs = random_walker(scaled, marks, beta=130.0, mode="bf", spacing=STEPS)
    assert (ours != theirs).mean() < 0.01
    coarse = _walk_part(light, whole, marks, (1, 2, 2), 130.0, (2.0, 2.0, 2.0))
    assert (coarse != theirs).mean() < 0.1
    assert set(np.unique(coarse)) == {1, 2}
