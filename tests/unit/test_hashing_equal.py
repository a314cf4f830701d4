"""Equal values have equal encodings: whatever their history, process or hash seed."""

from __future__ import annotations

import collections
import datetime
import functools
import math
import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraph.hashing import Walk, encode

Pair = collections.namedtuple("Pair", "x y")


class Words(set):
    """A set with another class."""


@dataclass
class Point:
    x: object
    y: object = field(default=0, compare=False)

    @functools.cached_property
    def double(self):
        return [self.x, self.x]


@dataclass(frozen=True, slots=True)
class Slim:
    x: object


class Plain:
    def __init__(self, **held):
        self.__dict__.update(held)


def built(text):
    """Return an equal string that is another object."""
    return "".join(list(text))


def twins(text):
    """Return values that hold a text twice: as one object, and as two."""
    one, two = (text, text), (built(text), built(text))
    return [
        [make(*pair) for pair in (one, two)]
        for make in (Pair, Point, lambda a, b: Plain(a=a, b=b), lambda a, b: {a: b}, lambda *p: p)
    ]


@pytest.mark.parametrize(("one", "two"), twins("a longer text, not interned"))
def test_a_shared_string_counts_like_two_equal_ones(one, two):
    assert encode(one) == encode(two)


def test_pickle_itself_would_fail_here():
    """The fault that the reduce walk exists for, planted: pickle's memo shows sharing."""
    shared, apart = Pair("ab c", "ab c"), Pair("ab c", built("ab c"))
    assert shared == apart
    assert pickle.dumps(shared, 4) != pickle.dumps(apart, 4)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers()
    | st.decimals()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
    | st.timedeltas()
    | st.uuids()
    | st.fractions()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
        | st.builds(Pair, inner, inner)
        | st.builds(Point, inner, inner)
        | st.builds(Slim, inner)
        | st.builds(lambda x: Plain(x=x, y=[x]), inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_a_pickled_copy_is_the_same(value):
    assert encode(pickle.loads(pickle.dumps(value))) == encode(value)


@given(VALUES)
def test_the_copy_that_a_task_keeps_is_the_same(value):
    assert encode(Walk().take(value)) == encode(value)


@given(st.lists(st.text() | st.integers(), unique=True, max_size=6), st.randoms())
def test_sets_and_dicts_know_no_order(items, random):
    other = random.sample(items, len(items))
    assert encode(set(items)) == encode(set(other))
    assert encode(dict.fromkeys(items, 1)) == encode(dict.fromkeys(other, 1))
    assert encode(Words(items)) == encode(Words(other))


def test_nan_is_one_value():
    assert encode(float("nan")) == encode(-float("nan")) == encode(math.inf - math.inf)


ARRAY = np.arange(24, dtype="<i4").reshape(2, 3, 4)


@pytest.mark.parametrize(
    "other",
    [
        np.asfortranarray(ARRAY),
        np.repeat(ARRAY, 2, axis=2)[:, :, ::2],
        ARRAY[::-1][::-1],
        np.moveaxis(np.moveaxis(ARRAY, 0, 2).copy(), 2, 0),
        np.frombuffer(ARRAY.tobytes(), "<i4").reshape(2, 3, 4),
    ],
    ids=["fortran", "strided", "reversed twice", "transposed", "read-only"],
)
def test_the_layout_of_an_array_does_not_count(other):
    assert encode(other) == encode(ARRAY)
    assert encode(other[1:, :, 2]) == encode(ARRAY[1:, :, 2])


def test_large_strided_arrays_are_read_in_blocks():
    large = np.arange(3_000_000.0).reshape(3, 1000, 1000)
    assert encode(np.asfortranarray(large)) == encode(large)
    assert encode(np.repeat(large.ravel(), 2)[::2]) == encode(large.ravel())


def test_a_mapped_array_is_an_array(tmp_path):
    np.save(tmp_path / "a.npy", ARRAY)
    assert encode(np.load(tmp_path / "a.npy", mmap_mode="c")) == encode(ARRAY)


def test_padding_of_structured_arrays_does_not_count():
    dtype = np.dtype([("a", "u1"), ("b", "<f8")], align=True)
    one = np.frombuffer(b"\x01" + b"\xaa" * 7 + bytes(8), dtype)
    two = np.frombuffer(b"\x01" + b"\xbb" * 7 + bytes(8), dtype)
    assert encode(one) == encode(two)
    assert encode(one[0]) == encode(two[0])
    assert encode(one) != encode(np.array([(2, 0.0)], dtype))


def test_padding_of_long_doubles_does_not_count():
    one = np.array([1.5], dtype="g")
    two = np.frombuffer(bytearray(b"\x77" * one.nbytes), "g").copy()
    two[:] = one
    assert encode(one) == encode(two)
    assert encode(one[0]) == encode(two[0])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((0, 3)),
        np.array(3),
        np.array(["a", "bc"]),
        np.array([""]),
        np.array([b"a"]),
        np.zeros(2, "M8[ns]"),
        np.zeros(2, "<f2"),
        np.zeros(2, "G"),
        np.array([1, "a", None, [2]], dtype=object),
        np.zeros(2, [("a", "<i4", (2,)), ("b", [("c", "O")])]),
        np.ma.masked_array([1, 2], [False, True]),
        np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
    ],
    ids=lambda array: f"{type(array).__name__} {array.dtype}"[:40],
)
def test_arrays_of_every_kind(array):
    assert encode(pickle.loads(pickle.dumps(array))) == encode(array)
    assert encode(array.copy()) == encode(array)


def test_a_structured_dtype_with_fields_that_overlap():
    dtype = np.dtype({"names": ["a", "b"], "formats": ["<i4", "<i2"], "offsets": [0, 2]})
    assert encode(np.zeros(2, dtype)) != encode(np.zeros(2, [("a", "<i4"), ("b", "<i2")]))
