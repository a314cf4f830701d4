"""What a task keeps of its arguments, and how results take the places of tasks."""

from __future__ import annotations

import collections
import types
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest

from taskgraph.errors import HashError, TaskError
from taskgraph.hashing import (
    CustomHash,
    NoHash,
    Walk,
    encode,
    register_dependency,
    register_hasher,
    substitute,
    timed_path,
    verify,
)


class Promise:
    """Stands for a task; its result is its number."""

    def __init__(self, number):
        self.number = number


class Heir(Promise):
    """A subclass of a dependency is one."""


def _encode_promise(promise, walk):
    walk.out.append(b"K%d;" % promise.number)
    walk.deps.append(promise)
    return promise


register_dependency(Promise, _encode_promise)


def result(promise):
    return promise.number


class Pair(NamedTuple):
    x: object
    y: object


class Titled(Pair):
    pass


@dataclass
class Point:
    x: object
    y: object = None
    runs: int = field(default=0, repr=False)

    def __post_init__(self):
        self.runs += 1


@dataclass(frozen=True, slots=True)
class Slim:
    x: object


class Reference:
    """Decides itself what it is, what it is worth, and what it waits for."""

    def __init__(self, name, *waits):
        self.name, self.waits = name, waits

    def __taskgraph_hash__(self):
        return ["reference", self.name]

    def __taskgraph_value__(self):
        return self.name.upper()

    def __taskgraph_dependencies__(self):
        return self.waits


class Old:
    def __jug_hash__(self):
        return b"old"

    def __jug_value__(self):
        return "new"


class Registered:
    def __init__(self, array):
        self.array = array


register_hasher(Registered, lambda registered: registered.array)


def take(value):
    walk = Walk()
    return walk.take(value), walk


