"""The contract of every registered set of features, and sets that break it."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import features
from bioimage_tasks.features import FeatureTable, registry

SETS = features.feature_sets()
NEED_OBJECTS = tuple(name for name in SETS if registry._entry(name).objects)
OF_IMAGES = tuple(name for name in SETS if name not in NEED_OBJECTS)
#: Values that may be NaN for want of something: cytoplasm.
UNITS = {"1", "px", "px^2", "px^3", "1/px^2", "1/px^3", "grey", "grey/px", "grey/px^2"}
UNITS |= {"grey^2/px^2", "level", "level^2", "bit"}


def broken_rules(compute, image, labels):
    """Return the rules of the contract that a set breaks on an image with labels."""
    before = image.copy(), labels.copy()
    table = compute(image, labels)
    again = compute(image, labels)
    shuffled = np.random.default_rng(0).permutation(int(labels.max())) + 1
    other = compute(image, np.append(0, shuffled)[labels].astype(np.int32))
    rules = {
        "rows": len(table) == labels.max(),
        "finite": np.isfinite(table.values).all(),
        "units": set(table.units) <= UNITS,
        "input untouched": np.array_equal(before[0], image) and np.array_equal(before[1], labels),
        "deterministic": np.array_equal(table.values, again.values),
        "numbering": len(other) == len(shuffled)
        and len(table) == len(shuffled)
        and np.allclose(other.values[shuffled - 1], table.values, rtol=1e-9, atol=1e-9),
    }
    return [rule for rule, kept in rules.items() if not kept]


def areas(image, labels):
    return np.bincount(labels.ravel())[1:]


def spoils(image, labels):
    image[0, 0] += 1
    return FeatureTable.of({"a": ("1", areas(image, labels))})


FAULTS = {
    "rows": lambda image, labels: FeatureTable.of({"a": ("1", [1, 2])}),
    "finite": lambda image, labels: FeatureTable.of({"a": ("1", areas(image, labels) * np.nan)}),
    "units": lambda image, labels: FeatureTable.of({"a": ("acre", areas(image, labels))}),
    "input untouched": spoils,
    "deterministic": lambda image, labels: FeatureTable.of(
        {"a": ("1", np.random.default_rng().normal(size=labels.max()))}
    ),
    "numbering": lambda image, labels: FeatureTable.of({"a": ("1", np.arange(labels.max()))}),
}


@pytest.mark.parametrize("rule", FAULTS)
def test_the_contract_catches(rule, discs):
    image, labels = discs
    assert rule in broken_rules(FAULTS[rule], image.copy(), labels)


@pytest.fixture(scope="module")
def part(field):
    """A part of the real field with whole numbers 1..n."""
    from bioimage_tasks.checks import sequential

    return field[0][:160, :160].copy(), sequential(field[1][:160, :160])


@pytest.mark.parametrize("name", SETS)
def test_contract(name, part):
    image, labels = part
    table = features.compute(image, labels, (name,))
    assert all(column.startswith(name) for column in table.names)
    small = int(np.bincount(labels.ravel())[1:].min() < 4)
    assert broken_rules(features.get(name), image, labels) in ([], ["finite"] * small)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32, np.float64])
def test_dtype_and_memory_order_do_not_matter(name, dtype, part):
    image, labels = part
    plain = features.compute(image, labels, (name,))
    other = features.compute(
        np.asfortranarray(image.astype(dtype)), np.asfortranarray(labels.astype(np.uint16)), (name,)
    )
    assert np.allclose(other.values, plain.values, rtol=1e-5, atol=1e-6, equal_nan=True)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose])
def test_flips_give_the_same_values(name, turn, part):
    """But for patterns with a handedness, and cytoplasm midway between two nuclei."""
    image, labels = part
    plain = features.compute(image, labels, (name,))
    other = features.compute(turn(image).copy(), turn(labels).copy(), (name,))
    order = [other.index.index(key) for key in plain.index]
    values = other.values[order][:, mirrored(name, plain.names)]
    kept = [i for i, column in enumerate(plain.names) if column != "shape_hu_7"]
    away = np.abs(values - plain.values)[:, kept]
    scale = np.nanmax(np.abs(plain.values[:, kept]), axis=0)
    loose = {"filters": 1e-3, "compartments": 0.02}
    assert (np.nan_to_num(away) <= loose.get(name, 1e-6) * np.maximum(scale, 1)).all()


def mirrored(name, names):
    """Return which column of a mirror image each column is to be compared with."""
    from bioimage_tasks.features.lbp import least_rotations

    if name != "lbp":
        return np.arange(len(names))
    least = least_rotations(8)
    patterns = np.flatnonzero(least == np.arange(256)).tolist()
    reversed_ = [int(f"{code:08b}"[::-1], 2) for code in patterns]
    return np.array([patterns.index(least[code]) for code in reversed_])


@pytest.mark.parametrize("name", SETS)
def test_labels_with_gaps_keep_their_numbers(name, part):
    image, labels = part
    table = features.compute(image, labels.astype(np.int64) * 10, (name,))
    assert table.index == tuple(range(10, 10 * labels.max() + 1, 10))
    plain = features.compute(image, labels, (name,))
    assert np.array_equal(table.values, plain.values, equal_nan=True)


@pytest.mark.parametrize("name", SETS)
def test_no_object_is_an_empty_table(name, part):
    table = features.compute(part[0], np.zeros(part[0].shape, int), (name,))
    assert table.values.shape == (0, len(features.compute(*part, (name,)).names))


@pytest.mark.parametrize("name", SETS)
def test_tiny_objects_and_images_work(name):
    labels = np.zeros((9, 12), int)
    labels[0, 0], labels[4, 2:9], labels[8, 11] = 1, 2, 3
    image = np.arange(108, dtype=np.uint8).reshape(9, 12)
    assert len(features.compute(image, labels, (name,))) == 3
    if name in OF_IMAGES:
        for shape in ((1, 1), (1, 7), (5, 2)):
            image = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
            assert len(features.compute(image, None, (name,))) == 1


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_image_is_one_object(name, part):
    table = features.compute(part[0], None, (name,))
    assert table.index == ("image",)
    assert np.isfinite(table.values).all()
    constant = features.compute(np.full((20, 20), 7, np.uint8), None, (name,))
    assert np.isfinite(constant.values).all(), "a constant image has features too"


@pytest.mark.parametrize("name", SETS)
def test_bad_input_is_refused(name, part):
    image, labels = part
    nan = image.astype(float)
    nan[3, 4] = np.nan
    cases = [
        (nan, labels, "every pixel must be finite.*got 1 such"),
        (image[:0], labels[:0], r"hold pixels; got shape \(0, 160\)"),
        (image[None, None], labels, r"got shape \(1, 1, 160, 160\)"),
        (image * 1j, labels, "real numbers; got dtype complex"),
        (image, labels[:-1], r"same shape.*got \(160, 160\) and \(159, 160\)"),
        (image, labels * 0.5, "must be integers"),
        (image, -labels, "must not be negative"),
    ]
    for bad, numbers, message in cases:
        with pytest.raises(ValueError, match=f"compute: .*{message}"):
            features.compute(bad, numbers, (name,))
    if name in NEED_OBJECTS:
        with pytest.raises(ValueError, match=f"'{name}' is about objects and needs labels"):
            features.compute(image, None, (name,))
    if registry._entry(name).dimensions == (2,):
        with pytest.raises(ValueError, match=rf"'{name}' takes images of 2 dim.*\(1, 160, 160\)"):
            features.compute(image[None], labels[None], (name,))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("levels", 1), ("value_range", (3, 3)), ("distance", 0), ("directions", "sum"),
        ("difference", "none"), ("radius", -1), ("points", 40), ("neighbours", "all"),
        ("kind", "tass"), ("degree", -1), ("radii", (2, 1)), ("reach", -1), ("nearest", 0),
        ("ring", 0), ("gap", -1), ("shares", (2.0,)), ("scales", ()), ("families", ("x",)),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(name, value, part):
    takes = [each for each in SETS if name in features.parameters(each)]
    assert takes
    for each in takes:
        with pytest.raises(ValueError, match=r"must.*got|needs.*got"):
            features.compute(*part, (each,), **{name: value})


@pytest.mark.parametrize("name", SETS)
def test_every_parameter_is_documented(name):
    text = inspect.getdoc(features.get(name))
    assert [p for p in features.parameters(name) if p not in text] == []


def test_parameters_find_their_sets(part):
    image, labels = part
    both = features.compute(image, labels, ("haralick", "tas"), levels=32, tas={"kind": "tas"})
    alone = features.compute(image, labels, ("haralick",), levels=32)
    assert np.array_equal(both.select(alone.names).values, alone.values, equal_nan=True)
    with pytest.raises(ValueError, match=r"'haralick' takes levels, .*got unknown levles"):
        features.compute(image, labels, ("haralick",), levles=3)
    with pytest.raises(ValueError, match=r"got unknown haralick=\{'levles'\}"):
        features.compute(image, labels, ("haralick",), haralick={"levles": 3})
    with pytest.raises(ValueError, match=r"there are compartments, .*got 'texture'"):
        features.compute(image, labels, ("texture",))
    for bad in ("haralick", ()):
        with pytest.raises(ValueError, match="sets must be one or more names in a tuple"):
            features.compute(image, labels, bad)


def test_the_default_takes_shape_where_there_are_objects(part):
    assert any(name.startswith("shape") for name in features.compute(*part).names)
    assert not any(name.startswith("shape") for name in features.compute(part[0]).names)


def test_a_set_of_ones_own_is_found_and_checked(monkeypatch, part):
    monkeypatch.setattr(registry, "_registered", registry._registered.copy())

    @features.register("half")
    def half(image, labels, *, of: float = 2.0):
        return FeatureTable.of({"area": ("px^2", areas(image, labels) / of)})

    table = features.compute(*part, ("half",), of=4)
    assert table.names == ("half_area",)
    with pytest.raises(ValueError, match="'haralick' is already"):
        features.register("haralick")(half)
    with pytest.raises(ValueError, match="keyword-only, typed and have a default"):
        features.register("loose")(lambda image, labels, level=3: image)


def test_the_page_names_every_set_and_parameter():
    page = (Path(__file__).resolve().parents[2] / "docs" / "features.md").read_text()
    for name in SETS:
        assert f"`{name}`" in page
        for parameter, default in features.parameters(name).items():
            if parameter != "families":
                assert f"`{parameter}={default!r}`".replace("'", '"') in page, parameter
