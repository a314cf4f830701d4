"""No two different structures share an encoding: near-collisions are constructed, not awaited.

Two independently drawn values never collide, whatever the hash. So a value is drawn and
then changed in one small way that careless encodings do not see.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from taskgraph.hashing import encode

Pair = namedtuple("Pair", "x y")
Twin = namedtuple("Twin", "x y")


@dataclass(frozen=True)
class Point:
    x: object
    y: object


def jug_hash(obj):
    """The planted fault: jug 2.7.0's hash, whose containers are never closed."""
    state = hashlib.sha1()
    _jug_update(state, [("hash1", obj)])
    return state.digest()


def _jug_update(state, pairs):
    for name, item in pairs:
        state.update(pickle.dumps(name, protocol=4))
        if type(item) in (list, tuple):
            state.update(repr(type(item)).encode())
            _jug_update(state, enumerate(item))
        elif type(item) is dict:
            state.update(b"dict")
            found = [(jug_hash(key), value) for key, value in item.items()]
            _jug_update(state, sorted(found, key=lambda pair: pair[0]))
        else:
            state.update(pickle.dumps(item, protocol=4))


def joined_reprs(obj):
    """Another planted fault: text without lengths."""
    if isinstance(obj, list | tuple):
        return b"[" + b",".join(joined_reprs(item) for item in obj) + b"]"
    return str(obj).encode()


def skeleton(obj):
    """Tell exactly what a value is, by other means than its encoding."""
    if isinstance(obj, np.ndarray):
        return ("ndarray", obj.dtype.str, obj.shape, repr(obj.tolist()))
    name = type(obj).__qualname__
    if isinstance(obj, dict):
        items = [(skeleton(key), skeleton(value)) for key, value in obj.items()]
        return (name, tuple(items if isinstance(obj, OrderedDict) else sorted(items, key=repr)))
    if isinstance(obj, Point):
        return (name, skeleton(obj.x), skeleton(obj.y))
    if isinstance(obj, set | frozenset):
        return (name, tuple(sorted((skeleton(item) for item in obj), key=repr)))
    if isinstance(obj, list | tuple):
        return (name, tuple(skeleton(item) for item in obj))
    return (name, repr(obj))


NUMBERS = (0, 1, -1, 10, 11, 1.0, 0.0, -0.0, True, False, None, 1j)
TEXTS = ("", "1", "1.0", "None", "N", "i1;", "l1:", "s1:a", b"", b"1", b"N")
OTHERS = (bytearray(b"1"), Path("1"), ..., range(1), range(2))
LEAVES = st.sampled_from((*NUMBERS, *TEXTS, *OTHERS))


@st.composite
def bracketings(draw):
    """Return the same leaves, in the same order, in two bracketings."""
    leaves = draw(st.lists(st.sampled_from([0, 1, "a", None]), min_size=1, max_size=4))
    if draw(st.booleans()):
        return draw(bracketing(leaves)), draw(bracketing(leaves))
    cuts = [draw(st.integers(0, len(leaves))) for _ in range(2)]
    return tuple([leaves[:cut], *leaves[cut:]] for cut in cuts)


@st.composite
def bracketing(draw, leaves):
    items = list(leaves)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(items)))
        stop = draw(st.integers(start, len(items)))
        items[start:stop] = [items[start:stop]]
    return items


BOXES = [
    list,
    tuple,
    lambda items: Pair(items, 0),
    lambda items: Twin(items, 0),
    lambda items: Point(items, 0),
    lambda items: {"x": items, "y": 0},
    lambda items: OrderedDict(x=items, y=0),
    lambda items: dict(enumerate(items)),
    lambda items: OrderedDict(enumerate(items)),
    lambda items: [items],
    lambda items: [*items, None],
    lambda items: (items, 0),
    lambda items: np.array([*items, None], dtype=object),
]


@st.composite
def boxes(draw):
    """Return the same items in two kinds of containers, inside the same one."""
    items = draw(st.lists(LEAVES, max_size=3))
    one, two = draw(st.sampled_from(BOXES)), draw(st.sampled_from(BOXES))
    return [one(items), 1], [two(items), 1]


@st.composite
def replaced(draw):
    """Return two lists that differ at most in the type or place of one leaf."""
    items = draw(st.lists(LEAVES, min_size=1, max_size=4))
    other = list(items)
    if draw(st.booleans()):
        other[draw(st.integers(0, len(items) - 1))] = draw(LEAVES)
    else:
        other = draw(st.permutations(items))
    return items, list(other)


