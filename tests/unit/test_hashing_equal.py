"""Equal values have equal encodings: whatever their history, process or hash seed."""

from __future__ import annotations

import collections
import datetime
import enum
import fractions
import functools
import math
import operator
import os
import pickle
import re
import subprocess
import sys
import types
import uuid
import zoneinfo
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraph.hashing import Walk, digest, encode, qualified_name, set_main_stem

Pair = collections.namedtuple("Pair", "x y")


class Names(list):
    """A list with more than a list has."""


class Words(set):
    """A set with another class."""


class Colour(enum.Enum):
    RED = 1


class Mode(enum.Flag):
    READ = 1
    WRITE = 2


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


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a):
        self.a = a


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


def test_a_dtype_known_by_its_size_only_counts_with_its_name():
    class Fake:
        names = subdtype = None
        kind, str = "V", "<V2"
        type = type("bfloat16", (), {})

    from taskgraph.hashing.arrays import dtype_code

    assert dtype_code(Fake()) != dtype_code(np.dtype("V2"))


STANDARD = [
    PurePosixPath("a/b"),
    Colour.RED,
    Mode.READ | Mode.WRITE,
    Decimal("1.00"),
    fractions.Fraction(1, 3),
    uuid.UUID(int=1),
    re.compile("a", re.IGNORECASE),
    datetime.date(2020, 1, 2),
    datetime.time(1, 2, 3, 4, tzinfo=datetime.UTC),
    datetime.datetime(2020, 1, 2, tzinfo=zoneinfo.ZoneInfo("UTC")),
    datetime.timezone(datetime.timedelta(hours=1), "X"),
    functools.partial(math.pow, 2, 3),
    collections.OrderedDict(a=[1]),
    collections.defaultdict(list, a=[1]),
    collections.Counter("abca"),
    collections.deque([[1]], 3),
    types.SimpleNamespace(a=[1]),
    Names([1]),
    Words("ab"),
    Slotted(1),
    Plain(a=1),
    operator.itemgetter(1),
    list[int],
    ValueError("x"),
    len,
    str.upper,
    [1].append,
    dict.fromkeys,
    np.add,
    np.mean,
    np.float64(1),
    np.str_("a"),
    np.dtype("f8"),
    Plain,
    Plain(a=np.random.default_rng(1)),
]


@pytest.mark.parametrize("value", STANDARD, ids=lambda value: type(value).__name__)
def test_types_that_are_known(value):
    raw = encode(value)
    assert encode(pickle.loads(pickle.dumps(value))) == raw
    walk = Walk()
    assert encode(walk.take(value)) == raw


def test_paths_are_equal_as_python_says():
    assert encode(Path("a/b")) == encode(PurePosixPath("a/b"))


def test_what_a_subclass_holds_counts():
    plain, more = Names([1]), Names([1])
    more.title = "x"
    assert len({encode(plain), encode(more), encode([1])}) == 3


def test_attributes_beside_the_fields_count_but_cached_properties_do_not():
    point, other = Point(1), Point(1)
    raw = encode(point)
    assert point.double == [1, 1]
    assert encode(point) == raw
    other.extra = 2
    assert encode(other) != raw


def test_all_fields_count_also_those_not_compared():
    assert Point(1, 2) == Point(1, 3)
    assert encode(Point(1, 2)) != encode(Point(1, 3))


def test_main_counts_as_its_stem():
    class Fake:
        __module__ = "__main__"
        __qualname__ = "work"

    set_main_stem("nuclei")
    try:
        assert qualified_name(Fake) == "nuclei.work"
    finally:
        set_main_stem(None)
    assert qualified_name(Path.exists).endswith("Path.exists")


PROGRAM = """
import sys, taskgraph.hashing as h
assert not {'numpy', 'torch', 'inspect', 'click'} & set(sys.modules), 'heavy import'
import pathlib, collections, datetime, types
value = [{'b': 1, 'a': {'x', 'y', 'z', None, 1.5}}, frozenset('hello'), pathlib.Path('a/b'),
         collections.Counter('hello'), types.SimpleNamespace(q={'u', 'v'}), datetime.timedelta(3),
         {('a', 1): {b'x', 'x'}, 2: len}, datetime.UTC, OSError({'p', 'q'}), ...]
class Words(set): pass
value.append(Words('hello'))
print(h.digest(value).hex())
"""


def test_the_hash_seed_does_not_count():
    found = set()
    for seed in ("0", "1", "random"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PROGRAM]
        found.add(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    assert len(found) == 1


def test_the_program_would_see_the_hash_seed():
    """Planted fault: a hash of the set's own order differs between seeds."""
    found = set()
    for seed in ("0", "1", "2", "3"):
        env = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", "print(list({'x', 'y', 'z', 'hello'}))"]
        found.add(subprocess.run(command, env=env, check=True, capture_output=True).stdout)
    assert len(found) > 1


def test_digest_is_the_sha256_of_the_encoding():
    import hashlib

    assert digest([1]) == hashlib.sha256(b"l1:i1;").digest()


class Titled(Pair):
    """A namedtuple whose instances may hold more than their items."""


@dataclass
class Numbers(list):
    """A dataclass that can't be rebuilt from its attributes: it is a list, too."""

    title: str = ""


def test_a_namedtuple_with_attributes_beside_its_items():
    plain, more = Titled(1, 2), Titled(1, 2)
    more.note = "x"
    assert len({encode(plain), encode(more), encode(Pair(1, 2))}) == 3
    assert encode(pickle.loads(pickle.dumps(more))) == encode(more)


def test_a_dataclass_that_is_a_list_counts_with_its_items():
    one, two = Numbers("a"), Numbers("a")
    two.append(1)
    assert len({encode(one), encode(two), encode([1])}) == 3


def test_a_dataclass_with_a_field_that_is_not_set():
    empty = Point.__new__(Point)
    assert encode(empty) != encode(Point(None))
    assert encode(Walk().take([empty])) == encode([empty])


@pytest.mark.parametrize(
    ("file", "name"),
    [("/a/nuclei.py", "nuclei.work"), ("/a/nuclei", "nuclei.work"), (None, "__main__.work")],
)
def test_the_stem_of_main_is_that_of_its_file(monkeypatch, file, name):
    main = types.ModuleType("__main__")
    main.__file__ = file
    monkeypatch.setitem(sys.modules, "__main__", main)
    work = types.FunctionType(built.__code__, {"__name__": "__main__"}, "work")
    work.__qualname__ = "work"
    assert qualified_name(work) == name


def test_ordered_dicts_and_counters_with_attributes():
    for kind in (collections.OrderedDict, collections.Counter):
        plain, more = kind(a=1), kind(a=1)
        more.note = "x"
        assert encode(plain) != encode(more)
