"""``stale``: results whose function's code has changed since they were made.

A session flows in, functions with counts and reasons flow out. Nothing is recomputed
here: a stale result stays good until someone invalidates it, or blesses it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from taskgraph.ops import code
from taskgraph.ops.context import CHUNK
from taskgraph.session import Session
from taskgraph.store import Head


@dataclass(frozen=True, slots=True)
class StaleFunction:
    """One function whose results were made by other code."""

    name: str
    results: int
    new: str  #: fingerprint of the present code
    old: tuple[str, ...]  #: fingerprints of the stale results
    reasons: tuple[str, ...]  #: what changed, as far as it is known


@dataclass(frozen=True, slots=True)
class Stale:
    """All functions with stale results, in the order of the jugfile."""

    functions: tuple[StaleFunction, ...]
    accepted: bool = False  #: they have just been blessed

    @property
    def results(self) -> int:
        """How many results are stale."""
        return sum(function.results for function in self.functions)


class Judge:
    """``judge.stale(name, head)``: whether other code than the present made a result."""

    def __init__(self, session: Session) -> None:
        self.present = code.fingerprints(session)
        self._good = {
            name: {old for old, new in pairs if new == self.present.get(name)}
            for name, pairs in code.accepted(session.store).items()
        }

    def stale(self, name: str, head: Head) -> bool:
        """Return True unless the code is the same, blessed or unknown."""
        made = head.origin.fingerprint
        now = self.present.get(name, "")
        return bool(made and now and made != now and made not in self._good.get(name, ()))


def heads_of(session: Session, nodes: Sequence[int]) -> Iterator[tuple[int, Head]]:
    """Give the heads of the nodes that have a live result, some thousands at a time."""
    tasks = session.graph.tasks
    floors = session.floors()
    for start in range(0, len(nodes), CHUNK):
        part = nodes[start : start + CHUNK]
        own = None if floors is None else [floors[node] for node in part]
        heads = session.store.heads([tasks[node].key for node in part], own)
        for node, head in zip(part, heads, strict=True):
            if head is not None:
                yield node, head


def stale_heads(session: Session, nodes: Sequence[int] | None = None) -> list[tuple[int, Head]]:
    """Return the stale results among these nodes (default: all), exactly."""
    judge = Judge(session)
    if not any(judge.present.values()):
        return []
    tasks = session.graph.tasks
    everything = range(len(tasks)) if nodes is None else nodes
    return [
        (node, head)
        for node, head in heads_of(session, everything)
        if judge.stale(tasks[node].shape.name, head)
    ]


def stale(session: Session, nodes: Sequence[int] | None = None, *, accept: bool = False) -> Stale:
    """``found = stale(session)``: functions whose code changed since their results were made.

    Parameters
    ----------
    session : Session
        A jugfile that has been read.
    nodes : sequence of int, optional
        Look only at these.
    accept : bool
        Bless what was found: its results count as made by the present code.
    """
    session.look()
    made: dict[str, Counter[str]] = {}
    for node, head in stale_heads(session, nodes):
        made.setdefault(session.graph.name(node), Counter())[head.origin.fingerprint] += 1
    present = code.fingerprints(session, set(made))
    functions = tuple(
        StaleFunction(
            name=name,
            results=counts.total(),
            new=present[name],
            old=tuple(counts),
            reasons=tuple(_reasons(session, name, counts)),
        )
        for name, counts in made.items()
    )
    if accept and functions:
        code.accept(session.store, _pairs(functions))
    return Stale(functions, accepted=accept)


def _pairs(functions: Iterable[StaleFunction]) -> Iterator[tuple[str, str, str]]:
    for function in functions:
        for old in function.old:
            yield function.name, old, function.new


def _reasons(session: Session, name: str, made: Iterable[str]) -> Iterator[str]:
    """Say what differs from each code that made results, once each."""
    from taskgraph.fingerprint import explain

    now = code.code_parts(session, name)
    said: set[str] = set()
    for old in made:
        before = code.remembered_parts(session.store, old)
        said_of_old = f"made by other code ({old[:12]})"
        texts = [said_of_old] if before is None else explain(before, now)
        for text in texts:
            if text not in said:
                said.add(text)
                yield text
