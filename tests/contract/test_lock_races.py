"""Takers of one lock held at every point: two of them never run together.

Chance does not find these races: 16 processes on 12 000 stale locks saw one of them once.
So each actor is a thread that is moved from pause point to pause point, and every unlink
is looked at: whose name was it? The variant that seems obvious, breaking a stale lock by
renaming it away, goes through the same schedules and must fail.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.locks import Locks
from backends.file_store.owners import Owners
from taskgraph.testing import Actor, FakeClock, FakeServer, make_identity

LEASE = 30.0
NAME, BUCKET = "k.3f01", "b.3f"


class Disk(FakeServer, FileSystem):
    """Holds its actor at points, and notes every name removed that was another's."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.actor: Actor[list[bool]] | None = None
        self.owners: Owners | None = None
        self.worker = ""
        self.foreign: list[str] = []

    def point(self, name: str) -> None:
        if self.actor is not None:
            self.actor.point(name)

    def unlink(self, path: str) -> None:
        name = path.rpartition("/")[2]
        if self.owners is not None and name[:2] != "t." and self.owners.holder(name) != self.worker:
            self.foreign.append(name)
        super().unlink(path)


class BreaksLocks(Locks):
    """The planted fault: a stale lock is renamed away, then the name is taken."""

    def take(self, worker: str, names: Sequence[str]) -> list[bool]:
        disk, layout, owners = self._fs, self._layout, self._owners
        path = layout.lock(names[0])
        own = owners.own(worker)
        for _ in range(2):
            try:
                disk.link(own.source, path)
            except FileExistsError:
                holder = owners.holder(names[0])
                if holder and not owners.silent(holder):
                    return [False]
                disk.point("judged")
                disk.rename(path, layout.lock(f"t.broken.{worker}"))
            else:
                disk.point("linked")
                disk.point("looked")
                own.held[names[0]] = names[0]
                return [True]
        return [False]


class Taker:
    """One process that wants the lock."""

    def __init__(self, layout: Layout, clock: FakeClock, kind: type[Locks]) -> None:
        self.disk = Disk(clock)
        self.owners = Owners(self.disk, layout, LEASE, clock)
        self.locks = kind(self.disk, layout, self.owners, sleep=clock.sleep, chance=lambda: 0.5)
        self.worker = self.owners.enter(make_identity())
        self.disk.owners, self.disk.worker = self.owners, self.worker
        self.holds = False

    def start(self, name: str = NAME) -> Actor[list[bool]]:
        """Begin to take the lock, held before the first step."""
        self.disk.actor = Actor(lambda: self.take(name))
        return self.disk.actor

    def take(self, name: str = NAME) -> list[bool]:
        self.owners.beat(self.worker)
        got = self.locks.take(self.worker, [name])
        self.holds = got[0]
        return got

    def drop(self, name: str = NAME) -> None:
        self.locks.drop(self.worker, [name])
        self.holds = False


class Scene:
    """A folder with one lock, taken by a worker that then falls silent."""

    def __init__(self, folder: Path, kind: type[Locks] = Locks, takers: int = 3) -> None:
        folder.mkdir(exist_ok=True)
        self.clock = FakeClock()
        self.layout = Layout(str(folder))
        self.layout.build(FileSystem())
        self.first = Taker(self.layout, self.clock, kind)
        self.takers = [Taker(self.layout, self.clock, kind) for _ in range(takers)]

    def silence(self) -> None:
        """Let the first one's lease run out in the eyes of all takers."""
        for _ in range(12):
            self.clock.advance(LEASE / 10)
            for taker in self.takers:
                taker.owners.beat(taker.worker)
                for other in [self.first, *self.takers]:
                    taker.owners.silent(other.worker)

    def judge(self, everyone: bool = False) -> None:
        """At most one live holder, nothing foreign removed."""
        living = [self.first, *self.takers] if everyone else self.takers
        assert sum(taker.holds for taker in living) <= 1, "two hold one lock"
        assert [name for taker in living for name in taker.disk.foreign] == [], (
            "a foreign name removed"
        )

    def settle(self) -> None:
        """Let everybody try until one has it: no schedule may leave a lock that nobody gets."""
        for taker in self.takers:
            if not any(other.holds for other in self.takers):
                taker.take()
        self.judge()
        assert sum(taker.holds for taker in self.takers) == 1, "nobody gets the lock"


def three_takers(
    folder: Path, kind: type[Locks], judged: Sequence[int], linked: Sequence[int]
) -> None:
    """Three find the lock stale, all held there; they go on in one order, and in another."""
    scene = Scene(folder, kind)
    scene.first.take()
    scene.silence()
    actors = [taker.start() for taker in scene.takers]
    for number in judged:
        assert actors[number].to("judged")
    for number in linked:
        actors[number].to("linked")
    for number in judged:
        actors[number].finish()
        scene.judge()
    scene.settle()


ORDERS = list(itertools.permutations(range(3)))


@pytest.mark.parametrize("judged", ORDERS)
def test_three_takers_of_a_stale_lock(tmp_path: Path, judged: tuple[int, ...]) -> None:
    for number, linked in enumerate(ORDERS):
        three_takers(tmp_path / str(number), Locks, judged, linked)


