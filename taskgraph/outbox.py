"""Records on their way from a worker to the store: gathered, then committed as a group.

A record waits at most :data:`PATIENCE` seconds for company; one commit costs one or two
syncs, however many records it carries. A store that is full or away is tried again for
a while with growing pauses, so that no finished work is lost to a passing trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from taskgraph.errors import StoreError, StoreFull, StoreUnreachable
from taskgraph.store import Record, Store

#: Seconds a result may wait for company.
PATIENCE = 0.1
#: The same at most, where the workers are more than so many.
MOST_PATIENCE, CROWD = 0.5, 20
#: Bytes of results that may wait.
MOST_BYTES = 32 << 20
#: First and longest pause between two tries, in seconds.
SHORTEST, LONGEST = 0.2, 10.0

Answer = TypeVar("Answer")


class Patience:
    """How long a worker bears with a store that is full or away: one account for all calls.

    Parameters
    ----------
    clock, sleep
        Monotonic seconds; sleeping.
    say : callable
        Told, once per trouble, what is waited for.
    limit : float
        Seconds after which trouble is final.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        say: Callable[[str], None],
        limit: float,
    ) -> None:
        self._clock, self._sleep, self._say, self._limit = clock, sleep, say, limit
        self._since: float | None = None
        self._pause = SHORTEST

    def bear(self, error: StoreError, what: str) -> None:
        """Wait before another try; raise ``error`` when it has lasted too long."""
        now = self._clock()
        if self._since is None:
            self._since, self._pause = now, SHORTEST
            self._say(f"{what}: {error} Trying again for {self._limit:.0f} s.")
        if now + self._pause - self._since > self._limit:
            raise error
        self._sleep(self._pause)
        self._pause = min(self._pause * 2, LONGEST)

    def relieve(self) -> None:
        """Take note that the store did what it was asked to."""
        self._since = None

    def insist(self, call: Callable[[], Answer], what: str) -> Answer:
        """Return what a call returns; the store may be full or away at first."""
        while True:
            try:
                answer = call()
            except (StoreFull, StoreUnreachable) as error:
                self.bear(error, what)
            else:
                self.relieve()
                return answer


class Outbox:
    """Pending records of one worker.

    Parameters
    ----------
    store, worker
        Where to publish, and as whom.
    patience : Patience
        How long a store may be full or away.
    """

    def __init__(self, store: Store, worker: str, patience: Patience) -> None:
        self._store = store
        self._patience = patience
        self.worker = worker
        self.records: list[Record] = []
        self.size = 0
        self.due = float("inf")  #: when the oldest record should be committed
        self.hold = PATIENCE  #: how long a record waits for company

    def among(self, workers: int) -> None:
        """Take note how many workers there are: each of them reads every commit.

        From :data:`CROWD` workers on commits become rarer, so that all of them together
        don't grow with the square of their number.
        """
        self.hold = min(MOST_PATIENCE, PATIENCE * max(1.0, workers / CROWD))

    def add(self, record: Record, size: int, now: float) -> None:
        """Take in a record of so many bytes."""
        if not self.records:
            self.due = now + self.hold
        self.records.append(record)
        self.size += size

    def full(self, now: float) -> bool:
        """Tell whether it is time to commit."""
        return now >= self.due or self.size > MOST_BYTES

    def flush(self) -> Sequence[Record]:
        """Publish everything; return what was published.

        Raises
        ------
        StoreError
            If the store stays full or away for longer than the limit. The records stay.
        """
        records = self.records
        if records:
            self._publish(records)
        self.records, self.size, self.due = [], 0, float("inf")
        return records

    def _publish(self, records: Sequence[Record]) -> None:
        number = "1 result" if len(records) == 1 else f"{len(records)} results"
        self._patience.insist(
            lambda: self._store.publish(self.worker, records), f"{number} can't be stored yet"
        )
