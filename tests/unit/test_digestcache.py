"""Digests of input files in a store: remembered, merged, leased, and never in the way."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path

import pytest

import taskgraph
from backends.memory_store import MemoryStore
from taskgraph import digestcache
from taskgraph.digestcache import MANY, StoreDigestCache, remembering
from taskgraph.digestshelf import DOCUMENT, Entry, Shelf, lock_of, pack, unpack
from taskgraph.hashing import digests
from taskgraph.hashing.digests import content_digest, set_digest_cache
from taskgraph.jugfile import read_jugfile
from taskgraph.session import Session
from taskgraph.testing import FaultyStore
from taskgraph.testing.records import make_identity

HOUR = 3600 * 10**9


@pytest.fixture(autouse=True)
def old_files():
    """All files look an hour old, and no digest is known at first."""
    set_digest_cache(None, clock_ns=lambda: time.time_ns() + HOUR)
    yield
    set_digest_cache(None)


@pytest.fixture
def reads(monkeypatch):
    """The paths that were read, in order."""
    read, paths = digests._read, []

    def noting(path):
        paths.append(Path(path).name)
        return read(path)

    monkeypatch.setattr(digests, "_read", noting)
    return paths


@pytest.fixture
def slides(tmp_path):
    found = [tmp_path / f"{number}.tif" for number in range(5)]
    for path in found:
        path.write_bytes(path.name.encode())
    return found


class Clock:
    """Seconds that pass while somebody waits; ``events`` happen at the next pause."""

    def __init__(self):
        self.now = 0.0
        self.events = []

    def __call__(self):
        return self.now

    def pause(self, seconds):
        self.now += seconds
        if self.events:
            self.events.pop(0)()


def new_session():
    """Forget what this process knows, as another process would."""
    set_digest_cache(None, clock_ns=lambda: time.time_ns() + HOUR)


def refuse(text):
    raise AssertionError(text)


def test_a_file_is_read_once_for_all_processes_of_a_store(slides, reads):
    store = MemoryStore()
    for _ in range(2):
        new_session()
        with remembering(store, refuse, saves=True):
            assert content_digest(str(slides[0])) == sha256(b"0.tif").digest()
    assert reads == ["0.tif"]
    assert store.workers() == [], "the owner record is gone"
    slides[0].write_bytes(b"other")
    new_session()
    with remembering(store, refuse, saves=True):
        assert content_digest(str(slides[0])) == sha256(b"other").digest()
    assert len(unpack(store.get_document(DOCUMENT))) == 1, "the old entry is folded away"


def test_afterwards_the_memory_knows_what_was_met_and_nothing_else_stays(slides, reads):
    store = MemoryStore()
    before = digests._cache
    with remembering(store, refuse, saves=True):
        content_digest(str(slides[0]))
    assert digests._cache is before
    content_digest(str(slides[0]))
    assert reads == ["0.tif"]


def test_two_that_overlap_leave_the_right_one_in_place(slides):
    before = digests._cache
    first, second = (remembering(MemoryStore(), refuse, saves=True) for _ in range(2))
    first.__enter__()
    inner = second.__enter__()
    first.__exit__(None, None, None)
    assert digests._cache is inner
    second.__exit__(None, None, None)
    content_digest(str(slides[0]))
    assert digests._cache.memory is before, "closed, it only passes on"


def test_who_only_looks_writes_nothing(slides, reads, monkeypatch):
    monkeypatch.setattr(digestcache, "LEASED", 0)
    store = MemoryStore()
    for name in ("enter", "claim", "put_document"):
        monkeypatch.setattr(store, name, refuse)
    with remembering(store, refuse, saves=False):
        content_digest(str(slides[0]))
    assert reads == ["0.tif"]


def test_who_only_looks_uses_what_is_there(slides, reads):
    store = MemoryStore()
    with remembering(store, refuse, saves=True):
        content_digest(str(slides[0]))
    new_session()
    with remembering(store, refuse, saves=False):
        content_digest(str(slides[0]))
    assert reads == ["0.tif"]


def test_it_is_saved_as_it_goes():
    """After two seconds, or two hundred digests; not at each."""
    store, clock = MemoryStore(), Clock()
    cache = StoreDigestCache(store, refuse, saves=True, clock=clock)
    cache.put("/a", 1, 2, 3, 4, b"x" * 32)
    assert store.get_document(DOCUMENT) is None
    clock.now = 2.5
    cache.put("/b", 1, 2, 3, 4, b"x" * 32)
    assert set(unpack(store.get_document(DOCUMENT))) == {"/a", "/b"}
    for number in range(MANY):
        cache.put(f"/{number}", 1, 2, 3, 4, b"x" * 32)
    assert len(unpack(store.get_document(DOCUMENT))) == MANY + 2


def test_two_that_save_lose_nothing_of_each_other():
    store = MemoryStore()
    first, second = (StoreDigestCache(s, refuse, saves=True) for s in (store, store.handle()))
    first.get("/a", 1, 2, 3, 4)
    second.get("/a", 1, 2, 3, 4)
    first.put("/a", 1, 2, 3, 4, b"a" * 32)
    second.put("/b", 1, 2, 3, 4, b"b" * 32)
    first.close()
    second.close()
    assert unpack(store.get_document(DOCUMENT)) == {
        "/a": Entry(1, 2, 3, 4, b"a" * 32),
        "/b": Entry(1, 2, 3, 4, b"b" * 32),
    }


def test_who_saves_learns_what_others_have_saved(reads):
    """So that workers that begin at different places of a list share the small files too."""
    store = MemoryStore()
    first, second = (StoreDigestCache(s, refuse, saves=True) for s in (store, store.handle()))
    assert second.get("/a", 1, 2, 3, 4) is None
    first.put("/a", 1, 2, 3, 4, b"a" * 32)
    first.close()
    second.put("/b", 1, 2, 3, 4, b"b" * 32)
    second.save()
    assert second.get("/a", 1, 2, 3, 4) == b"a" * 32


def test_saving_takes_a_small_part_of_the_time(monkeypatch):
    """A save of a second is followed by none for twenty, however many digests are new."""
    store, clock = MemoryStore(), Clock()
    put = store.put_document

    def slow(name, data):
        clock.now += 1.0
        put(name, data)

    monkeypatch.setattr(store, "put_document", slow)
    cache = StoreDigestCache(store, refuse, saves=True, clock=clock)
    for number in range(10 * MANY):
        cache.put(f"/{number}", 1, 2, 3, 4, b"x" * 32)
    assert clock.now == 1.0
    clock.now = 21.5
    cache.put("/last", 1, 2, 3, 4, b"x" * 32)
    assert len(unpack(store.get_document(DOCUMENT))) == 10 * MANY + 1


def test_while_another_saves_one_waits_but_not_for_ever():
    store, clock = MemoryStore(), Clock()
    other = store.enter(make_identity())
    store.claim(other, [lock_of("")])
    cache = StoreDigestCache(store, refuse, saves=True, clock=clock, pause=clock.pause)
    cache.put("/a", 1, 2, 3, 4, b"a" * 32)
    cache.save()
    assert store.get_document(DOCUMENT) is None
    cache.close()
    assert set(unpack(store.get_document(DOCUMENT))) == {"/a"}
    assert clock.now > 0.5


# -- leases ----------------------------------------------------------------------------


@pytest.fixture
def busy(slides, monkeypatch):
    """A store where another worker holds the lease on the first slide, and a clock."""
    monkeypatch.setattr(digestcache, "LEASED", 0)
    clock = Clock()
    store = MemoryStore(clock=clock)
    other = Shelf(store.handle(), make_identity)
    assert other.lease(str(slides[0]))
    return store, clock, other


def look(store, clock, path, say):
    cache = StoreDigestCache(store, say, saves=True, clock=clock, pause=clock.pause)
    cache.memory = digests.exchange_digest_cache(cache)
    try:
        return content_digest(str(path))
    finally:
        cache.close()
        digests.exchange_digest_cache(cache.memory)


def test_who_finds_a_file_leased_takes_what_the_other_saves(slides, reads, busy):
    store, clock, other = busy
    status = slides[0].stat()
    entry = Entry(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns, b"o" * 32)

    def saves():
        other.add({str(slides[0]): entry})
        other.let_go()

    clock.events = [other.beat] * 12 + [saves]
    said = []
    assert look(store, clock, slides[0], said.append) == b"o" * 32
    assert reads == []
    assert said == [f"waiting for another worker (elsewhere) to digest {slides[0]}"]
    assert store.workers() == []


def test_who_reads_nothing_any_more_is_not_waited_for(slides, reads, busy):
    store, clock, _ = busy
    assert look(store, clock, slides[0], [].append) == sha256(b"0.tif").digest()
    assert 10 < clock.now < 25


def test_a_released_file_is_read_at_once(slides, reads, busy):
    store, clock, other = busy
    clock.events = [other.let_go]
    look(store, clock, slides[0], refuse)
    assert reads == ["0.tif"]
    assert clock.now < 0.2


def test_leases_are_kept_until_the_digests_are_saved_and_given_up_before_waiting(slides, busy):
    store, clock, _ = busy
    cache = StoreDigestCache(store, [].append, saves=True, clock=clock, pause=clock.pause)
    cache.memory = digests.exchange_digest_cache(cache)
    content_digest(str(slides[1]))
    theirs = Shelf(store.handle(), make_identity)
    assert not theirs.lease(str(slides[1]))
    clock.events = [lambda: seen.append(theirs.lease(str(slides[1])))]
    seen = []
    content_digest(str(slides[0]))
    assert seen == [True], "while waiting nothing is held"


def test_small_and_young_files_are_not_leased(slides, monkeypatch):
    store = MemoryStore()
    monkeypatch.setattr(store, "claim", refuse)
    cache = StoreDigestCache(store, refuse, saves=True)
    cache.get("/small", 1, 1000, 1, 1)
    now = time.time_ns() + HOUR
    cache.get("/young", 1, 1 << 40, now, now)


def test_a_long_reading_is_shown_and_keeps_the_lease_alive(monkeypatch):
    monkeypatch.setattr(digestcache, "LEASED", 0)
    clock = Clock()
    store, said = MemoryStore(clock=clock), []
    cache = StoreDigestCache(store, said.append, saves=True, clock=clock)
    cache.expect(7)
    cache.get("/big", 1, 1 << 40, 1, 1)
    for _ in range(80):
        clock.now += 0.5
        cache.tick(1 << 20)
        assert all(info.alive for info in store.workers())
        assert len(store.workers()) == 1
    assert said[0].startswith("digesting input files: 1 of 7, ")
    assert 3 < len(said) < 10


def test_a_pause_between_files_is_no_reading():
    clock = Clock()
    cache = StoreDigestCache(MemoryStore(), refuse, saves=True, clock=clock)
    clock.now = 100.0
    cache.tick(1000)


def test_a_forked_child_saves_nothing(slides, reads):
    store = MemoryStore()
    cache = StoreDigestCache(store, refuse, saves=True)
    cache._pid = -1  # as a child sees it
    cache.put("/a", 1, 2, 3, 4, b"a" * 32)
    assert cache.get("/a", 1, 2, 3, 4) == b"a" * 32
    cache.tick(1)
    cache.close()
    assert store.get_document(DOCUMENT) is None


# -- trouble -----------------------------------------------------------------------------


def test_whatever_call_of_the_store_fails_the_digests_are_right(slides, monkeypatch):
    monkeypatch.setattr(digestcache, "LEASED", 0)
    for number in range(1, 50):
        new_session()
        said = []
        store = FaultyStore(MemoryStore(), fail_at=number)
        with remembering(store, said.append, saves=True):
            for path in slides:
                assert content_digest(str(path)) == sha256(path.name.encode()).digest()
        if not store.failed:
            break
        assert len(said) == 1
    assert number > 5


@pytest.mark.parametrize(
    "document", [b"", b"garbage", b"TGFILES1garbage", b"TGFILES2" + pack({})[8:], pack({})[:-3]]
)
def test_a_damaged_document_is_as_good_as_none(document, slides, reads):
    assert unpack(document) is None
    store = MemoryStore()
    store.put_document(DOCUMENT, document)
    with remembering(store, refuse, saves=True):
        content_digest(str(slides[0]))
    assert len(unpack(store.get_document(DOCUMENT))) == 1


@pytest.mark.parametrize("leased", [0, 1 << 60])
def test_files_makes_a_file_of_each_path_and_reads_each_once(slides, reads, leased, monkeypatch):
    monkeypatch.setattr(digestcache, "LEASED", leased)
    store = MemoryStore()
    with remembering(store, refuse, saves=True):
        found = taskgraph.files([*slides, slides[0]])
        assert found == [taskgraph.File(path) for path in [*slides, slides[0]]]
        assert [file.identity() for file in found[:5]] == [
            sha256(path.name.encode()).digest() for path in slides
        ]
    assert sorted(reads) == [path.name for path in slides]
    assert taskgraph.files([]) == []
    assert store.workers() == []


def test_a_notebook_session_keeps_digests_until_it_is_closed(slides, reads):
    before, store = digests._cache, MemoryStore()
    for _ in range(2):
        new_session()
        before = digests._cache
        session = taskgraph.session(store, name="nb")
        content_digest(str(slides[0]))
        session.close()
        assert digests._cache is before
    assert reads == ["0.tif"]
    assert set(unpack(store.get_document(DOCUMENT))) == {str(slides[0])}


def test_at_a_barrier_nothing_is_held(slides, monkeypatch, tmp_path):
    """Workers would take the lease for work going on, and wait."""
    monkeypatch.setattr(digestcache, "LEASED", 0)
    path = tmp_path / "study.py"
    path.write_text(
        "from taskgraph import *\n"
        "@TaskGenerator\n"
        "def f(x): return x\n"
        f"bvalue(f(File({str(slides[0])!r})))\n"
    )
    store, seen = MemoryStore(), []

    def wait_for(nodes):
        seen.append((store.workers(), set(unpack(store.get_document(DOCUMENT)))))
        return False

    session = Session(store, wait_for)
    session.writes = True
    read_jugfile(path, session)
    assert seen == [([], {str(slides[0])})]
    assert session.stopped
