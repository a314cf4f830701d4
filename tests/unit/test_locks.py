"""Locks in a folder: who gets which name, who may remove it, what is left behind."""

from __future__ import annotations

import errno
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.file_store import locks
from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.locks import PAUSE, Locks, rivals_of
from backends.file_store.owners import Owners
from taskgraph.errors import StoreError, StoreFull
from taskgraph.testing import FakeClock, FakeServer, make_identity

LEASE = 30.0
K, K2, FAR, BUCKET = "k.3f01", "k.3f02", "k.4000", "b.3f"


class Disk(FakeServer, FileSystem):
    """A disk that counts, and fails where it is told to."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.calls: list[str] = []
        self.broken: dict[str, int] = {}
        self.most_links = 10**9

    def link(self, source: str, target: str) -> None:
        self.calls.append("link")
        self._maybe_fail("link")
        if self.stat(source).st_nlink >= self.most_links:
            raise OSError(errno.EMLINK, "Too many links")
        super().link(source, target)

    def unlink(self, path: str) -> None:
        self.calls.append("unlink")
        super().unlink(path)

    def names(self, folder: str) -> list[str]:
        self.calls.append("names")
        self._maybe_fail("names")
        return super().names(folder)

    def _maybe_fail(self, call: str) -> None:
        self.broken[call] = self.broken.get(call, 0) - 1
        if self.broken[call] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")


class Crew:
    """One process: its own disk, owners and locks, and one worker."""

    def __init__(self, layout: Layout, clock: FakeClock) -> None:
        self.disk = Disk(clock)
        self.owners = Owners(self.disk, layout, LEASE, clock)
        self.sleeps: list[float] = []
        self.locks = Locks(
            self.disk, layout, self.owners, sleep=self.sleeps.append, chance=random.Random(1).random
        )
        self.worker = self.owners.enter(make_identity())
        self.disk.calls.clear()

    def take(self, *names: str, most: int | None = None) -> list[bool | None]:
        return self.locks.take(self.worker, names, most)

    def drop(self, *names: str) -> None:
        self.locks.drop(self.worker, names)


class Place:
    def __init__(self, folder: Path, links: bool) -> None:
        self.clock = FakeClock()
        self.layout = Layout(str(folder), links=links)
        self.layout.build(FileSystem())

    def crew(self) -> Crew:
        return Crew(self.layout, self.clock)

    def files(self) -> list[str]:
        return sorted(name for name in FileSystem().names(self.layout.locks) if name[:2] != "o.")

    def silence(self, *observers: Crew, leases: float = 1.2) -> None:
        for _ in range(round(10 * leases)):
            self.clock.advance(LEASE / 10)
            for crew in observers:
                crew.owners.beat(crew.worker)
                crew.owners.infos()
                for name in self.files():  # locks that name nobody are looked at as well
                    if not crew.owners.holder(name):
                        crew.owners.silent_file(name)


@pytest.fixture(params=[True, False], ids=["links", "exclusive creation"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, request.param)


def test_one_name_one_holder(place: Place) -> None:
    ann, bob = place.crew(), place.crew()
    assert ann.take(K, K2) == [True, True]
    assert bob.take(K2, FAR) == [False, True]
    assert place.files() == [K, K2, FAR]
    ann.drop(K, K2)
    assert place.files() == [FAR]
    assert bob.take(K2) == [True]


def test_names_are_tried_in_their_order_until_enough_are_held(place: Place) -> None:
    ann, bob = place.crew(), place.crew()
    assert ann.take(K, K2, FAR, most=1) == [True, None, None]
    assert bob.take(K, K2, FAR, most=1) == [False, True, None]
    assert place.files() == sorted([K, K2])
    assert ann.take(K, K2, FAR, most=2) == [True, False, True]
    assert bob.take(K, K2, FAR, most=3) == [False, True, False]


def test_who_is_beaten_by_a_bucket_goes_on_to_the_next_names(place: Place) -> None:
    """That a bucket is held shows only after the link, when the others were not tried yet."""
    ann, bob = place.crew(), place.crew()
    assert ann.take(BUCKET) == [True]
    third = "k.3f03"
    assert bob.take(K, K2, third, FAR, most=1) == [False, False, False, True]
    assert place.files() == sorted([BUCKET, FAR])


def test_a_bucket_that_is_held_is_met_once_whatever_is_named_of_it(place: Place) -> None:
    """Each further key would else cost a link, a listing and a step back."""
    ann, bob = place.crew(), place.crew()
    assert ann.take(BUCKET) == [True]
    many = [f"k.3f{n:02d}" for n in range(40)]
    assert bob.take(*many, FAR, most=1) == [False] * 40 + [True]
    assert bob.disk.calls.count("names") == 2, "beaten, and then the one that is free"
    ann.drop(BUCKET)
    assert bob.take(*many, most=1) == [True] + [None] * 39, "nothing is believed for long"


def test_taking_twice_is_no_quarrel(place: Place) -> None:
    ann = place.crew()
    assert ann.take(K, K, BUCKET) == [True, True, True]
    assert ann.take(K) == [True]
    ann.drop(K, BUCKET)
    assert place.files() == []


@pytest.mark.parametrize(("first", "second"), [(K, BUCKET), (BUCKET, K), (BUCKET, BUCKET)])
def test_buckets_and_keys_exclude_each_other(place: Place, first: str, second: str) -> None:
    ann, bob = place.crew(), place.crew()
    assert ann.take(first) == [True]
    assert bob.take(second, FAR) == [False, True]
    assert place.files() == sorted([first, FAR]), "who steps back leaves nothing"
    assert bob.take(second) == [False]
    assert len(bob.sleeps) <= 1, "a rival that stays is not waited for again"
    ann.drop(first)
    assert bob.take(second) == [True]


def test_a_batch_costs_a_link_a_name_and_one_listing(tmp_path: Path) -> None:
    ann = Place(tmp_path, links=True).crew()
    names = [f"k.{number:064x}" for number in range(100)]
    assert all(ann.take(*names))
    assert (ann.disk.calls.count("link"), ann.disk.calls.count("names")) == (100, 1)
    ann.disk.calls.clear()
    ann.drop(*names)
    assert ann.disk.calls == ["unlink"] * 100


def test_a_stale_lock_gets_a_rung_beside_it(place: Place) -> None:
    """The stale name stays: nobody removes what is not its own."""
    ann, bob, carl = place.crew(), place.crew(), place.crew()
    assert ann.take(K) == [True]
    place.silence(bob, carl)
    assert bob.take(K) == [True]
    assert place.files() == [K, f"{K}.r1"]
    assert carl.take(K, BUCKET) == [False, False]
    bob.drop(K)
    assert place.files() == [K]
    assert carl.take(K) == [True]
    place.silence(bob)
    assert bob.take(K) == [True]
    assert place.files() == [K, f"{K}.r1", f"{K}.r2"], "rungs count nothing, they only pile up"


def test_an_overtaken_owner_keeps_its_name_but_not_the_lock(place: Place) -> None:
    ann, bob = place.crew(), place.crew()
    ann.take(K)
    place.silence(bob)
    bob.take(K)
    ann.owners.beat(ann.worker)
    assert ann.take(K) == [False]
    assert place.files() == [K, f"{K}.r1"]
    ann.drop(K)
    assert place.files() == [f"{K}.r1"]
    assert ann.take(K) == [False]
    bob.drop(K)
    assert ann.take(K) == [True]


def test_taking_or_dropping_a_lock_is_a_sign_of_life(tmp_path: Path) -> None:
    """Whoever comes back and locks is not stale, even before its next beat is due."""
    place = Place(tmp_path, links=True)
    ann, bob = place.crew(), place.crew()
    ann.take(K)
    place.silence(bob)
    assert bob.owners.silent(ann.worker)
    path = Path(place.layout.owner(ann.worker))
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # the kernel's clock for files ticks every 4 ms
        ann.take(FAR)
        ann.drop(FAR)
    assert not bob.owners.silent(ann.worker)


def test_a_stale_bucket_does_not_stop_its_keys(place: Place) -> None:
    ann, bob = place.crew(), place.crew()
    ann.take(BUCKET)
    place.silence(bob)
    assert bob.take(K, BUCKET) == [True, True]


def test_a_lock_that_names_nobody_is_judged_by_its_own_time(tmp_path: Path) -> None:
    """Exclusive creation: the maker may die between making the file and writing it."""
    place = Place(tmp_path, links=False)
    bob = place.crew()
    bob.disk.close(bob.disk.create(place.layout.lock(K), 0o600))
    assert bob.take(K) == [False]
    place.silence(bob)
    assert bob.take(K) == [True]


def test_without_an_owner_record_nothing_can_be_locked(place: Place) -> None:
    ann, bob = place.crew(), place.crew()
    bob.disk.unlink(place.layout.owner(ann.worker))
    with pytest.raises(StoreError, match=r"call enter\(\) again"):
        ann.take(K)
    assert place.files() == []


@pytest.mark.parametrize("call", ["link", "names"])
def test_a_full_disk_leaves_no_lock_behind(tmp_path: Path, call: str) -> None:
    place = Place(tmp_path, links=True)
    ann = place.crew()
    assert ann.take(FAR) == [True]
    ann.disk.broken[call] = 3 if call == "link" else 1
    with pytest.raises(StoreFull):
        ann.take(FAR, K, K2, BUCKET, "x.pack")
    assert place.files() == [FAR], "what was held before stays held"
    assert ann.take(K) == [True]
    ann.owners.leave(ann.worker)
    assert FileSystem().names(place.layout.locks) == []


def test_a_file_that_takes_no_more_links_is_followed_by_another(tmp_path: Path) -> None:
    place = Place(tmp_path, links=True)
    ann, bob = place.crew(), place.crew()
    ann.disk.most_links = 4
    names = [f"k.{number:02x}00" for number in range(10)]
    assert all(ann.take(*names))
    assert not any(bob.take(*names))
    assert [len(info.keys) for info in bob.owners.infos() if info.worker == ann.worker] == [10]
    place.silence(bob)
    assert all(bob.take(*names)), "all of them are stale with the one record that beats"
    ann.owners.leave(ann.worker)
    assert place.files() == [f"{name}.r1" for name in names]


def test_a_supervisor_buries_a_dead_worker(place: Place) -> None:
    """Leaving from a process that took none of the locks removes that worker's names only."""
    ann, bob, boss = place.crew(), place.crew(), place.crew()
    ann.take(K, BUCKET)
    bob.take(FAR)
    boss.owners.leave(ann.worker)
    assert place.files() == [FAR]
    assert bob.take(K) == [True]


