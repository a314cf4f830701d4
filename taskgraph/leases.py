"""The leases that one worker holds at the moment: keys one by one, or whole buckets.

Nodes flow in, and out come those that may be run now. Every claim reads the epoch
anew, before any input is loaded; records made afterwards carry it.
"""

from __future__ import annotations

from collections.abc import Sequence

from taskgraph.scheduler import READY, Scheduler
from taskgraph.store import Claim, Store

#: A claim names one more node than it needs for each other worker, up to so many; after a
#: refusal twice as many as before, up to the second number.
SPARES, MOST_SPARES = 8, 64


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
        self._spares = 0  #: how many more nodes to name than are needed

    def __bool__(self) -> bool:
        return bool(self._claims)

    def take(
        self, nodes: Sequence[int], coarse: bool, others: int = 0
    ) -> tuple[list[int], list[int]]:
        """Claim nodes; return (got, busy): held now, and held by another worker.

        Where ``others`` are at work most of what one asks for may be gone. So more nodes are
        named than are needed, and as many as were given are taken of all these: they may be
        other ones. That is one question instead of many.
        """
        wish = min(MOST_SPARES, max(self._spares, min(SPARES, others)))
        spare = [] if coarse else self._scheduler.spare(nodes, wish)
        got, busy = self._claim(nodes, coarse, spare)
        if spare:
            self._scheduler.put({*nodes, *spare}.difference(got, busy), READY)
        self._spares = 2 * wish if busy else self._spares // 2
        return got, busy

    def _claim(
        self, nodes: Sequence[int], coarse: bool, spare: Sequence[int]
    ) -> tuple[list[int], list[int]]:
        key_of = self._scheduler.graph.key
        coarse = coarse and self._store.coarse_bits == 8
        wanted = {key_of(node): node for node in (*nodes, *spare)}
        most = len(nodes) if spare else None
        claim = self._store.claim(self.worker, list(wanted), coarse=coarse, most=most)
        self._claims.append(claim)
        self.epoch = max(self.epoch, claim.epoch)
        if len(claim.keys) == len(wanted):
            got, busy = list(wanted.values()), []
        else:
            got = [wanted[key] for key in claim.keys]
            busy = [wanted[key] for key in claim.busy]
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
