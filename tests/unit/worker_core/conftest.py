"""A worker in this process: memory store, a clock that moves when told, no sleeping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from backends.memory_store import MemoryStore
from taskgraph.board import Board
from taskgraph.capture import Capture
from taskgraph.failures import FailureReport
from taskgraph.orders import Orders
from taskgraph.origins import Origins
from taskgraph.scheduler import Scheduler
from taskgraph.session import Session
from taskgraph.store import Identity, Record, Store
from taskgraph.testing import FakeClock
from taskgraph.testing.records import make_key
from taskgraph.worker import Worker


class RestingStore(MemoryStore):
    """Waiting passes time instead of blocking; ``on_rest`` may do what others would."""

    on_rest: Callable[[], Any] = staticmethod(lambda: None)

    def wait(self, seconds: float) -> bool:
        """Let the time pass."""
        self._clock.advance(seconds)
        self.on_rest()
        return self._unread()


@dataclass
class Place:
    """A store, a graph and a clock; ``with place:`` records tasks, ``place.work()`` runs them."""

    clock: FakeClock
    store: RestingStore
    said: list[str] = field(default_factory=list)
    port: Store | None = None  #: what the worker is given instead of the store
    kind: type[Worker] = Worker

    def __post_init__(self) -> None:
        self.session = Session(self.store)

    def __enter__(self) -> Session:
        return self.session.__enter__()

    def __exit__(self, *exc: object) -> None:
        self.session.__exit__(*exc)

    def worker(self, *, host: str = "here", selected: Any = None, **options: Any) -> Worker:
        """Put a worker together; keywords are those of ``Worker`` and of ``Orders``."""
        self.session.store = self.store
        self.session.look()
        me = Identity(host, "boot", 1, "birth")
        name = self.store.enter(me)
        given = {key: options.pop(key) for key in ("board", "run_apart", "enter") if key in options}
        given.setdefault("board", Board(1, {}))
        given.setdefault("run_apart", None)
        graph = self.session.graph
        scheduler = Scheduler(graph, self.session.present(), selected)
        self.session.store = self.port or self.store
        origins = Origins(graph, self.session.store, name, me, Path(__file__), "jugfile.py")
        return self.kind(
            self.session, scheduler, name, slot=0, orders=Orders(**options), origins=origins,
            capture=Capture(), say=self.said.append, clock=self.clock, wall=self.clock,
            sleep=self.clock.sleep, **given,
        )  # fmt: skip

    def work(self, **options: Any) -> int:
        """Run a worker to its end; its exit code."""
        return self.worker(**options).run()

    def another(self, host: str = "elsewhere", boot: str = "boot") -> tuple[MemoryStore, str]:
        """Return (handle, id) of another worker's process."""
        handle = self.store.handle()
        return handle, handle.enter(Identity(host, boot, 2, "birth"))

    def records(self, task: Any) -> list[Record]:
        """Return a task's failure and death records."""
        return self.store.failures([task.key])[0]

    def reports(self, task: Any) -> list[FailureReport]:
        """Return what they say."""
        return [FailureReport.of(record) for record in self.records(task)]

    def values(self, tasks: Any) -> Any:
        """Return results."""
        return self.session.value(tasks)


@pytest.fixture
def place():
    """Return an empty place."""
    clock = FakeClock()
    return Place(clock, RestingStore(clock=clock))


__all__ = ["Place", "RestingStore", "make_key"]
