"""Parts of a result that does not exist yet, and a task handed over as itself.

Tasks flow in; tasklets, or a wrapper that tasks accept as an argument, flow out. Nothing
here looks at a store.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, overload

from taskgraph.errors import TaskError
from taskgraph.hashing import Walk, register_dependency
from taskgraph.task import Task, Tasklet, roots


class iteratetask(Sequence[Tasklet]):
    """``for part in iteratetask(task, n)``: the first ``n`` items of a result, as tasklets.

    Parameters
    ----------
    base : Task or Tasklet
        Its value is a sequence of at least ``n`` items. Whether it has more is not checked.
    n : int
        How many.
    """

    def __init__(self, base: Task | Tasklet, n: int) -> None:
        if n < 0:
            raise TaskError(f"iteratetask needs a number of items, 0 or more; got {n!r}.")
        self.base = base
        self.n = n

    def __len__(self) -> int:
        return self.n

    @overload
    def __getitem__(self, index: int) -> Tasklet: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tasklet]: ...
    def __getitem__(self, index: int | slice) -> Tasklet | list[Tasklet]:
        if isinstance(index, slice):
            return [self.base[place] for place in range(self.n)[index]]
        return self.base[range(self.n)[index]]

    def __repr__(self) -> str:
        return f"iteratetask({self.base!r}, {self.n})"


def _get_check(result: Any, i: int, n: int) -> Any:
    """Return item ``i`` of a result that must have ``n``."""
    if len(result) != n:
        raise TaskError(
            f"A function under return_tuple({n}) must return {n} items; it returned "
            f"{len(result)}. Correct the number, or what the function returns."
        )
    return result[i]


def return_tuple(n: int) -> Callable[[Callable[..., Task]], Callable[..., tuple[Tasklet, ...]]]:
    """``@return_tuple(2)`` above ``@TaskGenerator``: a call gives a tuple of two tasklets.

    Parameters
    ----------
    n : int
        How many items the function returns; checked when the parts are used.
    """

    def decorate(generator: Callable[..., Task]) -> Callable[..., tuple[Tasklet, ...]]:
        @wraps(generator)
        def call(*args: Any, **kwargs: Any) -> tuple[Tasklet, ...]:
            task = generator(*args, **kwargs)
            return tuple(Tasklet(task, partial(_get_check, i=i, n=n)) for i in range(n))

        return call

    return decorate


class NoLoad:
    """``f(NoLoad(task))``: the function gets this wrapper, not the result of the task.

    The task stays a dependency. ``.base`` is the task, whose value can be had with
    ``taskgraph.value``, one at a time.

    Parameters
    ----------
    base : Task or Tasklet
        What not to load.
    """

    __slots__ = ("base", "tasks")

    def __init__(self, base: Task | Tasklet) -> None:
        if not isinstance(base, Task | Tasklet):
            raise TaskError(f"NoLoad wraps a task or a part of one; got {base!r}.")
        self.base = base
        self.tasks: list[Task] = roots([base])

    def value(self, value_of: Callable[[Any], Any]) -> NoLoad:
        """Return the wrapper itself: nothing is loaded."""
        return self

    def __repr__(self) -> str:
        return f"NoLoad({self.base!r})"


def _encode_noload(wrapper: NoLoad, walk: Walk) -> NoLoad:
    base = wrapper.base
    inner = b"K" + base.key if isinstance(base, Task) else base.encoding
    walk.out.append(b"kN" + inner)
    walk.deps.append(wrapper)
    return wrapper


register_dependency(NoLoad, _encode_noload)
