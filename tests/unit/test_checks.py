"""What may come in: images are looked at once, by one function, whatever the room."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.checks import check_finite, check_image, check_numbers

PLANE, STACK = np.zeros((3, 4)), np.zeros((2, 3, 4))


def test_a_good_image_comes_out_as_it_is():
    assert check_image("f", PLANE) is PLANE
    assert check_image("f", STACK, dimensions=(2, 3)) is STACK
    assert check_image("f", PLANE > 1).dtype == np.uint8
    assert check_image("f", [[1, 2]]).shape == (1, 2)


@pytest.mark.parametrize(
    ("image", "dimensions", "message"),
    [
        (STACK, (2,), r"2 dimensions \(height, width\); choose .* got shape \(2, 3, 4\)"),
        (PLANE, (3,), r"3 dimensions \(depth, height, width\); choose .* got shape \(3, 4\)"),
        (PLANE[0], (2, 3), r"2 dimensions \(height.*\) or 3 dimensions \(depth.*\(4,\)"),
        (STACK[:0], (2, 3), r"must hold pixels; got shape \(0, 3, 4\)"),
        (PLANE * 1j, (2,), "real numbers; got dtype complex128"),
        (np.full((2, 5), np.nan), (2,), "finite; replace NaN and infinity first; got 10 such"),
        (PLANE / 1 - np.inf, (2,), "finite; .* got 12 such pixels"),
    ],
)
def test_a_bad_image_is_told_with_function_rule_and_value(image, dimensions, message):
    with pytest.raises(ValueError, match=f"^f: .*{message}"):
        check_image("f", image, dimensions)


def test_whole_numbers_are_always_finite():
    whole = np.arange(3)
    assert check_finite("f", whole) is whole


def test_numbers_are_told_from_words():
    assert check_numbers("f", "truth", [1, True, 2.5]).tolist() == [1.0, 1.0, 2.5]
    assert check_numbers("f", "truth", np.array([1, None], object)[:1]).tolist() == [1.0]
    for bad, got in ((["up", "down"], "'up'"), (np.array([1, {}], object), "{}")):
        with pytest.raises(ValueError, match=f"^f: truth must be numbers; .*got {got}$"):
            check_numbers("f", "truth", bad)
