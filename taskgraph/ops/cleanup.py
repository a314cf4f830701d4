"""``cleanup``: remove the results that the jugfile no longer makes.

A session flows in, what was removed flows out. Only results that name this jugfile as
their origin go, unless everything else is asked for: a store may serve several jugfiles.
Locks are nobody's business here, so a live worker loses none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from taskgraph.errors import UsageError
from taskgraph.ops.context import CHUNK, jugfile_label
from taskgraph.session import ANCESTORS, Session
from taskgraph.store import Head


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went, or would go."""

    results: int
    bytes: int
    functions: tuple[tuple[str, int], ...]  #: (name, results) by the records' origin
    others: int  #: results of other jugfiles that stay
    dry_run: bool


def cleanup(session: Session, *, everything: bool = False, dry_run: bool = False) -> Cleaned:
    """``gone = cleanup(session)``: remove results that are no longer in the jugfile.

    Parameters
    ----------
    session : Session
        A jugfile that has been read to its end.
    everything : bool
        Also results of other jugfiles.
    dry_run : bool
        Remove nothing.

    Raises
    ------
    UsageError
        If reading stopped at a barrier: what comes behind it is not known.
    """
    if session.stopped:
        raise UsageError(
            "cleanup must know all tasks, and reading stopped at a barrier that is not met. Run "
            f"`taskgraph execute` to the end first; got {len(session.graph)} tasks so far."
        )
    session.look()
    wanted = None if everything else jugfile_label(session.jugfile, session.store.url)
    heads, others = _foreign(session, wanted)
    result = Cleaned(
        results=len(heads),
        bytes=sum(head.size for head in heads),
        functions=tuple(Counter(head.origin.function for head in heads).items()),
        others=others,
        dry_run=dry_run,
    )
    while heads and not dry_run:  # under the best copy of a key another one may appear
        session.store.forget(heads)
        keys = [head.key for head in heads]
        heads = [head for head in session.store.heads(keys) if head is not None]
    return result


def _foreign(session: Session, wanted: str | None) -> tuple[list[Head], int]:
    """Return the heads of results outside the graph, and how many are another jugfile's."""
    known = set(session.graph.index).union(_inner(session))
    stored = session.store.keys()
    keys = [key for key in stored if key not in known]
    heads = list(_heads(session, keys))
    own = [head for head in heads if wanted is None or head.origin.jugfile == wanted]
    return own, len(heads) - len(own)


def _heads(session: Session, keys: Sequence[bytes]) -> Iterator[Head]:
    for start in range(0, len(keys), CHUNK):
        for head in session.store.heads(keys[start : start + CHUNK]):
            if head is not None:
                yield head


def _inner(session: Session) -> Iterator[bytes]:
    """Give the keys of tasks inside compound tasks that were not opened this time."""
    keys = [session.graph.tasks[node].key for node in session.opaque]
    for head in _heads(session, keys):
        inner = dict(head.origin.extra).get(ANCESTORS, "")
        yield from map(bytes.fromhex, inner.split())