def test_the_tidier_removes_the_long_dead_only(place: Place) -> None:
    ann, bob, carl = place.crew(), place.crew(), place.crew()
    ann.take(K, BUCKET)
    bob.take(FAR)
    place.silence(bob, carl)
    assert carl.locks.tidy() == 0, "stale is not yet dead for good"
    place.silence(bob, carl)
    assert carl.locks.tidy() == 3
    assert place.files() == [FAR]
    assert carl.take(K, FAR) == [True, False]
    with pytest.raises(StoreError, match="enter"):
        ann.take(K2)


@pytest.mark.parametrize("end", ["drop", "leave"])
def test_who_was_tidied_away_disturbs_nobody_on_its_return(place: Place, end: str) -> None:
    """Its names are free for others by then; it must not remove them by memory."""
    ann, bob = place.crew(), place.crew()
    ann.take(K)
    place.silence(bob, leases=2.5)
    assert bob.locks.tidy() == 2
    assert bob.take(K) == [True]
    if end == "drop":
        ann.drop(K)
    else:
        ann.owners.leave(ann.worker)
    assert bob.owners.holder(K) == bob.worker


def test_the_tidier_leaves_files_it_does_not_know(place: Place) -> None:
    ann = place.crew()
    strange = Path(place.layout.lock(".nfs0001"))
    strange.write_bytes(b"")
    Path(place.layout.lock("t.young")).write_bytes(b"")
    place.clock.advance(1e10)
    ann.owners.beat(ann.worker)
    assert ann.locks.tidy() == 1, "an old temporary file is somebody's who died"
    assert strange.exists()


