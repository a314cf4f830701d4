"""Carries the results of a jug directory over into a store: nobody recomputes them.

A session (jugfile read, store open) and a jug directory flow in; results under our keys
flow into the store, and a report of what was left behind, with the reason, flows out.
jug's directory is only read.

What is refused
    * Two tasks of the jugfile with one hash in jug (its containers are hashed without
      their ends): one of them got the other's result, nobody knows which. Whatever
      depends on one of the two is refused with them.
    * Files that are damaged, and empty ones of functions that return something: jug
      writes nothing for ``None``, and nothing is also what is left of a lost file.
    * What was invalidated in the store: an import never brings back a killed value.
      Imported records carry epoch 0, so that this holds in every order of events.

What can't be noticed: that a function changed since jug ran it, and a collision with a
task that is no longer in the jugfile.

Tasks are taken in topological order; a record names the copies of its inputs as jug
had them. A barrier is passed when all before it could be imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from taskgraph import codecs
from taskgraph.compat.import_report import ImportReport, Refused
from taskgraph.compat.jug_hash import JugHasher
from taskgraph.compat.jug_store import Found, JugStore
from taskgraph.compat.returns import returns_nothing
from taskgraph.compose import record_extra
from taskgraph.errors import CodecError, HashError, ResultCorrupt
from taskgraph.ops.context import jugfile_label, visitor
from taskgraph.session import Session
from taskgraph.store import DIGEST_SIZE, RESULT, Origin, Record, payload_size
from taskgraph.task import Task

#: What is published together: at most so many records, or so many bytes.
BATCH_RECORDS, BATCH_BYTES = 1000, 64 << 20

Progress = Callable[[int, int], None]


def import_jug(
    session: Session,
    jugdir: str | Path,
    progress: Progress | None = None,
    *,
    accept_empty: bool = False,
) -> ImportReport:
    """``report = import_jug(session, "primes.jugdata")``: copy jug's results into the store.

    Parameters
    ----------
    session : Session
        The jugfile, read; its store takes the results.
    jugdir : str or Path
        The directory of jug's file store.
    progress : callable, optional
        Told how many tasks are done, and of how many.
    accept_empty : bool
        Take empty files for ``None`` where the function might return something else.

    Returns
    -------
    ImportReport

    Raises
    ------
    UsageError, StoreForeign
        ``jugdir`` is no jug directory.
    """
    work = _Import(session, JugStore(Path(jugdir)), progress, accept_empty)
    before = -1
    while work.report.copied > before:
        before = work.report.copied
        work.pass_over()
        if session.stopped and session.jugfile is not None:
            from taskgraph.jugfile import read_jugfile

            session.module = read_jugfile(session.jugfile, session, sys.argv[1:])
    work.report.stopped = session.stopped
    return work.finish()


class _Import:
    """The state of one import."""

    def __init__(
        self, session: Session, jug: JugStore, progress: Progress | None, accept_empty: bool
    ) -> None:
        self.session, self.jug, self.progress = session, jug, progress
        self.accept_empty = accept_empty
        self.report = ImportReport()
        self.hasher = JugHasher()
        self.names: list[bytes | None] = []  # jug's hash of each node
        self.digests: dict[int, bytes] = {}  # of jug's copy
        self.refused: dict[int, Refused] = {}
        self.copied: set[int] = set()
        self.pending: list[Record] = []
        self.held = 0  # bytes pending
        self.worker = ""
        self.label_of_jugfile = jugfile_label(session.jugfile, session.store.url)

    # -- one look at the graph ------------------------------------------------------
    def pass_over(self) -> None:
        """Import what the graph holds now; publish it."""
        session = self.session
        session.look()
        self.name_nodes()
        self.refuse_collisions()
        floors = session.floors()
        present = session.present()
        total = len(session.graph)
        with visitor(session.store) as self.worker:
            for node in range(total):
                if not present[node] and node not in self.refused:
                    self.take(node, floors[node] if floors else 0)
                if self.progress is not None and node % 100 == 99:
                    self.progress(node + 1, total)
            self.publish()
        if self.progress is not None:
            self.progress(total, total)

    def name_nodes(self) -> None:
        """Compute jug's hash of each new node."""
        for task in self.session.graph.tasks[len(self.names) :]:
            try:
                self.names.append(self.hasher.task(task))
            except HashError:
                self.names.append(None)

    def refuse_collisions(self) -> None:
        """Refuse tasks that share a hash in jug, and all that depends on one of them."""
        nodes_of: dict[bytes, list[int]] = {}
        for node, name in enumerate(self.names):
            if name is not None and name in self.jug:
                nodes_of.setdefault(name, []).append(node)
        shared = [twins for twins in nodes_of.values() if len(twins) > 1]
        for twins in shared:
            for node in twins:
                others = ", ".join(self.label(twin) for twin in twins[:4] if twin != node)
                self.refuse(node, f"shares its hash in jug with another task ({others})")
        nodes = [node for twins in shared for node in twins]
        self.refuse_below(nodes, "depends on a task that shares its hash in jug")

    def refuse_below(self, nodes: Sequence[int], reason: str) -> None:
        """Refuse all results that jug may have computed from those of ``nodes``."""
        if nodes:
            below = self.session.graph.downstream(nodes)
            for node, reached in enumerate(below):
                name = self.names[node]
                if reached and name is not None and name in self.jug:
                    self.refuse(node, reason)

    def refuse(self, node: int, reason: str) -> None:
        name = (self.names[node] or b"").decode()
        self.refused.setdefault(node, Refused(self.label(node), name, reason))

    def label(self, node: int) -> str:
        task = self.session.graph.tasks[node]
        return f"{task.name} {task.key[:6].hex()}"

    # -- one task -------------------------------------------------------------------
    def take(self, node: int, floor: int) -> None:
        """Make the record of a node's result in jug, if there is one to trust."""
        name = self.names[node]
        if name is None or name not in self.jug:
            return
        if floor > 0:
            self.refuse(node, "was invalidated here, or something that it is computed from")
            return
        task = self.session.graph.tasks[node]
        try:
            found = self.jug.load(name)
            payload, digest = codecs.encode(found.value)
        except (ResultCorrupt, CodecError) as error:
            self.refuse(node, str(error))
            return
        if found.empty and not self.accept_empty and not returns_nothing(task.f):
            self.refuse(
                node,
                "its file in jug is empty: None, or a file that was cut off "
                "(--accept-empty takes it for None)",
            )
            return
        self.digests[node] = digest
        self.pending.append(self.record(node, task, found, payload, digest))
        self.copied.add(node)
        size = payload_size(payload)
        self.report.bytes += size
        self.held += size
        if len(self.pending) >= BATCH_RECORDS or self.held >= BATCH_BYTES:
            self.publish()

    def record(self, node: int, task: Task, found: Found, payload: Any, digest: bytes) -> Record:
        """Return the record of a value of jug's."""
        session = self.session
        came_from = ("imported", f"jug {(self.names[node] or b'').decode()}")
        origin = Origin(
            function=task.name,
            jugfile=self.label_of_jugfile,
            worker=self.worker,
            extra=(came_from, *record_extra(task, session.graph)),
        )
        inputs = b"".join(
            session.graph.tasks[source].key[:8] + self.digest_of(source)
            for source in session.graph.dependencies(node)
        )
        return Record(
            key=task.key,
            kind=RESULT,
            epoch=0,
            digest=digest,
            inputs=inputs,
            origin=origin,
            started=found.modified,
            seconds=0.0,
            cpu=0.0,
            peak=0,
            attempt=1,
            payload=payload,
        )

    def digest_of(self, node: int) -> bytes:
        """Return the digest of jug's copy of a result, zeros where there is none."""
        known = self.digests.get(node)
        if known is None:
            name = self.names[node]
            known = bytes(DIGEST_SIZE)
            if name is not None and name in self.jug:
                try:
                    known = codecs.encode(self.jug.load(name).value)[1]
                except (ResultCorrupt, CodecError):
                    known = bytes(DIGEST_SIZE)
            self.digests[node] = known
        return known

    def publish(self) -> None:
        """Publish what is pending."""
        if self.pending:
            self.session.store.publish(self.worker, self.pending)
            self.session.store.beat(self.worker)
            self.report.copied += len(self.pending)
            self.pending, self.held = [], 0

    def finish(self) -> ImportReport:
        """Count, and return the report."""
        report, tasks = self.report, self.session.graph.tasks
        self.name_nodes()
        report.refused = [self.refused[node] for node in sorted(self.refused)]
        named = {name for name in self.names if name is not None}
        for node, there in enumerate(self.session.present()):
            name = self.names[node]
            if there:
                report.already += node not in self.copied
            elif name is None:
                report.unhashable.append(repr(tasks[node]))
            elif name not in self.jug:
                report.missing += 1
        report.unused = sum(name not in named for name in self.jug.all_names())
        return report
