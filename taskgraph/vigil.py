"""What happens elsewhere, as a worker sees it: results, failures, other workers.

News of the store flow into the scheduler; while there is nothing to run, the worker
rests here, and is told when nothing will ever come.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import compress

from taskgraph.attempts import Attempts, Verdict
from taskgraph.outbox import Outbox
from taskgraph.scheduler import BUSY, DONE, FAILED, LATER, MINE, READY, Scheduler
from taskgraph.session import Session
from taskgraph.store import Key, News, WorkerInfo

#: Longest pause between two looks of a waiting worker, in seconds.
LONGEST_PAUSE = 0.5
#: Seconds for which the number of live workers is believed.
CENSUS = 2.0
#: Seconds for which a list of workers is believed, for each worker in it, and at most: what
#: it costs to make one grows with their number, and so does the number of those who ask.
BELIEF, LONGEST_BELIEF = 0.03, 3.0
#: Seconds before a node is asked for again that is free by the books and yet can't be had.
_RELUCTANT = 1.0
#: Pause after a refused claim, in seconds for each other worker; at most on disk, on a server.
STEP, LONGEST_STEP, LONGEST_STEP_SERVED = 0.0005, 0.03, 0.01
#: Ready nodes that are looked through one by one after a refused claim.
FEW = 10_000


class Vigil:
    """A worker's view of the others."""

    def __init__(
        self,
        session: Session,
        scheduler: Scheduler,
        attempts: Attempts,
        name: str,
        clock: Callable[[], float],
    ) -> None:
        self.session, self.store, self.scheduler = session, session.store, scheduler
        self.attempts, self.name, self.clock = attempts, name, clock
        self._retries: list[tuple[float, int]] = []
        self._infos: Sequence[WorkerInfo] = ()
        self._listed = -1e9
        self._counted, self._census = 1, -1e9
        self._idle_since: float | None = None
        self._hope = -1e9  #: when something was last seen to be going on
        self._pause = 0.0
        self._freed: set[int] = set()
        self._refused: set[int] = set()  #: by claims after the list of workers was made
        self._hosts: set[str] = set()
        #: Told who is alive, now and then.
        self.on_census: Callable[[list[WorkerInfo]], None] = lambda alive: None
        #: What this worker holds true and in memory was judged by all tombstones up to here.
        self.epoch = self.store.tombstones().epoch

    # -- taking in news -----------------------------------------------------------------
    def catch_up(self) -> bool:
        """Look for news and take them in; False when a tombstone asks to start over."""
        news = self.store.refresh()
        if self.outdated(news):
            return False
        self.take(news)
        self._meet()
        self._free_busy()
        self.retry_due(self.clock())
        return True

    def outdated(self, news: News) -> bool:
        """Tell whether a tombstone came that nothing here has been judged by."""
        return news.tombstones or self.store.tombstones().epoch > self.epoch

    def take(self, news: News) -> None:
        """Take in results and failures that came to the store."""
        state = self.scheduler.state
        nodes = [n for n in self.session.graph.nodes_of(news.results) if state[n] != DONE]
        if nodes:
            self._hope = self.clock()
            if self.session.floors() is not None:  # else whatever came is alive
                nodes = list(compress(nodes, self.session.present(nodes)))
            self.scheduler.done(nodes)
        self.take_failures(news.failures)

    def take_failures(self, keys: Iterable[Key]) -> None:
        """Take in failures that came to the store."""
        index = self.session.graph.index
        nodes = [index[key] for key in keys if key in index]
        nodes = [node for node in nodes if self.scheduler.state[node] not in (DONE, FAILED)]
        for node in self.attempts.load(nodes):
            self.judge(node)

    def start_over(self) -> None:
        """Judge every node from what the store holds now."""
        self.store.refresh()
        self.epoch = self.store.tombstones().epoch
        self._retries.clear()
        self._freed.clear()
        self._listed = -1e9  # an older list may blame a death that the tombstone has forgiven
        self.attempts.clear()
        self.scheduler.reset(self.session.present())
        self.take_failures(self.store.failed_keys())

    # -- failures -------------------------------------------------------------------------
    def judge(self, node: int) -> None:
        """Decide from its failure records what becomes of a node."""
        verdict, delay = self.attempts.verdict(node, self._live_hosts)
        runnable = self.scheduler.state[node] in (READY, MINE, BUSY)
        if verdict is Verdict.FINAL:
            self.scheduler.failed(node)
        elif verdict is Verdict.AGAIN and runnable:
            self.set_aside(node, delay)
        elif verdict is Verdict.ELSEWHERE and runnable:
            self.scheduler.put([node], LATER)

    def set_aside(self, node: int, seconds: float) -> None:
        """Make a node ready again after so many seconds."""
        self.scheduler.put([node], LATER)
        heapq.heappush(self._retries, (self.clock() + seconds, node))

    def retry_due(self, now: float) -> None:
        """Make ready what has waited long enough."""
        while self._retries and self._retries[0][0] <= now:
            _, node = heapq.heappop(self._retries)
            if self.scheduler.state[node] == LATER:
                self.scheduler.put([node], READY)

    def blame_dead(self, outbox: Outbox, offset: float) -> None:
        """Record the deaths of workers whose supervisor died too and could not."""
        now = self.clock()
        for node in self.attempts.blame_dead(self._listing(), outbox, self.epoch, now, offset):
            self.judge(node)

    # -- other workers ------------------------------------------------------------------------
    def _listing(self) -> Sequence[WorkerInfo]:
        """Return who is there, as it was a moment ago."""
        now = self.clock()
        if now - self._listed >= min(LONGEST_BELIEF, BELIEF * len(self._infos)):
            self._listed, self._infos = now, self.store.workers()
            self._refused.clear()
        return self._infos

    def _meet(self) -> None:
        """Look who is there; what was left to another host is judged anew when hosts change."""
        hosts = self._live_hosts()
        if self._hosts - hosts:
            for node in self.scheduler.nodes_in(LATER):
                self.judge(node)
        self._hosts = hosts

    def _live_hosts(self) -> set[str]:
        return {info.identity.host for info in self._listing() if info.alive}

    def live_workers(self, now: float) -> int:
        """Return how many workers share the work, counted now and then."""
        if now - self._census > CENSUS:
            self._census = now
            alive = [info for info in self._listing() if info.alive]
            self._counted = max(1, len(alive))
            self.on_census(alive)
        return self._counted

    @property
    def others(self) -> int:
        """How many other workers there were when they were counted last."""
        return self._counted - 1

    def _others(self) -> list[WorkerInfo]:
        return [info for info in self._infos if info.alive and info.worker != self.name]

    def refused(self, nodes: Sequence[int]) -> None:
        """Set aside what others hold, as a claim has found; no older list says otherwise."""
        self.scheduler.put(nodes, BUSY)
        self._refused.update(nodes)

    def stand_back(self) -> float:
        """Set aside all that others hold, after a claim that got nothing; return a pause.

        Near the end most of what is left is held by somebody. To find that out claim by
        claim costs a look each, on disk one at every other worker's segment. So the pause
        grows with their number. It stays short: there may be work.
        """
        self._listing()
        others = self._others()
        graph, state = self.session.graph, self.scheduler.state
        held = graph.nodes_of([key for info in others for key in info.keys])
        buckets = {bucket for info in others for bucket in info.buckets}
        if buckets and self.scheduler.count(READY) <= FEW:
            held += [n for n in self.scheduler.nodes_in(READY) if graph.buckets[n] in buckets]
        self.scheduler.put((n for n in held if state[n] == READY), BUSY)
        longest = LONGEST_STEP if self.store.coarse_bits else LONGEST_STEP_SERVED
        return min(longest, STEP * len(others))

    def _free_busy(self) -> None:
        """Make ready again what no live worker holds any more."""
        busy = self.scheduler.nodes_in(BUSY)
        if busy:
            keys = {key for info in self._others() for key in info.keys}
            buckets = {bucket for info in self._others() for bucket in info.buckets}
            mine = self.scheduler.keys
            held = self._refused
            free = [
                n
                for n in busy
                if mine[n] not in keys and mine[n][0] not in buckets and n not in held
            ]
            # An owner may seem dead to a listing and yet not be proven so to a claim.
            for node in self._freed.intersection(free):
                self.set_aside(node, _RELUCTANT)
            self.scheduler.put((n for n in free if n not in self._freed), READY)
            self._freed.update(free)

    # -- resting --------------------------------------------------------------------------------
    def busy(self) -> None:
        """There is something to run: the next rest begins with a short pause."""
        self._idle_since, self._pause = None, 0.0
        self._freed.clear()

    def rest(self, idle_exit: float | None) -> str:
        """Sleep until there may be news; return a reason to leave, or an empty string."""
        now = self.clock()
        if self._idle_since is None:
            self._idle_since = now
        idle = now - self._idle_since
        working = any(info.keys or info.buckets for info in self._others())
        if working or self._retries or self.scheduler.count(BUSY):
            self._hope = now  # between two leases a busy worker holds nothing for a moment
        if min(idle, now - self._hope) > 2 * LONGEST_PAUSE + (now - self._listed):
            return "what is left can't be run here: " + self.scheduler.summary()
        if idle_exit is not None and idle >= idle_exit:
            return f"nothing to run for {idle:.0f} s (--idle-exit)"
        self._pause = min(LONGEST_PAUSE, self._pause * 2 or 0.02)
        if self._retries:
            self._pause = max(0.0, min(self._pause, self._retries[0][0] - now))
        self.store.wait(self._pause)
        return ""
