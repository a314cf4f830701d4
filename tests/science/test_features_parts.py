"""Parts of images: areas and targets add up, brightness and gain, constant and bad input."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.datasets import made_coverage as made
from bioimage_tasks.features.parts import WAYS, Parts, describe_parts, in_context, mean_part

SIZES = {"pixels": 4, "regions": 16, "tiles": 24, "surf": 1}


@pytest.fixture(scope="module")
def field():
    image, mask = made.covered("a", 0, 96)
    return [image[..., 0], image[..., 1]], mask


@pytest.mark.parametrize("way", WAYS)
def test_targets_weighed_by_area_are_the_images(field, way):
    channels, mask = field
    before = channels[0].copy()
    found = describe_parts(channels, way, SIZES[way], mask)
    assert len(found) == len(found.areas) == len(found.targets) > 5
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()
    assert 0 <= found.targets.min() <= found.targets.max() <= 1
    whole = np.average(found.targets, weights=found.areas)
    exact = way in ("tiles", "regions")
    assert whole == pytest.approx(mask.mean(), abs=1e-5 if exact else 0.08)
    assert np.array_equal(channels[0], before)
    again = describe_parts([np.asfortranarray(c.astype(float)) for c in channels], way, SIZES[way])
    assert np.allclose(again.values, found.values, rtol=1e-4, atol=1e-4)
    assert again.targets is None


def test_tiles_against_a_loop_over_crops(field):
    """Of each channel intensity (13), Haralick's mean and range (26), patterns (36)."""
    from mahotas.features import haralick

    channels, mask = field
    found = describe_parts(channels, "tiles", 24, mask)
    assert found.values.shape == (16, 2 * (13 + 26 + 36) + 3)
    assert (found.areas == 576).all()
    corners = [(top, left) for top in range(0, 96, 24) for left in range(0, 96, 24)]
    for place, (top, left) in enumerate(corners):
        own = np.s_[top : top + 24, left : left + 24]
        assert found.targets[place] == pytest.approx(mask[own].mean())
        assert found.values[place, 75] == pytest.approx(channels[1][own].mean())
        mean = haralick(channels[1][own], ignore_zeros=False).mean(0)
        ours = found.values[place, 75 + 13 : 75 + 26]
        assert np.allclose(ours[:9], mean[:9], rtol=1e-4)


def test_surf_windows_lie_as_densely_at_every_scale_with_what_unit_length_loses(field):
    channels, mask = field
    for scale in (1, 4):
        found = describe_parts(channels, "surf", scale, mask)
        assert found.values.shape == (144, 2 * 66)
        both = found.values.reshape(-1, 2, 66)
        assert np.allclose(np.linalg.norm(both[..., :64], axis=2), 1, atol=1e-4)
        doubled = [2 * channel.astype(float) for channel in channels]
        again = describe_parts(doubled, "surf", scale).values.reshape(-1, 2, 66)
        assert np.allclose(again[..., :64], both[..., :64], atol=1e-4)
        assert np.allclose(again[..., 64:], 2 * both[..., 64:], rtol=1e-4)
    window = np.s_[44 - 10 : 44 + 10, 44 - 10 : 44 + 10]  # row 5 and column 5 of 12
    middle = describe_parts(channels, "surf", 1).values.reshape(12, 12, 2, 66)[5, 5]
    for own, channel in zip(middle, channels, strict=True):
        assert own[64:] == pytest.approx([channel[window].mean(), channel[window].std()], rel=1e-3)


def test_textures_stay_under_another_gain_and_grey_levels_do_not(field):
    channels, _ = field
    doubled = [channel.astype(np.float32) * 2 for channel in channels]

    def tiles(planes, textures):
        return describe_parts(planes, "tiles", 24, textures=textures).values

    assert np.allclose(tiles(doubled, True), tiles(channels, True), rtol=1e-3, atol=1e-3)
    assert not np.allclose(tiles(doubled, False), tiles(channels, False), rtol=0.1)


@pytest.mark.parametrize("way", WAYS)
def test_a_constant_image_has_parts_too(way):
    found = describe_parts([np.full((48, 64), 7, np.uint8)] * 2, way, SIZES[way], np.ones((48, 64)))
    assert np.isfinite(found.values).all()
    assert np.allclose(found.targets, 1)


@pytest.mark.parametrize(
    ("channels", "way", "size", "message"),
    [
        ([], "tiles", 8, "describe_parts: needs one or more channels of one shape"),
        ([np.ones((8, 8)), np.ones((8, 9))], "tiles", 8, "channels of one shape"),
        ([np.ones((8, 8, 3))], "tiles", 8, "must have 2 dimensions"),
        ([np.full((8, 8), np.nan)], "tiles", 8, "every pixel must be finite"),
        ([np.ones((8, 8))], "circles", 8, "way must be one of pixels, regions, tiles, surf"),
        ([np.ones((8, 8))], "tiles", 0, r"size \(pixels\) must lie in \[1, 1024\]; got 0"),
    ],
)
def test_bad_input_is_refused(channels, way, size, message):
    with pytest.raises(ValueError, match=message):
        describe_parts(channels, way, size)


def test_a_mask_of_another_shape_is_refused(field):
    with pytest.raises(ValueError, match="mask and channels must have the same shape"):
        describe_parts(field[0], "tiles", 8, np.ones((8, 8)))


def test_made_up_images_are_the_same_every_time_and_differ_by_group():
    one, mask = made.covered("day", 1)
    same, _ = made.covered("day", 1)
    assert np.array_equal(one, same)
    assert one.shape == (96, 96, 2)
    assert set(np.unique(mask)) == {0, 1}
    assert not np.array_equal(one, made.covered("other day", 1)[0])
    discs, corners = made.counted(0)
    assert discs.shape == (128, 128, 3)
    assert 3 <= len(corners) < 16


def test_a_part_in_context_has_its_image_beside_it():
    rng = np.random.default_rng(0)
    parts = Parts(rng.random((5, 3), np.float32), np.array([1, 1, 2, 3, 1], np.float32))
    repeated = np.repeat(parts.values, parts.areas.astype(int), axis=0)
    assert np.allclose(mean_part(parts), repeated.mean(0), atol=1e-6)
    found = in_context(parts)
    assert np.array_equal(found.values[:, :3], parts.values)
    assert np.allclose(found.values[:, 3:], repeated.mean(0), atol=1e-6)
    assert found.values.dtype == np.float32
    assert np.array_equal(found.areas, parts.areas)
    turned = in_context(Parts(parts.values[::-1], parts.areas[::-1]))
    assert np.allclose(turned.values, found.values[::-1]), "the order of parts tells nothing"
    other = in_context(Parts(parts.values + np.eye(5, 3, dtype=np.float32), parts.areas))
    assert not np.allclose(other.values[-1], found.values[-1]), "another image, another context"
