"""A worker moved by hand: the steps of the core's worker, over the port alone.

A store, a table of ancestors and a function that makes payloads flow in; records flow into
the store. One task a time, in the worker's order: claim, news, inputs, run, publish,
release. It knows no graph, so that a test of a store can say what depends on what, and it
can leave out single steps, so that a test can show what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from taskgraph.store import Key, Record, Store
from taskgraph.testing.records import make_identity, make_record, payload_bytes


class Hands:
    """``hands = Hands(store, {a: [a], b: [a, b]}, make); hands.run(b)``.

    Parameters
    ----------
    store : Store
        A handle of its own.
    above : mapping
        Each key -> itself and all keys that it is computed from; those are its inputs.
    make : callable
        ``make(key, inputs) -> bytes``: the payload, from the records of the inputs.
    point : callable
        Told ``loaded`` and ``ran``, as a file system is told of its points.

    Attributes
    ----------
    runs : list of bytes
        Keys that were run, in order.
    """

    late_epoch = False  #: a fault: the epoch is asked for when the record is made
    looks = True  #: False: a fault: no look for results that came before the claim

    def __init__(
        self,
        store: Store,
        above: Mapping[Key, Sequence[Key]],
        make: Callable[[Key, Sequence[Record]], bytes],
        point: Callable[[str], None] = lambda name: None,
    ) -> None:
        self.store = store
        self.above = above
        self.make = make
        self.point = point
        self.worker = store.enter(make_identity())
        self.runs: list[Key] = []

    def run(self, *keys: Key) -> None:
        """Lease each task in turn and run it, if it has no result and its inputs have one."""
        for key in keys:
            claim = self.store.claim(self.worker, [key])
            self.store.refresh()
            try:
                if claim.keys and not (self.looks and self.alive(key)):
                    self.compute(key, claim.epoch)
            finally:
                self.store.release(self.worker, claim)

    def compute(self, key: Key, epoch: int) -> None:
        """Load the inputs, run, publish; nothing where an input is missing."""
        inputs = [self.alive(above) for above in self.above[key] if above != key]
        there = [record for record in inputs if record is not None]
        self.point("loaded")
        if len(there) < len(inputs):
            return
        self.runs.append(key)
        payload = self.make(key, there)
        self.point("ran")
        if self.late_epoch:
            self.store.refresh()
            epoch = self.store.tombstones().epoch
        self.store.publish(self.worker, [make_record(key, payload, epoch=epoch, inputs=there)])

    def floor(self, key: Key) -> int:
        """Return the greatest tombstone over a key and its ancestors."""
        known = self.store.tombstones().results
        return max(known.get(above, 0) for above in self.above[key])

    def alive(self, key: Key) -> Record | None:
        """Return the live record, as far as was looked."""
        return self.store.load([key], [self.floor(key)])[0]

    def value(self, key: Key) -> bytes | None:
        """Return the live payload after a fresh look."""
        self.store.refresh()
        record = self.alive(key)
        return None if record is None else payload_bytes(record.payload)
