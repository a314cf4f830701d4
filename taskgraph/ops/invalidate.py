"""``invalidate`` and ``retry``: forget results and all computed from them; forget failures.

Nodes flow in, one tombstone in the store flows out. It names only the *roots*: whoever
can name a task knows its ancestors, so readers work out the rest, also in another jugfile
or behind a barrier, and a computation that began before can't bring a result back.
There is no undo: :func:`plan` says what will go before anything is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from taskgraph.ops.attempts import attempts
from taskgraph.ops.stale import heads_of
from taskgraph.session import Session
from taskgraph.store import KILL_FAILURES, KILL_RESULTS


@dataclass(frozen=True, slots=True)
class PlanRow:
    """What goes of one function."""

    name: str
    results: int
    bytes: int
    seconds: float  #: it took to compute them


@dataclass(frozen=True, slots=True)
class Plan:
    """What an invalidate removes.

    Attributes
    ----------
    roots : tuple of int
        What the tombstone names: the chosen nodes without those below another one.
    nodes : tuple of int
        All nodes, roots and dependents, that have a result now.
    rows : tuple of PlanRow
        The same per function.
    epoch : int
        Number of the tombstone; 0 while it is only a plan, or nothing was chosen.
    """

    roots: tuple[int, ...]
    nodes: tuple[int, ...]
    rows: tuple[PlanRow, ...]
    epoch: int = 0

    @property
    def results(self) -> int:
        """How many results go."""
        return len(self.nodes)

    @property
    def bytes(self) -> int:
        """How many bytes of payload go."""
        return sum(row.bytes for row in self.rows)

    @property
    def seconds(self) -> float:
        """How long it took to compute what goes."""
        return sum(row.seconds for row in self.rows)


def plan(session: Session, nodes: Iterable[int]) -> Plan:
    """``loss = plan(session, nodes)``: find what an invalidate of these would remove."""
    session.look()
    chosen = sorted(set(nodes))
    reached = session.graph.downstream(chosen)
    there = session.present()
    affected = [node for node, hit in enumerate(reached) if hit and there[node]]
    return Plan(
        roots=tuple(_roots(session, chosen, reached)),
        nodes=tuple(affected),
        rows=_rows(session, affected),
    )


def invalidate(session: Session, nodes: Iterable[int]) -> Plan:
    """``done = invalidate(session, nodes)``: remove results and all computed from them.

    Roots without a result are named too: somebody may be computing them right now.
    """
    what = plan(session, nodes)
    if not what.roots:
        return what
    return replace(what, epoch=strike(session, what.roots, _note(session, what)))


def strike(session: Session, roots: Sequence[int], note: str) -> int:
    """Write the tombstone over these nodes without a look at what goes; return its number."""
    key = session.graph.key
    if died := _died_at(session):  # else nothing is sought below a root of a million tasks
        reached = session.graph.downstream(roots)
        _forgive(session, [worker for worker, node in died.items() if reached[node]])
    return session.store.invalidate([key(node) for node in roots], KILL_RESULTS, note)


def retry(session: Session, nodes: Iterable[int]) -> int:
    """``count = retry(session, nodes)``: forget the failures of these nodes.

    Returns
    -------
    int
        How many tasks had live failures and are tried again.
    """
    session.look()
    wanted = set(nodes)
    tried = attempts(session, session.present())
    chosen = sorted(wanted & set(tried))
    if chosen:
        _forgive(session, [worker for worker, node in _died_at(session).items() if node in wanted])
        tasks = session.graph.tasks
        session.store.invalidate([tasks[node].key for node in chosen], KILL_FAILURES, "retry")
    return len(chosen)


def _died_at(session: Session) -> dict[str, int]:
    """Return the node that each dead worker ran last, as far as the graph has it."""
    index = session.graph.index
    return {
        info.worker: index[info.running]
        for info in session.store.workers()
        if not info.alive and info.running in index
    }


def _forgive(session: Session, dead: Iterable[str]) -> None:
    """Take from the records of dead workers what they ran.

    Else the next worker that finds such a record counts the same death once more, under
    the new epoch: three old ones, and a task fails again without having run.
    """
    for worker in dead:
        session.store.running(worker, b"")


def _roots(session: Session, chosen: Sequence[int], reached: bytearray) -> list[int]:
    """Drop the chosen nodes that depend on another one: its floor covers them."""
    dependencies = session.graph.dependencies
    return [node for node in chosen if not any(reached[source] for source in dependencies(node))]


def _rows(session: Session, nodes: Sequence[int]) -> tuple[PlanRow, ...]:
    tasks = session.graph.tasks
    sums: dict[str, list[float]] = {}
    for node, head in heads_of(session, nodes):
        row = sums.setdefault(tasks[node].shape.name, [0, 0, 0.0])
        row[0] += 1
        row[1] += head.size
        row[2] += head.seconds
    return tuple(PlanRow(name, int(n), int(size), time) for name, (n, size, time) in sums.items())


def _note(session: Session, what: Plan) -> str:
    names = list(dict.fromkeys(session.graph.name(node) for node in what.roots[:1000]))
    return "invalidate " + ", ".join(names[:5])