def test_containers_are_copied_all_the_way():
    value = [[1], {"k": [2]}, {3}, bytearray(b"x"), (4, [5]), Point([6]), Pair([7], 8)]
    copy, _ = take(value)
    raw = encode(value)
    value[0].append(0)
    value[1]["k"].append(0)
    value[2].add(0)
    value[3].append(0)
    value[4][1].append(0)
    value[5].x.append(0)
    value[6].x.append(0)
    assert encode(copy) == raw
    assert copy[5].runs == 1


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (collections.deque([[1]]), lambda v: v[0].append(2)),
        (collections.OrderedDict(a=[1]), lambda v: v["a"].append(2)),
        (collections.defaultdict(list, a=[1]), lambda v: v["a"].append(2)),
        (collections.Counter("aab"), lambda v: v.update("a")),
        (types.SimpleNamespace(a=[1]), lambda v: v.a.append(2)),
        ({1: [1]}, lambda v: v[1].append(2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_containers_are_copied_too(value, change):
    copy, _ = take(value)
    raw = encode(value)
    change(value)
    assert encode(copy) == raw != encode(value)
    assert type(copy) is type(value)


@pytest.mark.parametrize(
    "value", [(1, "a", (2.0,)), frozenset("ab"), Pair(1, 2), Slim(1), "a", 10**30], ids=repr
)
def test_immutable_values_are_kept(value):
    assert take(value)[0] is value


def test_tasks_are_found_everywhere_they_can_be_replaced():
    p = [Promise(number) for number in range(12)]
    value = [p[0], (p[1],), {p[2]: p[3]}, {p[4]}, frozenset([p[5]]), Pair(p[6], 0), Point(p[7])]
    value += [Slim([p[8]]), NoHash([p[9]]), CustomHash(p[10], lambda _: 1), Titled(Heir(11), 1)]
    copy, walk = take(value)
    assert [dependency.number for dependency in walk.deps] == list(range(12))
    assert walk.wrapped == 2
    new = substitute(copy, result)
    assert new[:6] == [0, (1,), {2: 3}, {4}, frozenset([5]), Pair(6, 0)]
    assert (new[6].x, new[6].runs) == (7, 1)
    assert new[7:] == [Slim([8]), [9], 10, Titled(11, 1)]
    assert type(new[10]) is Titled
    assert copy[0] is p[0]


def test_nothing_to_replace_gives_the_same_object():
    copy, walk = take([1, (2,), {"k": {3}}, frozenset("a"), Pair(1, 2), Point(1), np.zeros(2)])
    assert not walk.deps
    assert substitute(copy, result) is copy


def test_the_order_of_dependencies_is_that_of_the_encoding():
    one, two = {Promise(1): 0, "a": Promise(3)}, {"a": Promise(3), Promise(1): 0}
    assert [d.number for d in take(one)[1].deps] == [d.number for d in take(two)[1].deps]
    many = [Promise(number) for number in (5, 3, 4)]
    assert [d.number for d in take(set(many))[1].deps] == [3, 4, 5]


@pytest.mark.parametrize("value", [{Promise(1)}, frozenset([Promise(1)]), {Promise(1): 0}])
def test_an_unhashable_result_in_a_set_or_key(value):
    with pytest.raises(TaskError, match="Return a tuple"):
        substitute(take(value)[0], lambda promise: [promise])


def test_objects_decide_about_themselves():
    reference = Reference("a", Promise(1))
    copy, walk = take([reference, Old()])
    assert b"".join(walk.out) == encode([Reference("a"), Old()])
    assert [dependency.number for dependency in walk.deps] == [1]
    assert substitute(copy, result) == ["A", "new"]
    assert encode(Reference("a")) != encode(Reference("b"))
    assert b"old" in encode(Old())


def test_a_function_with_a_hash_of_its_own():
    def local():
        pass

    local.__taskgraph_hash__ = lambda: "me"
    assert encode(local) == b"H8:functions2:me"


def test_the_number_of_cpus_does_not_count():
    assert encode(NoHash(4)) == encode(NoHash(print)) == encode(NoHash(lambda: 0))
    assert substitute(take([NoHash([4])])[0], result) == [[4]]
    assert repr(NoHash(1)) == "NoHash(1)"


def test_a_hash_function_decides():
    assert encode(CustomHash([1, 2], len)) == encode(CustomHash("ab", len))
    assert encode(CustomHash([1, 2], len)) != encode(CustomHash("abc", len))
    assert "CustomHash('a'" in repr(CustomHash("a", len))


def test_a_registered_hasher_counts_with_the_class():
    one, two = Registered(np.zeros(2)), Registered(np.ones(2))
    assert encode(one) != encode(two)
    copy, walk = take(one)
    assert copy is one
    assert walk.fragile == []


def test_timed_path(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"1")
    raw = encode(timed_path(str(path)))
    path.write_bytes(b"12")
    assert encode(timed_path(str(path))) != raw
    assert substitute(take(timed_path(str(path)))[0], result) == str(path)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3)),
        np.asfortranarray(np.zeros((2, 3))),
        np.array([1, 2], dtype=object),
        np.zeros(3, [("a", int), ("b", float)]),
        np.ma.masked_array([1, 2], [False, True]),
    ],
    ids=["plain", "fortran", "objects", "fields", "masked"],
)
def test_a_changed_array_is_noticed(array):
    _, walk = take([{"k": array}])
    assert [obj is array for obj, _ in walk.fragile] == [True]
    verify(walk.fragile)
    array[0] = 7
    with pytest.raises(HashError, match=r"was changed after.*x\.copy\(\)"):
        verify(walk.fragile)


def test_arrays_are_kept_and_read_only_ones_not_looked_at_again():
    array = np.zeros(3)
    array.flags.writeable = False
    copy, walk = take(array)
    assert copy is array
    assert walk.fragile == []


def test_an_array_inside_an_object_is_noticed_too():
    holder = types.SimpleNamespace(a=np.zeros(2))
    _, walk = take(holder)
    holder.a[0] = 1
    with pytest.raises(HashError, match="changed"):
        verify(walk.fragile)