@st.composite
def split_texts(draw):
    """Return two texts of the same letters, cut at different places."""
    text = draw(st.text("ab:1;l", min_size=2, max_size=6))
    cuts = [draw(st.integers(0, len(text))) for _ in range(2)]
    return tuple([text[:cut], text[cut:]] for cut in cuts)


DTYPES = ["<i4", ">i4", "<u4", "<f4", "<i8", "|u1", "|b1", "<M8[s]", "<m8[s]", "|S4", "<U1", "V4"]


@st.composite
def arrays(draw):
    """Return the same eight bytes as two arrays: of another dtype, shape or order."""
    raw = draw(st.sampled_from([bytes(8), b"\x01" + bytes(7), b"\x01\x00\x00\x00" * 2]))
    pair = []
    for _ in range(2):
        array = np.frombuffer(raw, draw(st.sampled_from(DTYPES))).copy()
        shape = draw(st.sampled_from([(-1,), (1, -1), (-1, 1), (1, 1, -1)]))
        pair.append(np.asarray(array.reshape(shape), order=draw(st.sampled_from("CF"))))
    return tuple(pair)


@st.composite
def nested_pairs(draw):
    """Return a pair put at the same place of the same structure."""
    one, two = draw(st.one_of(bracketings(), boxes(), replaced(), split_texts()))
    for _ in range(draw(st.integers(0, 2))):
        wrap = draw(st.sampled_from([lambda x: [x, x], lambda x: {"k": x, 1: 2}, lambda x: (x,)]))
        one, two = wrap(one), wrap(two)
    return one, two


def agrees(hash_function, one, two):
    """Whether hashes are equal exactly when the values are the same."""
    return (hash_function(one) == hash_function(two)) == (skeleton(one) == skeleton(two))


@given(nested_pairs())
def test_only_same_structures_share_an_encoding(pair):
    assert agrees(encode, *pair)


@given(arrays())
def test_only_same_arrays_share_an_encoding(pair):
    assert agrees(encode, *pair)


@given(bracketings())
def test_leaves_in_two_bracketings(pair):
    assert agrees(encode, *pair)


@pytest.mark.parametrize(
    ("bad", "pairs"),
    [(jug_hash, bracketings()), (jug_hash, nested_pairs()), (joined_reprs, replaced())],
    ids=["jug", "jug, all strategies", "text without types"],
)
def test_the_strategies_catch_a_planted_fault(bad, pairs):
    """With 500 examples and no luck: the search is the same each time."""

    @settings(max_examples=500, derandomize=True, database=None, phases=[Phase.generate])
    @given(pairs)
    def find(pair):
        assert skeleton(pair[0]) == skeleton(pair[1]) or bad(pair[0]) != bad(pair[1])

    with pytest.raises(AssertionError):
        find()


def test_jugs_collision_is_the_one_reported():
    assert jug_hash([[1], 2]) == jug_hash([[1, 2]])
    assert encode([[1], 2]) != encode([[1, 2]])


@pytest.mark.parametrize(
    "values",
    [
        (1, 1.0, True, "1", b"1", bytearray(b"1"), Path("1"), 1 + 0j, np.int64(1), np.array(1)),
        ([], (), {}, set(), frozenset(), "", b"", None, OrderedDict(), range(0), np.array([])),
        ([1, 2], (1, 2), Pair(1, 2), Twin(1, 2), Point(1, 2), {1: 2}, {1, 2}, frozenset({1, 2})),
        (0.0, -0.0, np.float64(0.0), np.float32(0.0), 0j),
        (int, "builtins.int", len, np.add, np.mean, np.dtype(int), np.int64),
        ({"a": 1}, {"a": 1.0}, {b"a": 1}, {"a": 1, "b": None}, [("a", 1)], [["a", 1]]),
        (slice(1), slice(0, 1), range(1), slice(None)),
        (2**70, 2**2100, 2**2100 + 1, -(2**2100)),
        (b"x" * 70000, b"x" * 70001, bytearray(b"x" * 70000)),
        ("\ud800\udc00", "\U00010000", "\udc80", b"\xed\xb2\x80"),
    ],
)
def test_lookalikes_differ(values):
    assert len({encode(value) for value in values}) == len(values)
