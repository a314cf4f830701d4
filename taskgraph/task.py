"""A task: one call that has not been made yet, as a value.

``f(1, y=2)`` of a decorated ``f`` flows in; out comes a :class:`Task` whose key is
the hash of the function's name and the arguments, tasks among them by their keys.
A task knows what it calls and what it depends on. It does not know where results
live, whether it is done, or which graph it belongs to: whoever wants to see new
tasks puts a :class:`Recorder` into :data:`RECORDER`.

The key is computed at the call, so that it can't be changed by what happens to an
argument later; keys of dependencies are there already, so a chain of any length
needs no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from hashlib import sha256
from typing import Any, Protocol

from taskgraph.errors import ArgumentsNeeded, HashError, TaskError
from taskgraph.hashing import ENCODERS, Walk, located, register_dependency, substitute, verify
from taskgraph.signature import CallShape, Options, call_shape, options_from
from taskgraph.signature import check_callable as _check_callable
from taskgraph.signature import function_name as _function_name


class Recorder(Protocol):
    """Sees every task as it is made."""

    def record(self, task: Task, dependencies: Sequence[Task]) -> None:
        """Take notice of a new task and the tasks among its arguments, as often as met."""
        ...


#: Where new tasks are announced; ``None``: nowhere.
RECORDER: ContextVar[Recorder | None] = ContextVar("taskgraph_recorder", default=None)


class Task:
    """``Task(f, *args, **kwargs)``: the call ``f(*args, **kwargs)``, to be made later.

    Attributes
    ----------
    key : bytes
        32 bytes that identify the call.
    """

    __slots__ = ("__weakref__", "kept", "key", "node", "shape")

    key: bytes
    node: int  #: where the graph that recorded it first has put it
    shape: CallShape
    kept: tuple[Any, ...]  #: see :attr:`values`; absent in a graph that keeps no arguments

    def __init__(self, f: Callable[..., Any], /, *args: Any, **kwargs: Any) -> None:
        if isinstance(f, partial):
            args, kwargs, f = (*f.args, *args), {**f.keywords, **kwargs}, f.func
        generator = f if isinstance(f, TaskGenerator) else _plain(f)
        _fill(self, generator.shape_of(args, kwargs), args, kwargs)

    @property
    def name(self) -> str:
        """Qualified name of the function."""
        return self.shape.name

    @property
    def values(self) -> tuple[Any, ...]:
        """Private copies of the arguments, in canonical order."""
        try:
            return self.kept
        except AttributeError:
            raise ArgumentsNeeded from None

    @property
    def f(self) -> Callable[..., Any]:
        """The function."""
        return self.shape.f

    @property
    def options(self) -> Options:
        """How to run it: retries, timeout, resources and so on."""
        return self.shape.options

    @property
    def args(self) -> tuple[Any, ...]:
        """Positional arguments of the call."""
        return tuple(self.values[place] for place in self.shape.positional)

    @property
    def kwargs(self) -> dict[str, Any]:
        """Keyword arguments of the call."""
        return {name: self.values[place] for name, place in self.shape.keywords}

    def hash(self) -> str:
        """Return the key in hexadecimal."""
        return self.key.hex()

    def dependencies(self) -> list[Task]:
        """Return the tasks among the arguments, each once, in order of appearance."""
        walk = Walk()
        for value in self.values:
            walk.take(value)
        return roots(walk.deps)

    def call(self, value_of: Callable[[Any], Any]) -> Any:
        """Make the call, with ``value_of(dependency)`` in the place of each dependency."""
        shape = self.shape
        values: Sequence[Any] = self.kept
        for value in values:
            if type(value) not in PLAIN_TYPES:
                values = [substitute(value, value_of) for value in values]
                break
        if shape.straight:
            return shape.f(*values)
        keywords = {name: values[place] for name, place in shape.keywords}
        return shape.f(*[values[place] for place in shape.positional], **keywords)

    def __getitem__(self, index: Any) -> Tasklet:
        return Tasklet(self, GetItem(index))

    def __iter__(self) -> Iterator[Any]:
        raise TaskError(
            f"A task can't be iterated over: its result does not exist yet (task {self.name}). "
            "Use iteratetask(task, n) if you know that the result has n items, or bvalue(task) "
            "to wait for the result while the jugfile is read."
        )

    def __reduce__(self) -> Any:
        raise TaskError(
            "A task is not a value: it can't be pickled or returned by a task "
            f"(task {self.name}). Return the value itself, or use CompoundTask to build a "
            "sub-graph."
        )

    def __repr__(self) -> str:
        return f"<Task {self.name} {self.key[:6].hex()}>"


class Tasklet:
    """``Tasklet(base, f)``: the cheap value ``f(result of base)``, never stored.

    ``base`` is a task or a tasklet, ``f`` a function, a lambda (known by its syntax
    tree) or :class:`GetItem`.
    """

    __slots__ = ("__weakref__", "base", "encoding", "f", "tasks")

    def __init__(self, base: Task | Tasklet, f: Callable[[Any], Any]) -> None:
        self.base = base
        walk = Walk()
        if isinstance(f, GetItem):
            f = GetItem(walk.take(f.index))
            walk.out.insert(0, b"[")
        else:
            from taskgraph.hashing.lambdas import encode_function

            walk.out.append(encode_function(f))
        self.f = f
        first: Task | Tasklet = base
        upper = [base] if isinstance(base, Task) else base.tasks
        self.tasks: list[Task] = roots([*upper, *walk.deps])
        head = b"K" + first.key if isinstance(first, Task) else first.encoding
        self.encoding: bytes = b"k" + head + b"%d:" % sum(map(len, walk.out)) + b"".join(walk.out)

    def value(self, value_of: Callable[[Any], Any]) -> Any:
        """Return ``f`` of the base's value."""
        inner = value_of(self.base)
        if isinstance(self.f, GetItem):
            return inner[substitute(self.f.index, value_of)]
        return self.f(inner)

    def __getitem__(self, index: Any) -> Tasklet:
        return Tasklet(self, GetItem(index))

    def __iter__(self) -> Iterator[Any]:
        raise TaskError(
            "A part of a task's result can't be iterated over: it does not exist yet. "
            "Use iteratetask(part, n), or bvalue(part) to wait for it."
        )

    def __repr__(self) -> str:
        return f"<Tasklet of {self.base!r}>"