def test_breaking_by_rename_lets_two_run(tmp_path: Path) -> None:
    """The planted fault fails in the same schedules."""
    with pytest.raises(AssertionError, match="two hold one lock"):
        three_takers(tmp_path, BreaksLocks, ORDERS[0], ORDERS[0])


def test_a_stopped_owner_resumes_before_the_taker_looks(tmp_path: Path) -> None:
    """Held at `linked`, judged stale, then looking while its taker has linked but not looked."""
    scene = Scene(tmp_path, takers=1)
    (bob,) = scene.takers
    stopped = scene.first.start()
    assert stopped.to("linked")
    scene.silence()
    taker = bob.start()
    assert taker.to("linked")
    scene.first.owners.beat(scene.first.worker)
    stopped.finish()
    scene.judge(everyone=True)
    taker.finish()
    scene.judge(everyone=True)
    assert scene.first.holds or bob.holds or bob.take() == [True] or scene.first.take() == [True]


def test_a_stopped_owner_resumes_after_the_taker_looked(tmp_path: Path) -> None:
    """It sees the taker's rung and steps back; the taker is not disturbed."""
    scene = Scene(tmp_path, takers=1)
    (bob,) = scene.takers
    stopped = scene.first.start()
    assert stopped.to("linked")
    scene.silence()
    taker = bob.start()
    assert taker.to("looked")
    scene.first.owners.beat(scene.first.worker)
    assert stopped.finish() == [False]
    assert taker.finish() == [True]
    scene.judge(everyone=True)
    bob.drop()
    assert scene.first.take() == [True]


@pytest.mark.parametrize("held_at", ["judged", "linked", "looked"])
@pytest.mark.parametrize("again_at", ["linked", "looked", "end"])
def test_an_owner_that_comes_back_for_the_same_lock(
    tmp_path: Path, held_at: str, again_at: str
) -> None:
    """W was judged stale, resumes, runs, unlinks, and links again beside the taker's rung.

    Without the look after the link both would hold it, and neither is stale.
    """
    scene = Scene(tmp_path, takers=1)
    (bob,) = scene.takers
    scene.first.take()
    scene.silence()
    taker = bob.start()
    assert taker.to(held_at)
    scene.first.drop()
    again = scene.first.start()
    again.to(again_at)
    taker.finish()
    scene.judge(everyone=True)
    again.finish()
    scene.judge(everyone=True)


def test_only_the_look_prevents_it(tmp_path: Path) -> None:
    """The planted fault of the test above: takers that see an empty listing both hold."""

    class Blind(Disk):
        def names(self, folder: str) -> list[str]:
            return []

    scene = Scene(tmp_path, takers=1)
    (bob,) = scene.takers
    for taker in (scene.first, bob):
        taker.disk.__class__ = Blind
    scene.first.take()
    scene.silence()
    actor = bob.start()
    assert actor.to("judged")
    scene.first.drop()
    assert scene.first.take() == [True]
    assert actor.finish() == [True]
    with pytest.raises(AssertionError, match="two hold one lock"):
        scene.judge(everyone=True)


def schedules(steps: int) -> list[tuple[int, ...]]:
    """Return every interleaving of two actors with so many steps each."""
    return sorted(set(itertools.permutations([0] * steps + [1] * steps)))


@pytest.mark.parametrize("names", [(NAME, NAME), (NAME, BUCKET), (BUCKET, BUCKET)])
@pytest.mark.parametrize("order", schedules(3))
def test_two_takers_in_every_order(
    tmp_path: Path, names: tuple[str, str], order: Sequence[int]
) -> None:
    """Every interleaving at the pause points, of one granularity and of two."""
    scene = Scene(tmp_path, takers=2)
    actors = [taker.start(name) for taker, name in zip(scene.takers, names, strict=True)]
    points = [iter(["linked", "looked", "end"]) for _ in actors]
    for number in order:
        actors[number].to(next(points[number]))
    for actor in actors:
        actor.finish()
    scene.judge()
    for taker, name in zip(scene.takers, names, strict=True):
        if not any(other.holds for other in scene.takers):
            taker.take(name)
    scene.judge()
    assert any(taker.holds for taker in scene.takers)


@pytest.mark.parametrize("point", ["judged", "linked", "looked"])
def test_stopped_past_the_lease_at_every_point(tmp_path: Path, point: str) -> None:
    """X dies; W takes over and is stopped; B takes over from W; W resumes: one holder."""
    scene = Scene(tmp_path, takers=2)
    stopped, bob = scene.takers
    scene.first.take()
    scene.silence()
    actor = stopped.start()
    assert actor.to(point)
    for _ in range(12):
        scene.clock.advance(LEASE / 10)
        bob.owners.beat(bob.worker)
        bob.owners.silent(stopped.worker)
        bob.owners.silent(scene.first.worker)
    assert bob.take() == [True]
    stopped.owners.beat(stopped.worker)
    resumed = actor.finish()
    if point == "looked":
        # It had passed its look: it holds a stale lease and is not fenced (one more run).
        stopped.drop()
    else:
        assert resumed == [False]
    scene.judge()
    carl = Taker(scene.layout, scene.clock, Locks)
    assert carl.take() == [False], "the living holder was not disturbed"
    bob.drop()
    assert carl.take() == [True] or not scene.first.owners.silent(scene.first.worker)
