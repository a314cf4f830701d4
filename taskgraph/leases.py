"""The leases that one worker holds at the moment: keys one by one, or whole buckets.

Nodes flow in, and out come those that may be run now. Every claim reads the epoch
anew, before any input is loaded; records made afterwards carry it.
"""

from __future__ import annotations

from collections.abc import Sequence

from taskgraph.scheduler import Scheduler
from taskgraph.store import Claim, Store


class Leases:
    """What ``worker`` holds in ``store``."""

    def __init__(self, store: Store, worker: str, scheduler: Scheduler) -> None:
        self._store = store
        self.worker = worker
        self._scheduler = scheduler
        self._claims: list[Claim] = []
        self.held = bytearray(256)  #: 1 for each bucket that is held
        self.epoch = 0
        self.coarse = False  #: some whole bucket is held

    def __bool__(self) -> bool:
        return bool(self._claims)

    def take(self, nodes: Sequence[int], coarse: bool) -> tuple[list[int], list[int]]:
        """Claim nodes; return (got, busy): held now, and held by another worker."""
        key_of = self._scheduler.graph.key
        coarse = coarse and self._store.coarse_bits == 8
        wanted = {key_of(node): node for node in nodes}
        claim = self._store.claim(self.worker, list(wanted), coarse=coarse)
        self._claims.append(claim)
        self.epoch = max(self.epoch, claim.epoch)
        if len(claim.keys) == len(wanted):
            got, busy = list(nodes), []
        else:
            got = [wanted[key] for key in claim.keys]
            mine = set(got)
            busy = [node for node in nodes if node not in mine]
        if coarse and claim.keys:
            self.coarse = True
            for key in claim.keys:
                self.held[key[0]] = 1
        return got, busy

    def release(self) -> None:
        """Free everything; a claim that could not be freed is still there to be freed later."""
        if self.coarse:
            self.coarse = False
            self.held = bytearray(256)
        while self._claims:
            self._store.release(self.worker, self._claims[-1])
            self._claims.pop()

    def forget(self, worker: str) -> None:
        """Begin anew as another worker: the locks of the one before are no longer held."""
        self._claims.clear()
        self.coarse, self.held, self.worker = False, bytearray(256), worker