class GetItem:
    """``value -> value[index]``; the index may itself be or hold a task."""

    __slots__ = ("index",)

    def __init__(self, index: Any) -> None:
        self.index = index

    def __call__(self, value: Any) -> Any:
        """Return ``value[index]``."""
        return value[self.index]


class TaskGenerator:
    """``@TaskGenerator``: calls of the function make tasks instead of running it.

    Parameters
    ----------
    f : callable
        A function at the top level of a module.
    name : str, optional
        Replaces the function's qualified name in the task's identity.
    version : str or int, optional
        Part of the identity: a new version is a new task.
    retries : int
        How many more times a raising task is tried.
    retry_delay : float
        Seconds before the first retry, doubled for each further one.
    timeout : float, optional
        Seconds after which the task is killed and counts as failed; implies ``isolate``.
    resources : dict, optional
        What it needs of the supervisor's budget, e.g. ``{"gpu": 1, "memory": "8G"}``.
    isolate : bool
        Run each task in a fresh process, so that a crash harms nothing else.
    batch : bool
        ``False``: never lease it together with others.

    Raises
    ------
    TaskError
        For a lambda, a function inside a function, or options that can't work.
    """

    _jug_is_task_generator = True
    name: str
    options: Options
    f: Callable[..., Any]

    def __new__(cls, f: Callable[..., Any] | None = None, /, **options: Any) -> Any:
        """Return a generator, or with options alone a decorator that makes one."""
        if f is None:
            options_from(options)  # an unusable option is an error where it is written
            return partial(cls, **options)
        return super().__new__(cls)

    def __init__(self, f: Callable[..., Any] | None = None, /, **options: Any) -> None:
        assert f is not None  # __new__ has seen to it
        self.f = f
        self.options = options_from(options)
        if self.options.name is None:
            _check_callable(f)
        self.name = self.options.name or _function_name(f)
        self._shapes: dict[Any, CallShape] = {}
        self.__doc__ = getattr(f, "__doc__", None)
        self.__name__ = getattr(f, "__name__", self.name)
        self.__qualname__ = getattr(f, "__qualname__", self.__name__)
        self.__module__ = getattr(f, "__module__", __name__)
        self.__wrapped__ = f

    # Any, not Task: to a type checker this is also the decorator of TaskGenerator(name=...).
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make the task of this call."""
        task = _new_task(Task)
        shape = self._shapes.get((len(args), *kwargs) if kwargs else len(args))
        _fill(task, shape or self.shape_of(args, kwargs), args, kwargs)
        return task

    def shape_of(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> CallShape:
        """Return how a call with so many arguments of these names binds (cached)."""
        token: Any = (len(args), *kwargs) if kwargs else len(args)
        shape = self._shapes.get(token)
        if shape is None:
            shape = call_shape(self.f, self.name, self.options, len(args), tuple(kwargs))
            self._shapes[token] = shape
        return shape

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise TaskError(
            f"A method can't be a task generator: {self.name} would depend on all of its object. "
            "Decorate a function at the top level of the jugfile and pass what it needs."
        )

    def __taskgraph_hash__(self) -> tuple[str, str, str]:
        """Identity as an argument: the name and version of the function."""
        return ("TaskGenerator", self.name, str(self.options.version))

    def __reduce__(self) -> str:
        return self.__qualname__

    def __repr__(self) -> str:
        return f"<TaskGenerator {self.name}>"


#: Key -> mutable leaves (arrays, files) of the arguments, with their digests at the call.
FRAGILE: dict[bytes, list[tuple[Any, bytes]]] = {}


def verify_arguments(task: Task) -> None:
    """Raise HashError when an argument is not what it was when the task was made."""
    verify(FRAGILE.get(task.key, ()))


_new_task = Task.__new__
#: Integers up to here are encoded in place, as ``hashing`` would.
_PLAIN_INT = 1 << 63
PLAIN_TYPES = frozenset((int, str, float, bool, bytes, type(None)))
_PLAIN: dict[Callable[..., Any], TaskGenerator] = {}


def made(key: bytes, shape: CallShape, values: tuple[Any, ...]) -> Task:
    """Return the task that was made before with these parts; it is announced to nobody."""
    task = _new_task(Task)
    task.key, task.shape, task.kept = key, shape, values
    return task


def _plain(f: Callable[..., Any]) -> TaskGenerator:
    """Return the generator of an undecorated function, the same each time."""
    _check_callable(f)
    generator = _PLAIN.get(f)
    if generator is None:
        generator = _PLAIN[f] = TaskGenerator(f)
    return generator


def _fill(task: Task, shape: CallShape, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Give a new task its shape, values and key, and announce it."""
    values = (*args, *kwargs.values()) if kwargs else args
    if shape.arrange is not None:
        values = shape.arrange(values)
    task.shape = shape
    deps: Sequence[Any] = ()
    if len(values) == 1 and type(values[0]) is int and -_PLAIN_INT < values[0] < _PLAIN_INT:
        task.kept = values
        task.key = sha256(b"%bi%d;" % (shape.prefix, values[0])).digest()
    else:
        walk = Walk()
        try:
            walk.out.append(shape.prefix)
            task.kept = tuple([ENCODERS[type(value)](value, walk) for value in values])
        except (HashError, TaskError, RecursionError) as error:
            raise _located(error, shape, values) from error
        task.key = sha256(b"".join(walk.out)).digest()
        deps = roots(walk.deps) if walk.indirect else walk.deps
        if walk.fragile:
            FRAGILE[task.key] = walk.fragile
    recorder = RECORDER.get()
    if recorder is not None:
        recorder.record(task, deps)


