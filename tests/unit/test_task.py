"""Tasks as values: identity of calls, options, and errors that name the way out."""

from __future__ import annotations

import functools
import pickle
from collections import namedtuple
from dataclasses import dataclass

import pytest

from taskgraph.errors import TaskError, UsageError
from taskgraph.task import RECORDER, Task, TaskGenerator, verify_arguments


def plain(x, y=1, *rest, z=0, **more):
    """Take everything that a function can take."""
    return (x, y, rest, z, more)


def positional_only(x, /, y=2):
    """Have one parameter without a public name."""
    return x + y


def reordered(y, x):
    """Take the same names as ``two`` in the other order."""
    return (x, y)


def two(x, y):
    """Take two named values."""
    return (x, y)


make = TaskGenerator(plain)


def key(*args, **kwargs):
    return make(*args, **kwargs).key


def test_one_call_written_in_two_ways_is_one_task():
    """Arguments are bound to parameter names."""
    assert key(1, 2) == key(1, y=2) == key(x=1, y=2) == key(y=2, x=1)
    assert Task(plain, 1, 2).key == key(1, 2)
    assert Task(functools.partial(plain, 1), y=2).key == key(1, 2)
    assert Task(positional_only, 1, 3).key == Task(positional_only, 1, y=3).key


def test_defaults_are_not_added_so_a_new_default_recomputes_nothing():
    """``f(1)`` and ``f(1, y=1)`` differ: only what is written counts."""
    assert key(1) != key(1, 1)

    def wider(x, y=1, added=5):
        """Stand for a later version of a function."""

    old, new = TaskGenerator(two, name="f"), TaskGenerator(wider, name="f")
    assert old(1, 2).key == new(1, 2).key


def test_a_reordered_signature_can_not_hit_another_calls_result():
    """Names, not places, tell the values apart."""
    first, second = TaskGenerator(two, name="f"), TaskGenerator(reordered, name="f")
    assert first(1, 2).key != second(1, 2).key
    assert first(1, 2).key == second(2, 1).key


def test_near_collisions_of_calls_differ():
    """Places of star arguments, keywords and nested tasks all count."""
    inner = make(5)
    calls = [
        make(1), make(1, 1), make(1, 1, 1), make(1, z=1), make(1, w=1), make([1]), make((1,)),
        make("1"), make(1.0), make(True), make(inner), make(inner.key), make([inner]),
        make(inner[0]), make(inner[0][0]), make(inner["0"]), make(inner[1:2]),
        TaskGenerator(plain, version=1)(1), TaskGenerator(plain, version=2)(1),
        TaskGenerator(plain, name="other")(1),
    ]  # fmt: skip
    assert len({call.key for call in calls}) == len(calls)


def test_the_call_gets_values_where_tasks_stood():
    """Lists, tuples, dicts, sets, dataclasses and namedtuples are rebuilt around results."""
    Pair = namedtuple("Pair", "a b")

    @dataclass(frozen=True)
    class Box:
        content: object

    globals().update(Pair=Pair, Box=Box)
    Pair.__qualname__, Box.__qualname__ = "Pair", "Box"
    one, other = make(1), make(2)
    values = {one: 10, other: (20, 21)}

    def value_of(dependency):
        if isinstance(dependency, Task):
            return values[dependency]
        return dependency.value(value_of)

    task = make([one, (other,)], {"k": one}, {one}, Pair(one, 2), Box(other[1]), z=other[0])
    assert task.call(value_of) == (
        [10, ((20, 21),)], {"k": 10}, ({10}, Pair(10, 2), Box(21)), 20, {},
    )  # fmt: skip
    assert task.dependencies() == [one, other]


def test_a_container_changed_after_the_call_changes_nothing():
    """Containers are copied at the call."""
    rows = [1, [2]]
    task = make(rows)
    rows.append(3)
    rows[1].append(4)
    assert task.call(lambda dependency: dependency)[0] == [1, [2]]


def test_an_array_changed_after_the_call_is_an_error():
    """Arrays are not copied, so they are looked at again before the task runs."""
    numpy = pytest.importorskip("numpy")
    array = numpy.zeros(5)
    task = make(array)
    verify_arguments(task)
    array[0] = 1
    with pytest.raises(TypeError, match="was changed after it was given to a task"):
        verify_arguments(task)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        (lambda: list(make(1)), "iteratetask"),
        (lambda: list(make(1)[0]), "iteratetask"),
        (lambda: Task(lambda x: x, 1), "with def"),
        (lambda: TaskGenerator(lambda x: x), "with def"),
        (lambda: pickle.dumps(make(1)), "not a value"),
        (lambda: make(), "can't be called like this"),
        (lambda: Task(two, 1, 2, 3), "can't be called like this"),
        (lambda: Task("plain", 1), "needs a function"),
        (lambda: TaskGenerator(retrys=3), "no option 'retrys'"),
        (lambda: TaskGenerator(timeout=-1)(plain), "must not be negative"),
    ],
)
def test_wrong_use_is_an_error_that_names_the_way_out(wrong, hint):
    """Rule and remedy stand in the message."""
    with pytest.raises(TaskError, match=hint):
        wrong()


def test_a_function_inside_a_function_needs_a_name():
    """It can't be found by its name in another process."""

    def inner(x):
        """Hide."""

    with pytest.raises(TaskError, match="top level"):
        TaskGenerator(inner)
    assert TaskGenerator(inner, name="inner")(1).name == "inner"


def test_methods_are_refused():
    """A method depends on all of its object."""

    class Thing:
        @TaskGenerator(name="method")
        def method(self):
            """Be a method."""

    with pytest.raises(TaskError, match="method"):
        Thing().method  # noqa: B018


def test_resources_are_numbers_and_sizes():
    """``8G`` is bytes; nonsense is refused where it is written."""
    generator = TaskGenerator(resources={"gpu": 1, "memory": "8G"})(plain)
    assert generator.options.resources == {"gpu": 1.0, "memory": 8.0 * 2**30}
    with pytest.raises(UsageError, match="8G"):
        TaskGenerator(resources={"memory": "lots"})


def test_new_tasks_are_announced_with_their_dependencies():
    """The recorder sees tasks in order, each dependency once."""
    seen = []

    class Recorder:
        def record(self, task, dependencies):
            seen.append((task, list(dependencies)))

    token = RECORDER.set(Recorder())
    try:
        one = make(1)
        two_ = make([one, one[0]], one)
    finally:
        RECORDER.reset(token)
    assert seen == [(one, []), (two_, [one])]
