"""The heartbeat of a worker in this process."""

from __future__ import annotations

from threading import Event

from taskgraph.errors import StoreUnreachable
from taskgraph.ops.desk import _beating


class Away:
    """Planted: a store that can't be reached, but for the third beat."""

    lease_seconds = 0.006

    def __init__(self) -> None:
        self.beats = 0
        self.heard = Event()

    def beat(self, worker: str) -> bool:
        self.beats += 1
        if self.beats != 3:
            raise StoreUnreachable("away")
        self.heard.set()
        return True


def test_a_beat_that_is_lost_is_followed_by_others():
    store = Away()
    with _beating(store, "me"):
        assert store.heard.wait(20.0)