def test_a_lost_reply_is_not_somebody_else(tmp_path: Path) -> None:
    """A link that succeeds on the server and is repeated answers EEXIST: the content is ours."""
    place = Place(tmp_path, links=True)
    ann = place.crew()
    FileSystem().link(place.layout.owner(ann.worker), place.layout.lock(K))
    assert ann.take(K) == [True]
    ann.drop(K)
    assert place.files() == []


def test_two_that_stepped_back_wait_a_random_moment(place: Place) -> None:
    ann, bob = place.crew(), place.crew()
    ann.take(K)
    bob.take(BUCKET)
    assert len(bob.sleeps) == 1
    assert 0 <= bob.sleeps[0] <= PAUSE


def test_rivals() -> None:
    listing = [
        "o.1",
        "t.2",
        K,
        f"{K}.r1",
        f"{K}.r2",
        K2,
        FAR,
        BUCKET,
        "b.3f.r1",
        "x.repack",
        "x.pack",
        "x.pack.r1",
        "k.3f",
    ]
    linked = {K: f"{K}.r1", BUCKET: BUCKET, "x.pack": "x.pack", "k.5500": "k.5500"}
    found = {name: sorted(rivals) for name, rivals in rivals_of(linked, listing).items()}
    assert found == {
        K: sorted([K, f"{K}.r2", BUCKET, "b.3f.r1"]),
        BUCKET: sorted(["b.3f.r1", K, f"{K}.r1", f"{K}.r2", K2, "k.3f"]),
        "x.pack": ["x.pack.r1"],
        "k.5500": [],
    }


