"""Records on their way from a worker to the store: gathered, then committed as a group.

A record waits at most :data:`PATIENCE` seconds for company; one commit costs one or two
syncs, however many records it carries. A store that is full or away is tried again for
a while with growing pauses, so that no finished work is lost to a passing trouble.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from taskgraph.errors import StoreFull, StoreUnreachable
from taskgraph.store import Record, Store

#: Seconds a result may wait for company.
PATIENCE = 0.1
#: Bytes of results that may wait.
MOST_BYTES = 32 << 20


class Outbox:
    """Pending records of one worker.

    Parameters
    ----------
    store, worker
        Where to publish, and as whom.
    clock, sleep
        Monotonic seconds; sleeping.
    say : callable
        Told, once per trouble, what the outbox waits for.
    limit : float
        Seconds after which trouble with the store is final.
    """

    def __init__(
        self,
        store: Store,
        worker: str,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        say: Callable[[str], None],
        limit: float = 120.0,
    ) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._sleep = sleep
        self._say = say
        self._limit = limit
        self.records: list[Record] = []
        self.size = 0
        self.due = float("inf")  #: when the oldest record should be committed

    def add(self, record: Record, size: int, now: float) -> None:
        """Take in a record of so many bytes."""
        if not self.records:
            self.due = now + PATIENCE
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
            If the store stays full or away for longer than the limit.
        """
        records, self.records = self.records, []
        self.size, self.due = 0, float("inf")
        if records:
            self._publish(records)
        return records

    def _publish(self, records: Sequence[Record]) -> None:
        began, pause = self._clock(), 0.2
        while True:
            try:
                self._store.publish(self._worker, records)
                return
            except (StoreFull, StoreUnreachable) as error:
                waited = self._clock() - began
                if waited + pause > self._limit:
                    raise
                if waited < 0.1:
                    self._say(
                        f"{len(records)} results can't be stored: {error} Trying again for "
                        f"{self._limit:.0f} s; nothing is lost until then."
                    )
                self._sleep(pause)
                pause = min(pause * 2, 10.0)
