"""The state of every task of a session, in bulk: one byte a node.

A session flows in, a ``bytearray`` in node order flows out. The common case, all done,
is two calls and no loop; otherwise one pass over the edges, because nodes are numbered
in topological order. No clock is read here.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable

from taskgraph.ops.attempts import failed
from taskgraph.session import Session
from taskgraph.store import WorkerInfo

WAITING, READY, RUNNING, DONE, FAILED, BLOCKED = range(6)

#: The words for the numbers.
STATES = ("waiting", "ready", "running", "done", "failed", "blocked")

_PRESENT_TO_STATE = bytes([WAITING, DONE]) + bytes(254)


def states(session: Session, workers: Iterable[WorkerInfo] | None = None) -> bytearray:
    """Return the state of each node, as far as the last look at the store tells.

    Parameters
    ----------
    session : Session
        A jugfile that has been read.
    workers : iterable of WorkerInfo, optional
        Who may hold leases; asked of the store where not given.
    """
    present = session.present()
    out = present.translate(_PRESENT_TO_STATE)
    if 0 not in present:
        return out
    return settle(session, out, failed(session, present), workers)


def settle(
    session: Session,
    out: bytearray,
    failures: Collection[int],
    workers: Iterable[WorkerInfo] | None = None,
) -> bytearray:
    """Work out all states in place from DONE, WAITING and the failed nodes."""
    for node in failures:
        out[node] = FAILED
    ends, edges = session.graph.edges()
    _spread(out, ends, edges)
    infos = session.store.workers() if workers is None else workers
    _mark_running(session, out, [info for info in infos if info.alive])
    return out


def _spread(out: bytearray, ends: array[int], edges: array[int]) -> None:
    """Tell ready, waiting and blocked apart, dependencies before dependents."""
    start = 0
    for node, end in enumerate(ends):
        if out[node] == WAITING:
            state = READY
            for place in range(start, end):
                source = out[edges[place]]
                if source >= FAILED:
                    state = BLOCKED
                    break
                if source != DONE:
                    state = WAITING
            out[node] = state
        start = end


def _mark_running(session: Session, out: bytearray, workers: list[WorkerInfo]) -> None:
    """Mark what live workers hold: single keys, and of whole buckets what is ready.

    A worker may hold a key one by one that still waits for another one of its batch.
    """
    index = session.graph.index
    for worker in workers:
        for key in worker.keys:
            node = index.get(key)
            if node is not None and out[node] in (WAITING, READY):
                out[node] = RUNNING
    buckets = {bucket for worker in workers for bucket in worker.buckets}
    if buckets:
        for node, key in enumerate(index.keys()):
            if out[node] == READY and key[0] in buckets:
                out[node] = RUNNING
