"""What a simulated crowd works on: a graph of flat arrays, and a store that is only costs.

In: numbers of tasks and inputs, keys to claim. Out: claims, and the times of answers. The
lock table excludes both granularities, as the file store's does; no result is kept but the
number of its task. Nothing here knows a worker's loop.
"""

from __future__ import annotations

import random
from array import array
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from costs import Costs

from taskgraph.graph import Graph
from taskgraph.store import Claim


class FlatGraph(Graph):
    """``n`` tasks in flat arrays; with ``fan`` every so many feed one more."""

    def __init__(self, n: int, fan: int, rng: random.Random) -> None:
        super().__init__()
        options = SimpleNamespace(batch=True, alone=False, resources=None)
        self.tasks = cast("Any", range(n))
        self.buckets = bytearray(rng.randbytes(n))
        self.kinds = array("I", bytes(4 * n))
        self.functions = {"task": 0, "sum": 1}
        self.shapes = cast(
            "Any", [SimpleNamespace(name=name, options=options) for name in self.functions]
        )
        if fan:
            below = 0
            for node in range(n):
                if node % (fan + 1) == fan:
                    self.kinds[node] = 1
                    self._edges.extend(range(below, node))
                    below = node + 1
                self._ends.append(len(self._edges))

    def key(self, node: int) -> bytes:
        """Return the key: its bucket, then the node's number."""
        return bytes((self.buckets[node],)) + node.to_bytes(31, "big")


@dataclass(slots=True)
class Ground:
    """The store: who holds what, what was published, and the server's queue."""

    costs: Costs
    coarse_bits: int
    keys: dict[int, int] = field(default_factory=dict)  #: node -> worker
    buckets: dict[int, int] = field(default_factory=dict)  #: bucket -> worker
    held: list[int] = field(default_factory=lambda: [0] * 256)  #: keys held in each bucket
    log: list[tuple[int, list[int]]] = field(default_factory=list)  #: writer, nodes
    runs: bytearray = field(default_factory=bytearray)  #: runs of each node
    free: float = 0.0  #: when the server has done what it was asked
    operations: float = 0.0
    asked: int = 0
    refused: int = 0

    def claim(
        self, worker: str, keys: list[bytes], coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Lock keys, or their buckets; the two exclude each other."""
        me = int(worker)
        got: list[bytes] = []
        busy: list[bytes] = []
        for key in keys:
            if len(got) == most:
                break
            mine = (self._bucket if coarse else self._key)(me, key)
            (got if mine else busy).append(key)
        self.asked += 1
        self.refused += not got
        names = {key[0] for key in got} if coarse else got
        return Claim(0, got, busy, [str(name) for name in names])

    def _key(self, me: int, key: bytes) -> bool:
        node = int.from_bytes(key[1:], "big")
        if self.buckets.get(key[0], me) != me or self.keys.get(node, me) != me:
            return False
        self.held[key[0]] += node not in self.keys
        self.keys[node] = me
        return True

    def _bucket(self, me: int, key: bytes) -> bool:
        if self.held[key[0]] or self.buckets.get(key[0], me) != me:
            return False
        self.buckets[key[0]] = me
        return True

    def release(self, worker: str, claim: Claim) -> None:
        """Free a claim's locks."""
        me = int(worker)
        for key in claim.keys:
            node = int.from_bytes(key[1:], "big")
            if self.keys.get(node) == me:
                del self.keys[node]
                self.held[key[0]] -= 1
            elif self.buckets.get(key[0]) == me:
                del self.buckets[key[0]]

    def serve(self, now: float, operations: float) -> float:
        """Take in a call; return when its answer is there."""
        self.operations += operations
        self.free = max(self.free, now) + operations / self.costs.capacity
        return max(self.free, now) + self.costs.delay(operations)
