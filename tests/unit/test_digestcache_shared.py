"""The digest cache where several processes and readers share a store."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path

import pytest

import taskgraph
from backends.memory_store import MemoryStore
from taskgraph import digestcache
from taskgraph.digestcache import StoreDigestCache, remembering
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


def test_any_path_can_be_kept():
    entries = {"/ä/\udcff b": Entry(1, 2, 3, -4, b"\0" * 32)}
    assert unpack(pack(entries)) == entries
    assert lock_of("/ä/\udcff b")[:1] == b"\xff"


# -- many at once -------------------------------------------------------------------------


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
