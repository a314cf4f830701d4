"""What to run next: pure policy over a graph and what is known of its nodes.

A worker asks; nothing here sleeps, reads a clock or touches a store.

Policy
    1. *Depth first.* What this worker's own results have just made ready comes first:
       the inputs are in its memory, and memory is freed soonest.
    2. *Elsewhere than the others.* Otherwise ready nodes are taken bucket by bucket (a
       bucket is all keys of one first byte), from a place that each worker draws for
       itself. Keys are hashes, so every bucket is an even sample of the graph.
    3. *About a second of work at a time.* How many nodes to lease together follows from
       what their functions took so far: one while a function is untimed, then up to a
       second's worth, but never more than a fair share of what is left among the live
       workers, and never more bytes than the workbench holds.
    4. *Short tasks by the bucket.* When a batch would be many nodes, whole buckets are
       leased: one lock for hundreds of tasks. Whatever becomes ready in a bucket that
       is held needs no further lease.

State of a node
    WAITING for inputs -> READY -> MINE (leased by this worker) -> DONE or FAILED;
    BLOCKED below a failed one; BUSY: ready, but another worker holds it; LATER: ready,
    but not before some time (a retry) or not on this worker. Readiness is counted on
    reverse edges, never searched for.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress

from taskgraph.graph import Graph
from taskgraph.timings import Timings

WAITING, READY, MINE, DONE, FAILED, BLOCKED, BUSY, LATER = range(8)

#: Seconds of predicted work to lease at a time.
QUANTUM = 1.0
#: More nodes than these can't all be run before others; the rest waits in the buckets.
MOST_FRESH = 512
#: A batch of at least so many nodes is leased by the bucket.
COARSE_FROM = 48


class Pool:
    """Ready nodes of one function, by bucket; nodes that are no longer ready may be among them."""

    __slots__ = ("buckets",)

    def __init__(self) -> None:
        self.buckets = [array("i") for _ in range(256)]

    def drain(self, start: int) -> Iterable[int]:
        """Pop node after node, from bucket ``start`` on."""
        for step in range(256):
            nodes = self.buckets[(start + step) % 256]
            while nodes:
                yield nodes.pop()


class Scheduler:
    """The states of all nodes, and the order in which to run them.

    Parameters
    ----------
    graph : Graph
        All tasks.
    done : bytearray
        1 for each node that has a result.
    selected : bytearray, optional
        1 for each node that may be run; others are only waited for.
    start : int
        First bucket to look into, 0-255.
    """

    def __init__(
        self, graph: Graph, done: bytearray, selected: bytearray | None = None, start: int = 0
    ) -> None:
        self.graph = graph
        self.keys = graph.keys()
        self.selected = selected
        self.timings = Timings()
        self.names = list(graph.functions)
        self.options = {shape.name: shape.options for shape in graph.shapes}
        self.max_bytes = float("inf")
        self.start = start
        self.whole = True  #: the store locks whole buckets: it costs nothing to take all of one
        self.fresh: list[int] = []
        self.pools = [Pool() for _ in self.names]
        self.state = bytearray(len(graph))
        self.missing = array("i", bytes(4 * len(graph)))
        self._down: tuple[array[int], array[int]] | None = None
        self.left = 0  #: nodes that are not done, failed, blocked or unselected
        self.reset(done)

    # -- taking in what is known -------------------------------------------------
    def reset(self, done: bytearray) -> None:
        """Start over from what has a result now; what this worker holds stays MINE."""
        mine = {node for node, state in enumerate(self.state) if state == MINE}
        self.fresh.clear()
        self.pools = [Pool() for _ in self.names]
        self.state = bytearray(done).translate(_DONE_OR_WAITING)
        self.left = len(done) - done.count(1)
        if self.selected is not None:
            undone = compress(self.selected, (not there for there in done))
            self.left = sum(undone)
        todo = array("i", compress(range(len(done)), done.translate(_NOT)))
        ready = self._count_missing(todo) if self.graph.edge_count else todo
        if mine:
            for node in mine:
                if self.state[node] != DONE:
                    self.state[node] = MINE
            ready = array("i", (node for node in ready if node not in mine))
        self._make_ready(reversed(ready))

    def _count_missing(self, todo: Sequence[int]) -> array[int]:
        """Count the inputs that each node still misses; return those that miss none."""
        ends, edges = self.graph.edges()
        state, missing = self.state, self.missing
        ready = array("i")
        for node in todo:
            start, end = (ends[node - 1] if node else 0), ends[node]
            count = 0
            for place in range(start, end):
                count += state[edges[place]] != DONE
            missing[node] = count
            if not count:
                ready.append(node)
        return ready

    def _make_ready(self, nodes: Iterable[int]) -> None:
        state, selected = self.state, self.selected
        buckets, kinds, pools = self.graph.buckets, self.graph.kinds, self.pools
        for node in nodes:
            if selected is None or selected[node]:
                state[node] = READY
                pools[kinds[node]].buckets[buckets[node]].append(node)

    def _dependents(self, node: int) -> array[int]:
        if self._down is None:
            self._down = self.graph.dependents()
        ends, targets = self._down
        return targets[ends[node - 1] if node else 0 : ends[node]]

    def done(self, nodes: Iterable[int], *, mine: bool = False) -> None:
        """Take in results; ``mine``: made by this worker, so dependents come first here."""
        state, missing = self.state, self.missing
        edges, selected = self.graph.edge_count, self.selected
        for node in nodes:
            before = state[node]
            if before == DONE:
                continue
            state[node] = DONE
            if self.selected is None or self.selected[node]:
                self.left -= before not in _OVER
            if not edges:
                continue
            for target in self._dependents(node):
                missing[target] -= 1
                if missing[target] == 0 and state[target] in (WAITING, BLOCKED):
                    if state[target] == BLOCKED and (not selected or selected[target]):
                        self.left += 1
                    self._now_ready(target, mine)

    def _now_ready(self, node: int, mine: bool) -> None:
        self.state[node] = WAITING
        if self.selected is not None and not self.selected[node]:
            return
        self.state[node] = READY
        if mine and len(self.fresh) < MOST_FRESH:
            self.fresh.append(node)
        else:
            self._pool(node)

    def _pool(self, node: int) -> None:
        graph = self.graph
        self.pools[graph.kinds[node]].buckets[graph.buckets[node]].append(node)

    def users(self, node: int) -> int:
        """Return how many dependents of a node have not run yet."""
        state = self.state
        return sum(state[target] != DONE for target in self._dependents(node))

    def failed(self, node: int) -> None:
        """Take in that a node has failed for good: block all that depend on it."""
        if self.state[node] in (FAILED, DONE):
            return
        self.left -= self._counts(node)
        self.state[node] = FAILED
        stack = [node]
        while stack:
            for target in self._dependents(stack.pop()):
                if self.state[target] not in (DONE, FAILED, BLOCKED):
                    self.left -= self._counts(target)
                    self.state[target] = BLOCKED
                    stack.append(target)

    def _counts(self, node: int) -> bool:
        return self.state[node] not in _OVER and (
            self.selected is None or bool(self.selected[node])
        )

    def put(self, nodes: Iterable[int], state: int) -> None:
        """Set nodes aside (BUSY, LATER), or take them back (READY)."""
        for node in nodes:
            if self.state[node] == DONE:
                continue
            self.state[node] = state
            if state == READY:
                self._pool(node)

    def nodes_in(self, state: int) -> list[int]:
        """Return all nodes in a state."""
        nodes, node = [], self.state.find(state)
        while node >= 0:  # from one to the next in C: a look at every node costs more
            nodes.append(node)
            node = self.state.find(state, node + 1)
        return nodes

    def count(self, state: int) -> int:
        """Return how many nodes are in a state."""
        return self.state.count(state)

    # -- giving out ----------------------------------------------------------------
    def held_ready(self, held: bytearray) -> list[int]:
        """Take all ready nodes of short functions in buckets that are held (1 in ``held``)."""
        short = self._short(self.max_bytes)
        found = self._fresh_of(short, held)
        if not found:
            for kind in short:
                for bucket, nodes in enumerate(self.pools[kind].buckets):
                    if nodes and held[bucket]:
                        found += reversed(nodes)
                        del nodes[:]
        return self._mine(found)

    def _fresh_of(self, short: Sequence[int], held: bytearray | None = None) -> list[int]:
        """Take the fresh nodes of some functions, newest first (only those that are held)."""
        if not self.fresh:
            return []
        kinds, buckets, wanted = self.graph.kinds, self.graph.buckets, set(short)
        taken: list[int] = []
        left: list[int] = []
        for node in self.fresh:
            fits = kinds[node] in wanted and (held is None or held[buckets[node]])
            (taken if fits else left).append(node)
        self.fresh = left
        return taken[::-1]

    def next_batch(self, workers: int, max_bytes: float) -> tuple[list[int], bool]:
        """Take the next nodes to lease: (nodes, whether to lease by the bucket)."""
        self.max_bytes = max_bytes
        first = self._first()
        if first is None:
            return [], False
        limit = self.batch_size(first, workers, max_bytes)
        nodes = self._mine([first])
        if limit >= COARSE_FROM:
            seconds = self.timings.seconds(self.names[self.graph.kinds[first]]) or 0.0
            nodes += self._whole_buckets(self.graph.buckets[first], limit * seconds, max_bytes)
            return nodes, True
        while len(nodes) < limit:
            node = self._first(kind=self.graph.kinds[first])
            if node is None:
                break
            nodes += self._mine([node])
        return nodes, False

    def spare(self, nodes: Sequence[int], count: int) -> list[int]:
        """Take further nodes for a claim that needs only as many as it has.

        Where others are at work too, most of what one asks for is gone. Whoever names more
        than is needed gets it with one question; the rest is put back. A batch keeps to one
        function, as its size does, and so does a node with resources: they are reserved.
        """
        kind = self.graph.kinds[nodes[0]]
        single = len(nodes) == 1 and not self._needs(kind)
        found: list[int] = []
        while len(found) < count:
            node = self._first(None if single else kind)
            if node is None:
                break
            if single and self._needs(self.graph.kinds[node]):
                self._pool(node)
                break
            found += self._mine([node])
        return found

    def _needs(self, kind: int) -> bool:
        return bool(self.options[self.names[kind]].resources)

    def jump(self) -> None:
        """Look for work elsewhere: where this worker was looking, others are at work.

        Workers that go on side by side after a refusal are refused again and again. The
        steps visit all buckets before one comes again.
        """
        self.start = (77 * self.start + 131) % 256

    def batch_size(self, node: int, workers: int, max_bytes: float) -> int:
        """Return how many nodes like this one to lease together."""
        name = self.names[self.graph.kinds[node]]
        seconds, options = self.timings.seconds(name), self.options[name]
        if seconds is None or options.alone or options.resources or not options.batch:
            return 1
        share = self.left / (2 * max(1, workers)) if workers > 1 else self.left
        by_size = max_bytes / max(1.0, self.timings.size(name))
        return max(1, int(min(QUANTUM / max(seconds, 1e-7), share, by_size)))

    def _short(self, max_bytes: float) -> list[int]:
        """Return the numbers of functions that may be leased by the bucket.

        Not those whose tasks are too long, or their results too large, for many to be run
        before anything else; nor those that ask to be leased alone.
        """
        short = []
        for kind, name in enumerate(self.names):
            options, seconds = self.options[name], self.timings.seconds(name)
            alone = options.resources or options.alone or not options.batch
            if alone or seconds is None or seconds * COARSE_FROM > QUANTUM:
                continue
            if self.timings.size(name) * COARSE_FROM <= max_bytes:
                short.append(kind)
        return short

    def _first(self, kind: int | None = None) -> int | None:
        """Pop the next ready node: fresh ones, then functions of late in the jugfile first.

        With ``kind``, only a node of that function: others have their own pace.
        """
        while self.fresh:
            node = self.fresh[-1]
            if self.state[node] == READY and kind is not None and self.graph.kinds[node] != kind:
                return None
            self.fresh.pop()
            if self.state[node] == READY:
                return node
        pools = reversed(self.pools) if kind is None else (self.pools[kind],)
        for pool in pools:
            for node in pool.drain(self.start):
                if self.state[node] == READY:
                    return node
        return None

    def _whole_buckets(self, first: int, seconds: float, max_bytes: float) -> list[int]:
        """Take fresh nodes, then bucket after bucket, for so much work or so many bytes."""
        short = self._short(max_bytes)
        costs = [
            (
                kind,
                self.timings.seconds(self.names[kind]) or 0.0,
                self.timings.size(self.names[kind]),
            )
            for kind in reversed(short)
        ]
        nodes = self._mine(self._fresh_of(short))
        for step in range(256):
            bucket = (first + step) % 256
            for kind, cost, size in costs:
                ready = self.pools[kind].buckets[bucket]
                if ready:
                    most = len(ready) if self.whole else max(1, int(seconds / max(cost, 1e-7)))
                    taken = ready[-most:]
                    del ready[-most:]
                    nodes += self._mine(reversed(taken))
                    seconds -= cost * len(taken)
                    max_bytes -= size * len(taken)
            if seconds <= 0 or max_bytes <= 0:
                break
        self.start = (first + step + 1) % 256
        return nodes

    def _mine(self, nodes: Iterable[int]) -> list[int]:
        state = self.state
        taken = []
        for node in nodes:
            if state[node] == READY:
                state[node] = MINE
                taken.append(node)
        return taken

    def summary(self) -> str:
        """Say what is left and why, for a message."""
        words = (
            "waiting", "ready", "leased here", "done", "failed", "blocked", "leased elsewhere",
            "set aside",
        )  # fmt: skip
        counts = ((self.count(state), word) for state, word in enumerate(words))
        return ", ".join(f"{count} {word}" for count, word in counts if count)


_OVER = (DONE, FAILED, BLOCKED)
_NOT = bytes([1]) + bytes(255)
_DONE_OR_WAITING = bytes([WAITING]) + bytes([DONE]) * 255