def _located(
    error: HashError | TaskError | RecursionError, shape: CallShape, values: tuple[Any, ...]
) -> Exception:
    """Return the error with the place in the arguments where it arose."""
    for place, value in enumerate(values):
        try:
            Walk().take(value)
        except (HashError, TaskError, RecursionError):
            name = shape.labels[place] if shape.labels else str(place)
            return located(error, f"argument {name} of {shape.name}", value)
    return error


def roots(dependencies: Sequence[Any]) -> list[Task]:
    """Return the tasks behind tasks, tasklets and wrappers, each once, in order."""
    found: dict[bytes, Task] = {}
    for dependency in dependencies:
        if type(dependency) is Task:
            found[dependency.key] = dependency
        else:
            for task in dependency.tasks:
                found[task.key] = task
    return list(found.values())


def _encode_task(task: Any, walk: Walk) -> Any:
    walk.out.append(b"K" + task.key)
    walk.deps.append(task)
    return task


def _encode_tasklet(tasklet: Any, walk: Walk) -> Any:
    walk.out.append(tasklet.encoding)
    walk.deps.append(tasklet)
    return tasklet


def _encode_tasks(tasks: list[Any], walk: Walk) -> bool:
    """Encode a list of nothing but tasks: the fan-in of a graph, in three calls."""
    keys = [task.key for task in tasks if type(task) is Task]
    if len(keys) < len(tasks):
        return False
    walk.out.append(b"K" + b"K".join(keys))
    walk.deps += tasks
    return True


register_dependency(Task, _encode_task, _encode_tasks)
register_dependency(Tasklet, _encode_tasklet)
