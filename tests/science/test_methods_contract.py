"""The contract of every registered segmentation method, and methods that break it."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import segmentation
from bioimage_tasks.segmentation import registry

METHODS = segmentation.methods()


def broken_rules(method, image):
    """Return the rules of the contract that a method breaks on an image."""
    before = image.copy()
    labels = method(image)
    present = np.unique(labels)
    rules = {
        "shape": labels.shape == image.shape,
        "dtype": labels.dtype == np.int32,
        "sequential": np.array_equal(present[present != 0], np.arange(1, labels.max() + 1)),
        "input untouched": np.array_equal(before, image),
        "not a view": not np.shares_memory(labels, image),
        "deterministic": np.array_equal(labels, method(image)),
    }
    return [rule for rule, kept in rules.items() if not kept]


def spoils(image):
    image[0, 0] += 1
    return (image > 60).astype(np.int32)


FAULTS = {
    "shape": lambda image: np.ones((2, 2), np.int32),
    "dtype": lambda image: (image > 60).astype(np.int64),
    "sequential": lambda image: 2 * (image > 60).astype(np.int32),
    "input untouched": spoils,
    "deterministic": lambda image: (
        np.random.default_rng().permutation(image.astype(np.int32) > 60) * np.int32(1)
    ),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_the_contract_catches(rule, discs):
    assert rule in broken_rules(FAULTS[rule], discs[0].copy())


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64])
def test_contract(name, dtype, discs):
    assert broken_rules(segmentation.get(name), discs[0].astype(dtype)) == []


@pytest.mark.parametrize("name", METHODS)
def test_contract_on_a_real_image(name, field):
    assert broken_rules(segmentation.get(name), field[0][:256, :256].copy()) == []


@pytest.mark.parametrize("name", METHODS)
def test_finds_the_discs(name, discs):
    image, gold = discs
    labels = segmentation.segment(image, name)
    assert labels.max() == 12
    for number in range(1, 13):
        assert np.count_nonzero((labels > 0) & (gold == number)) > 0.85 * (gold == number).sum()


@pytest.mark.parametrize("name", METHODS)
def test_dtype_offset_gain_and_memory_order_do_not_matter(name, field):
    image = field[0][:256, :256]
    plain = segmentation.segment(image, name)
    same = [image.astype(np.float64), image.astype(np.int32) + 1000, np.asfortranarray(image)]
    for other in (*same, image.astype(np.float32) * 4):
        assert np.array_equal(segmentation.segment(other, name), plain)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose])
def test_flips_find_the_same_objects(name, turn, field):
    """Ties on plateaus may fall differently, whole objects may not."""
    from bioimage_tasks.metrics import score

    image = field[0][:256, :256]
    plain = segmentation.segment(image, name)
    scores = score(segmentation.segment(turn(image), name), turn(plain))
    assert scores.f1 > 0.95
    assert scores.jaccard > 0.99


def bad_images():
    nan = np.ones((32, 32))
    nan[3, 4] = np.nan
    return [
        (np.zeros((0, 5), np.uint8), r"must hold pixels.*\(0, 5\)"),
        (np.full((32, 32), 7, np.uint8), "must not be constant.*got 7"),
        (nan, "every pixel must be finite.*got 1 such"),
        (np.zeros((4, 4, 4, 4), np.uint8), r"must have 2 dimensions.*\(4, 4, 4, 4\)"),
        (np.zeros((4, 4), complex), "must hold real numbers.*complex"),
    ]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(("image", "message"), bad_images())
def test_bad_images_are_refused_by_name(name, image, message):
    function = segmentation.get(name).__name__
    with pytest.raises(ValueError, match=f"{function}: .*{message}"):
        segmentation.segment(image, name)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "params",
    [{"diameter": 0.5}, {"diameter": 1e9}, {"smoothing": -1}, {"min_size": -1}, {"border": "cut"}],
)
def test_values_out_of_range_are_refused(name, params, discs):
    (parameter,) = params
    with pytest.raises(ValueError, match=f"{parameter}.*got"):
        segmentation.segment(discs[0], name, **params)


@pytest.mark.parametrize("name", METHODS)
def test_every_parameter_is_documented(name):
    text = inspect.getdoc(segmentation.get(name))
    assert [p for p in segmentation.parameters(name) if p not in text] == []


@pytest.mark.parametrize("name", METHODS)
def test_tiny_and_odd_images_work(name):
    for shape in [(1, 2), (2, 2), (3, 40), (5, 5)]:
        image = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        assert segmentation.segment(image, name).shape == shape


@pytest.mark.parametrize("name", METHODS)
def test_noise_without_objects_is_no_error(name):
    noise = np.random.default_rng(1).normal(100, 3, (64, 64))
    assert segmentation.segment(noise, name).shape == noise.shape


def test_unknown_names_list_what_there_is(discs):
    with pytest.raises(ValueError, match=r"there are bernsen, global-threshold, .*got 'otsuu'"):
        segmentation.segment(discs[0], "otsuu")
    with pytest.raises(ValueError, match=r"'watershed' takes markers, .*got unknown deepth"):
        segmentation.segment(discs[0], "watershed", deepth=1)


def test_a_method_of_ones_own_is_found_and_checked(monkeypatch, discs):
    monkeypatch.setattr(registry, "_registered", registry._registered.copy())

    @segmentation.register("above")
    def above(image, *, level: float = 60):
        return (image > level).astype(np.int32)

    assert "above" in segmentation.methods()
    assert segmentation.segment(discs[0], "above", level=0).all()
    with pytest.raises(ValueError, match="'watershed' is already"):
        segmentation.register("watershed")(above)
    with pytest.raises(ValueError, match="keyword-only, typed and have a default"):
        segmentation.register("loose")(lambda image, level=3: image)


def test_the_page_names_every_method_and_parameter():
    docs = Path(__file__).resolve().parents[2] / "docs"
    page = (docs / "methods.md").read_text() + (docs / "segmentation.md").read_text()
    for name in METHODS:
        assert f"`{name}`" in page
        for parameter, default in segmentation.parameters(name).items():
            assert f"`{parameter}={default!r}`".replace("'", '"') in page, parameter
