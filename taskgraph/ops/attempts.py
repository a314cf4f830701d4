"""The live failure and death records of a session's tasks, and which tasks they settle.

A session flows in, records by node flow out. Asks only about keys that the store knows
to have failed at some time: the common case, no failures, is one call.
"""

from __future__ import annotations

from collections.abc import Sequence

from taskgraph.failures import failed_for_good
from taskgraph.ops.code import fingerprints
from taskgraph.session import Session
from taskgraph.store import Record


def attempts(session: Session, done: bytearray) -> dict[int, list[Record]]:
    """Return the live failures of each node that is not done, oldest first."""
    index = session.graph.index
    keys = [key for key in session.store.failed_keys() if key in index and not done[index[key]]]
    if not keys:
        return {}
    floors = session.floors()
    own = None if floors is None else [floors[index[key]] for key in keys]
    found = zip(keys, session.store.failures(keys, own), strict=True)
    return {index[key]: records for key, records in found if records}


def failed(session: Session, done: bytearray) -> dict[int, list[Record]]:
    """Return those of :func:`attempts` that are final, in node order."""
    tried = attempts(session, done)
    return {node: tried[node] for node in final_nodes(session, tried)}


def final_nodes(session: Session, tried: dict[int, list[Record]]) -> Sequence[int]:
    """Return the nodes whose records mean that they are not tried again."""
    if not tried:
        return []
    tasks = session.graph.tasks
    code = fingerprints(session, {tasks[node].shape.name for node in tried})
    return [
        node
        for node in sorted(tried)
        if failed_for_good(tried[node], tasks[node], code.get(tasks[node].shape.name))
    ]
