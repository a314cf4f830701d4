"""What has no identity is refused: rule, remedy, value got, and the place."""

from __future__ import annotations

import collections
import functools
import io
import itertools
import os
import socket
import struct
import sys
import threading
import types
import zoneinfo
from dataclasses import dataclass

import numpy as np
import pytest

from taskgraph.errors import HashError, TaskError
from taskgraph.hashing import (
    ENCODERS,
    CustomHash,
    NoHash,
    Walk,
    encode,
    located,
    qualified_name,
    register_dependency,
    register_hasher,
)


class Promise:
    """Stands for a task."""

    def __init__(self, key=b"\0" * 32):
        self.key = key

    def __repr__(self):
        return "Promise"


def _encode_promise(promise, walk):
    walk.out.append(b"K" + promise.key)
    walk.deps.append(promise)
    return promise


register_dependency(Promise, _encode_promise)


class Box:
    def __init__(self, content):
        self.content = content


class Slotted:
    __slots__ = ("content",)


class Shifty:
    """Its state differs each time it is asked for."""

    counter = itertools.count()

    def __getstate__(self):
        return {"n": next(self.counter)}


class Sulky:
    def __reduce_ex__(self, protocol):
        raise RuntimeError("not today")


@dataclass
class Point:
    x: object


class Unpicklable:
    """Its reduce protocol works, its pickle does not."""

    def __reduce__(self):
        return print, (Unpicklable,), None, None, None, 3


def twice(f):
    @functools.wraps(f)
    def wrapper(x):
        return f(f(x))

    return wrapper


def add_one(x):
    return x + 1


@twice
def add_two(x):
    return x + 1


add_four = twice(twice(add_one))


def make():
    def inner():
        pass

    class Local:
        pass

    return inner, Local, Local()


inner, Local, local_instance = make()


def cyclic():
    value = [1]
    value.append({"again": (value,)})
    return value


def deep(levels):
    value = []
    for _ in range(levels):
        value = [value]
    return value


CASES = [
    (lambda: 1, "lambda", "Define the function with def"),
    (inner, "made inside a function", "top level of its module"),
    (Local, "class made inside a function", "top level"),
    (local_instance, "class made inside a function", "__taskgraph_hash__"),
    (add_four, "means another function", "__qualname__"),
    ((item for item in "ab"), "generator is used up", "list(x)"),
    (iter([1]), "used up", "list(x)"),
    (map(len, []), "used up", "list(x)"),
    (itertools.count(), "used up", "list(x)"),
    ({}.keys(), "no stable identity", "list(x)"),
    (memoryview(b"a"), "no stable identity", "bytes(x)"),
    (sys, "A module", "the module's name"),
    (threading.Lock(), "no stable identity", "inside the task"),
    (threading.local(), "no stable identity", "inside the task"),
    (cyclic(), "contains itself", "Break the cycle"),
    (deep(300), "at most 200 levels", "Flatten it"),
    (Shifty(), "a pickled copy of it differs", "__taskgraph_hash__"),
    (Unpicklable(), "it can't be pickled", "NoHash"),
    (Sulky(), "not today", "register_hasher"),
    (np.frompyfunc(len, 1, 1), "universal functions", "Python function"),
    (types.MappingProxyType({}), "no stable identity", "register_hasher"),
]


@pytest.mark.parametrize(("value", "rule", "remedy"), CASES, ids=lambda case: str(case)[:30])
def test_values_without_identity(value, rule, remedy):
    with pytest.raises(HashError, match=r"Found in value") as caught:
        encode([0, {"k": value}])
    text = str(caught.value)
    assert rule in text
    assert remedy in text
    assert " Got " in text
    assert "Found in value[1]['k']" in text
    assert len(text) < 900


def test_open_files_and_sockets():
    with open(os.devnull) as file, socket.socket() as line:  # noqa: PTH123
        for value, remedy in ((file, r"File\(path\)"), (line, "inside the task")):
            with pytest.raises(HashError, match=remedy):
                encode(value)


def test_a_zone_without_a_name():
    head = struct.pack(">4sc15x6l", b"TZif", b"\0", 0, 0, 0, 0, 1, 4)  # one kind of time: UTC
    with pytest.raises(HashError, match="key=name"):
        encode(zoneinfo.ZoneInfo.from_file(io.BytesIO(head + bytes(6) + b"UTC\0")))


def slotted(content):
    box = Slotted()
    box.content = content
    return box


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([1, [2, (lambda: 0,)]], "x[1][1][0]"),
        ({"a": {"b": lambda: 0}}, "x['a']['b']"),
        ({lambda: 0: 1}, "x, its key <function"),
        ({lambda: 0}, "x, its item"),
        (Point([lambda: 0]), "x.x[0]"),
        (Box({"k": lambda: 0}), "x.content['k']"),
        (slotted([lambda: 0]), "x.content[0]"),
        (functools.partial(print, lambda: 0), "x.args[0]"),
        (collections.deque([0, lambda: 0]), "x[1]"),
        (np.array([None, lambda: 0], dtype=object), "x.flat[1]"),
    ],
)
def test_the_place_is_named(value, place):
    with pytest.raises(HashError) as plain:
        Walk().take(value)
    error = located(plain.value, "x", value)
    assert isinstance(error, HashError)
    assert f"Found in {place}" in str(error)


def test_an_attribute_left_out_of_the_state_is_not_blamed():
    class Careful(Box):
        def __getstate__(self):
            return {"shifty": self.shifty}

    Careful.__qualname__ = "Careful"
    box = Careful(threading.Lock())
    box.shifty = lambda: 0
    with pytest.raises(HashError, match=r"A lambda .* Found in value.shifty\."):
        encode(box)


def test_running_out_of_stack_is_the_same_error():
    assert "at most 200 levels" in str(located(RecursionError(), "x", 1))


def test_a_depth_just_below_the_limit_is_fine():
    assert encode(deep(190))


@pytest.mark.parametrize(
    "value",
    [
        Box(Promise()),
        Box([NoHash(1)]),
        functools.partial(print, Promise()),
        types.SimpleNamespace(a=[Promise()]),
        np.array([Promise(), 1], dtype=object),
        collections.deque([Promise()]),
        collections.OrderedDict(a=Promise()),
        collections.defaultdict(list, a=Promise()),
        collections.Counter({Promise(): 1}),
        slice(Promise()),
        CustomHash(1, lambda _: Promise()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_task_where_it_could_not_be_replaced(value):
    with pytest.raises(TaskError, match=r"can't stand inside a .*list, tuple, dict, set") as caught:
        Walk().take([value])
    assert "Found in x[0]." in str(located(caught.value, "x", [value]))


def test_encode_takes_no_tasks():
    with pytest.raises(TaskError, match=r"pass value\(task\)"):
        encode([Promise()])


def test_names_are_for_what_has_one():
    assert qualified_name(add_one).endswith(".add_one")
    assert qualified_name(np.add) == "numpy.add"
    assert qualified_name(len) == "builtins.len"
    for nameless in (functools.partial(len), Box(1), 3):
        with pytest.raises(HashError, match=r"name="):
            qualified_name(nameless)


def test_decorated_functions_that_lead_back_are_fine():
    assert encode(add_two)
    assert encode(add_two.__wrapped__) == encode(add_two)


def test_builtin_types_keep_their_identity():
    with pytest.raises(HashError, match="Got int"):
        register_hasher(int, str)
    assert ENCODERS[int].__module__ == "taskgraph.hashing.plain"