NAMES = [
    f"{lock}{rung}"
    for lock in (K, K2, FAR, BUCKET, "k.5500", "b.55", "x.pack", "o.1")
    for rung in ("", ".r1", ".r2")
]


@given(listing=st.permutations(NAMES), count=st.integers(0, len(NAMES)), data=st.data())
def test_rivals_are_those_that_a_look_at_every_file_finds(listing, count, data) -> None:
    files = listing[:count]
    names = [name for name in files if name[0] != "o"]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    linked = {name.partition(".r")[0]: name for name in chosen}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locks, "_concerned", lambda files, *_: files)
        naive = rivals_of(linked, files)
    found = rivals_of(linked, files)
    assert {k: sorted(v) for k, v in found.items()} == {k: sorted(v) for k, v in naive.items()}


def test_of_a_crowds_files_only_those_that_may_matter_are_taken_apart() -> None:
    crowd = [f"k.{n:04x}" for n in range(0x4000, 0x5000)] + [f"o.{n}" for n in range(1000)]
    files = [K, f"{K}.r1", BUCKET, *crowd]
    assert set(locks._concerned(files, {K, BUCKET}, set())) == {K, f"{K}.r1", BUCKET}
    within = locks._concerned(files, {"b.42"}, {"42"})
    assert set(within) == {f"{K}.r1", *(f"k.42{n:02x}" for n in range(256))}


def test_owner_files_have_the_stores_mode(tmp_path: Path) -> None:
    place = Place(tmp_path, links=True)
    place.layout = replace(place.layout, file_mode=0o660)
    ann = place.crew()
    ann.take(K)
    assert Path(place.layout.lock(K)).stat().st_mode & 0o777 == 0o660
