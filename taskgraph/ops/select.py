"""Which tasks a verb means: by name, pattern, argument, hash, failure, staleness, age.

A :class:`Selection` and a session flow in, nodes in order flow out. Filters of different
kinds must all agree; several names or hashes are alternatives. Functions are judged
once each, not once per task.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import Any

from taskgraph.errors import UnknownTask, UsageError
from taskgraph.ops.arguments import argument, parameters
from taskgraph.ops.attempts import failed
from taskgraph.ops.code import shapes
from taskgraph.ops.context import now
from taskgraph.ops.stale import heads_of, stale_heads
from taskgraph.session import Session

#: So many candidates are named in a message.
NAMED = 5


@dataclass(frozen=True, slots=True)
class Selection:
    """What a user asked for; nothing at all means every task.

    Attributes
    ----------
    names : sequence of str
        Full names or their dotted ends, with the wildcards ``*``, ``?`` and ``[...]``.
    pattern : str, optional
        A part of the name, or ``/a regular expression/``.
    where : sequence of str
        ``ARG=VALUE``: the argument's ``str`` or ``repr`` is VALUE.
    failed, stale : bool
        Only tasks that failed; only results of changed code.
    older_than : float, optional
        Only results that were begun longer ago, in seconds.
    hashes : sequence of str
        Beginnings of keys, in hexadecimal.
    """

    names: Sequence[str] = ()
    pattern: str | None = None
    where: Sequence[str] = ()
    failed: bool = False
    stale: bool = False
    older_than: float | None = None
    hashes: Sequence[str] = ()


def select(
    session: Session, selection: Selection, *, clock: Callable[[], float] = now
) -> list[int]:
    """``nodes = select(session, Selection(names=["segment"]))``: the tasks that are meant.

    Raises
    ------
    UnknownTask
        If a name, pattern, argument or hash fits no task, or a hash several; the message
        names what comes close. Finding nothing failed, stale or old is no error.
    """
    nodes = _by_function(session, selection)
    if selection.hashes:
        wanted = {find_hash(session, text) for text in selection.hashes}
        nodes = [node for node in nodes if node in wanted]
    for condition in selection.where:
        nodes = _where(session, nodes, condition)
    if selection.failed:
        broken = failed(session, session.present())
        nodes = [node for node in nodes if node in broken]
    if selection.stale:
        nodes = [node for node, _ in stale_heads(session, nodes)]
    if selection.older_than is not None:
        limit = clock() - selection.older_than
        nodes = [node for node, head in heads_of(session, nodes) if head.started < limit]
    return nodes


def find_task(session: Session, text: str) -> int:
    """Return the one task with this hash prefix, or of this function if it has just one.

    Raises
    ------
    UnknownTask
        If there is none, or more than one.
    """
    known = shapes(session)
    good = {name for name in known if matches(name, text)}
    if not good and _is_hash(text):
        return find_hash(session, text)
    if not good:
        raise _no_function(text, known)
    nodes = _of_functions(session, good)
    if len(nodes) > 1:
        raise UnknownTask(
            f"A task is named by its hash when its function has several: {text!r} means "
            f"{len(nodes)} tasks, the first are {_list(session, nodes)}."
        )
    return nodes[0]


def find_hash(session: Session, text: str) -> int:
    """Return the one task whose key begins with these hexadecimal digits."""
    prefix = text.lower()
    if not _is_hash(prefix):
        raise UnknownTask(
            f"A hash is written in the digits 0-9 and a-f, as `taskgraph show` does; got {text!r}."
        )
    start = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
    nodes = [
        node
        for node, key in enumerate(session.graph.index)
        if key.startswith(start) and key.hex().startswith(prefix)
    ]
    if not nodes:
        raise UnknownTask(
            f"No task of this jugfile has a hash that begins with {text!r}. Was it made with "
            "other arguments, or behind a barrier that is not met?"
        )
    if len(nodes) > 1:
        raise UnknownTask(
            f"A hash prefix must fit one task; give more digits: {text!r} fits {len(nodes)}, "
            f"the first are {_list(session, nodes)}."
        )
    return nodes[0]


def matches(name: str, wanted: str) -> bool:
    """Tell whether ``wanted`` is the name or its dotted end; wildcards are allowed."""
    return fnmatchcase(name, wanted) or fnmatchcase(name, "*." + wanted)


def _by_function(session: Session, selection: Selection) -> list[int]:
    """Return the nodes of the functions that names and pattern allow."""
    known = shapes(session)
    good = set(known)
    if selection.names:
        for wanted in selection.names:
            if not any(matches(name, wanted) for name in known):
                raise _no_function(wanted, known)
        good = {name for name in known if any(matches(name, w) for w in selection.names)}
    if selection.pattern is not None:
        fits = _matcher(selection.pattern)
        good = {name for name in good if fits(name)}
        if not good:
            raise _no_function(selection.pattern, known)
    return _of_functions(session, good)


def _of_functions(session: Session, names: set[str]) -> list[int]:
    tasks = session.graph.tasks
    if len(names) == len(shapes(session)):
        return list(range(len(tasks)))
    every = dict.fromkeys(map(attrgetter("shape"), tasks))
    good = {shape for shape in every if shape.name in names}
    return [node for node, task in enumerate(tasks) if task.shape in good]


def _matcher(pattern: str) -> Callable[[str], Any]:
    """Return the test of a substring, or of a /regular expression/."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        try:
            return re.compile(pattern[1:-1]).search
        except re.error as error:
            raise UsageError(
                f"What is between slashes is a regular expression: {error}; got {pattern!r}."
            ) from error
    return lambda name: pattern in name


def _where(session: Session, nodes: list[int], condition: str) -> list[int]:
    """Keep the nodes whose argument has the value."""
    name, equals, value = condition.partition("=")
    if not equals or not name:
        raise UsageError(f"A condition is written ARG=VALUE; got {condition!r}.")
    tasks = session.graph.tasks
    having = [node for node in nodes if name in parameters(tasks[node])]
    if not having:
        labels = {label for node in nodes for label in parameters(tasks[node])}
        raise UnknownTask(
            f"No selected function has a parameter {name!r}; they have {', '.join(sorted(labels))}."
        )
    kept = [node for node in having if value in _texts(argument(tasks[node], name))]
    if not kept:
        seen = dict.fromkeys(str(argument(tasks[node], name))[:60] for node in having[:1000])
        raise UnknownTask(
            f"No selected task has {name} = {value!r}; {name} is {_close(value, seen)}."
        )
    return kept


def _texts(value: Any) -> tuple[str, str]:
    return str(value), repr(value)


def _is_hash(text: str) -> bool:
    return bool(text) and all(digit in "0123456789abcdef" for digit in text.lower())


def _no_function(wanted: str, known: Iterable[str]) -> UnknownTask:
    return UnknownTask(
        f"No function of this jugfile answers to {wanted!r}; there is {_close(wanted, known)}."
    )


def _close(wanted: str, known: Iterable[str]) -> str:
    """Return the closest of the known words, else the first ones."""
    from difflib import get_close_matches

    words = list(known)
    short = {word.rpartition(".")[2]: word for word in words}
    near = [*get_close_matches(wanted, words, n=3), *get_close_matches(wanted, short, n=3)]
    chosen = list(dict.fromkeys(short.get(word, word) for word in near)) or words[:NAMED]
    return ", ".join(chosen) if chosen else "none: the jugfile makes no task"


def _list(session: Session, nodes: Sequence[int]) -> str:
    tasks = session.graph.tasks
    return ", ".join(f"{tasks[n].shape.name} {tasks[n].key[:8].hex()}" for n in nodes[:NAMED])
