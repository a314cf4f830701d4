"""Digests of input files in a store: remembered, merged, leased, and never in the way."""

from __future__ import annotations

import time
from hashlib import sha256
from pathlib import Path

import pytest

from backends.memory_store import MemoryStore
from taskgraph import digestcache
from taskgraph.digestcache import MANY, StoreDigestCache, remembering
from taskgraph.digestshelf import DOCUMENT, Entry, Shelf, lock_of, unpack
from taskgraph.hashing import digests
from taskgraph.hashing.digests import content_digest, set_digest_cache
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
