"""A bench for the verbs: a session over a memory store, and workers without processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from backends.memory_store import MemoryStore
from taskgraph import codecs
from taskgraph.failures import FailureReport
from taskgraph.session import Session
from taskgraph.store import DEATH, FAILURE, RESULT, Identity, Origin, Record
from taskgraph.task import Task


class Bench:
    """One store and one session; makes records as a worker would."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.store = MemoryStore(clock=lambda: self.now)
        self.session = Session(self.store)
        self.attempts = 0

    def worker(self, host: str = "here") -> str:
        """Let a worker enter."""
        return self.store.enter(Identity(host=host, boot="b", pid=7, birth="1"))

    def node(self, task: Task) -> int:
        return self.session.graph.node(task)

    def record(self, task: Task, kind: int = RESULT, **changes: Any) -> Record:
        """Return a record of a task; its value is 0 unless a payload is given."""
        payload, digest = codecs.encode(0)
        origin = Origin(function=task.shape.name, worker=changes.pop("worker", "w"))
        for name in ("fingerprint", "jugfile", "extra", "host"):
            if name in changes:
                origin = Origin(
                    **{
                        field: changes.pop(name) if field == name else getattr(origin, field)
                        for field in Origin.__slots__
                    }
                )
        record = Record(
            key=task.key,
            kind=kind,
            epoch=self.store.tombstones().epoch,
            digest=digest,
            inputs=b"",
            origin=origin,
            started=100.0,
            seconds=2.0,
            cpu=1.0,
            peak=0,
            attempt=1,
            payload=payload,
        )
        return record._replace(**changes)

    def publish(self, tasks: Iterable[Task], **changes: Any) -> None:
        """Give tasks the result 0."""
        self.store.publish("w", [self.record(task, **changes) for task in tasks])

    def execute(self, nodes: Iterable[int] | None = None, **changes: Any) -> dict[bytes, Any]:
        """Really run tasks, in order, with their inputs recorded."""
        graph = self.session.graph
        values: dict[bytes, Any] = {}
        digests: dict[bytes, bytes] = {}

        def value_of(dependency: Any) -> Any:
            if isinstance(dependency, Task):
                return values[dependency.key]
            return dependency.value(value_of)

        for node in range(len(graph)) if nodes is None else nodes:
            task = graph.tasks[node]
            values[task.key] = task.call(value_of)
            payload, digest = codecs.encode(values[task.key])
            digests[task.key] = digest
            keys = [graph.tasks[source].key for source in graph.dependencies(node)]
            inputs = b"".join(key[:8] + digests[key] for key in keys)
            self.store.publish(
                "w",
                [self.record(task, payload=payload, digest=digest, inputs=inputs, **dict(changes))],
            )
        return values

    def fail(self, task: Task, kind: int = FAILURE, worker: str = "w", **report: Any) -> None:
        """Give a task a failure record."""
        self.attempts += 1
        told = FailureReport(**{"exception": "ValueError", "message": "no", **report})
        self.store.publish(
            "w",
            [
                self.record(
                    task, kind, worker=worker, attempt=self.attempts, payload=told.to_bytes()
                )
            ],
        )

    def die(self, task: Task, worker: str) -> None:
        """Give a task a death record."""
        self.store.publish("w", [self.record(task, DEATH, worker=worker, payload=b"")])


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture(scope="session")
def benches() -> type[Bench]:
    """Return what makes a bench, for tests that need a new one for each example."""
    return Bench
