"""Invalidates on the Redis store that meet restarts, and restarts between any two scripts.

As in ``test_redis_races``: each trace holds over the store and fails over one with a fault.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from backends.redis_store import open_store
from backends.redis_store.store import RedisStore
from taskgraph.errors import StoreError
from taskgraph.store import KILL_FAILURES, Record
from taskgraph.testing import make_identity, make_key, make_record, payload_bytes
from taskgraph.testing.redis_rooms import Past, Room, check, faulty, script
from taskgraph.testing.redis_server import RedisServer, need_server

pytestmark = pytest.mark.redis
A, B, C = make_key(1), make_key(2), make_key(3)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    need_server((7, 0))
    with RedisServer(appendonly="yes", appendfsync="always") as running:
        yield running


@pytest.fixture
def past(server: RedisServer) -> Past:
    return Past(server)


@pytest.fixture
def room(server: RedisServer) -> Iterator[Room]:
    it = Room(server, open_store)
    yield it
    for store in it.handles:
        store.close()


def whole(record: Record | None) -> bytes | None:
    return record and payload_bytes(record.payload)


# -- invalidates ---------------------------------------------------------------------------
@faulty(
    script(
        "bury",
        "math.max(number(call('GET', epoch)) + 1, time[1] * 1000000 + time[2])",
        "number(call('GET', epoch)) + 1",
    )
)
def test_a_number_that_was_lost_is_not_given_again(room: Room, past: Past, fault: object) -> None:
    """Tombstone 1; W claims under it; a restart loses it; the next one must not be 1 too."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        past.remember()
        theirs.invalidate([B])
        claim = ours.claim(ann, [A])
        past.return_to()
        number = theirs.invalidate([A])
        ours.publish(ann, [make_record(A, b"old", epoch=claim.epoch)])
        assert list(theirs.present([A], [number])) == [0]

    check(trace, room, fault)


@pytest.mark.parametrize("naive", [False, True])
def test_an_invalidate_that_has_returned_survives(
    past: Past, naive: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server syncs once a second and is killed at once: it was not done, and is done again."""
    if naive:
        monkeypatch.setattr("backends.redis_store.tombstones.durable", lambda server, warn: True)
    with RedisServer(appendonly="yes", appendfsync="everysec") as server:
        past = Past(server)
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            if len(pauses) == 1:
                past.return_to()

        store = open_store(server.url("p"), create=True, sleep=sleep, say=lambda text: None)
        worker = store.enter(make_identity(1))
        server.call("CONFIG", "SET", "appendfsync", "always")  # what is copied is whole
        store.publish(worker, [make_record(A, b"old")])
        server.call("CONFIG", "SET", "appendfsync", "everysec")
        past.remember()
        number = store.invalidate([A])
        if not pauses:
            past.return_to()
        fresh = open_store(server.url("p"), say=lambda text: None)
        kept = fresh.tombstones().results == {A: number}
        assert kept is not naive
        assert kept is (max(pauses, default=0.0) > 2.0)
        store.close()
        fresh.close()


def test_without_a_log_an_invalidate_says_what_it_is_worth() -> None:
    said: list[str] = []
    with RedisServer() as server:
        store = open_store(server.url("p"), create=True, say=said.append)
        warned = len(said)
        assert any("memory only" in text for text in said)
        store.invalidate([A], KILL_FAILURES)
        assert len(said) == warned, "a lost retry is asked for again"
        store.invalidate([A])
        store.invalidate([A])
        assert len(said) == warned + 1
        assert "keeps a log" in said[-1]
        store.close()


@faulty(script("hello", "call('HSET', meta, 'least', first)", ""))
def test_a_server_that_was_emptied_takes_nothing_old(
    room: Room, server: RedisServer, fault: object
) -> None:
    """Tombstones went with the rest: what was claimed before must not be alive after."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        claim = ours.claim(ann, [A])
        theirs.invalidate([A])
        before = ours.id
        server.call("FLUSHALL")
        ours.publish(ann, [make_record(A, b"old", epoch=claim.epoch)])
        assert ours.refresh().tombstones, "everything is to be looked at anew"
        assert list(ours.present([A])) == [0]
        assert ours.id != before
        assert not ours.beat(ann)
        bob = ours.enter(make_identity(2))
        again = ours.claim(bob, [A])
        assert again.keys == [A]
        ours.publish(bob, [make_record(A, b"new", epoch=again.epoch)])
        assert whole(ours.load([A])[0]) == b"new"
        assert ours.check() == []

    check(trace, room, fault)


def test_a_large_invalidate_whose_writer_died_is_closed_a_lease_later(room: Room) -> None:
    """Until then claims carry the number before it, and other invalidates wait."""
    ours, theirs = room.open(), room.open()
    ann = ours.enter(make_identity(1))
    ours.publish(ann, [make_record(A)])
    number = theirs._graveyard._bury("open", 1, b"", [A])
    assert ours.claim(ann, [B]).epoch == 0
    assert ours._graveyard._few([C], 1) is None
    ours.refresh()
    assert ours.tombstones().results == {}
    room.pass_time(31)
    assert ours.beat(ann)
    assert ours.claim(ann, [C]).epoch == int.from_bytes(number, "big")
    assert ours.tombstones().results == {A: int.from_bytes(number, "big")}
    assert theirs._graveyard._bury("more", 1, number, [B]) == b"LOST"
    later = theirs.invalidate([B])
    assert later > int.from_bytes(number, "big")


def test_a_large_invalidate_is_there_at_once_and_whole(room: Room) -> None:
    ours, theirs = room.open(), room.open()
    ann = ours.enter(make_identity(1))
    keys = [make_key(number) for number in range(12_000)]
    ours.publish(ann, [make_record(key) for key in keys])
    number = theirs.invalidate(keys)
    assert ours.refresh().tombstones
    assert ours.tombstones().results == dict.fromkeys(keys, number)
    assert ours.claim(ann, [C]).epoch == number
    assert not any(ours.present(keys, [number] * len(keys)))
    assert theirs.pack().results == 0
    assert theirs.usage().bytes == 0


# -- the server killed between any two scripts -----------------------------------------------
def story(one: RedisStore, two: RedisStore) -> None:
    """Two workers compute a, then b of a, then c of b; a is invalidated on the way."""
    runs = itertools.count()
    for store, keys in [(one, (A, B)), (two, (B, C)), (one, (A, B, C)), (two, (C, A))]:
        worker = store.enter(make_identity(1))
        for key in keys:
            worker = compute(store, worker, key, b"%d" % next(runs))
        store.leave(worker)
        if store is one:
            store.invalidate([A])
            store.refresh()


ABOVE = {A: [], B: [A], C: [B, A]}


def compute(store: RedisStore, worker: str, key: bytes, payload: bytes) -> str:
    """Claim, look, load, publish, release, as a worker does; enter anew where that is lost."""
    try:
        claim = store.claim(worker, [key])
    except StoreError:
        worker = store.enter(make_identity(1))
        claim = store.claim(worker, [key])
    store.refresh()
    killed = store.tombstones().results
    floors = {k: max(killed.get(x, 0) for x in (k, *ABOVE[k])) for k in ABOVE}
    inputs = store.load(ABOVE[key][:1], [floors[k] for k in ABOVE[key][:1]])
    if claim.keys and None not in inputs and not store.present([key], [floors[key]])[0]:
        there = [record for record in inputs if record is not None]
        made = make_record(key, payload + b"." * 600, epoch=claim.epoch, inputs=there)
        store.publish(worker, [made])
    store.release(worker, claim)
    return worker


#: What leaves nothing in the log need not be followed by a restart.
READS = {"look", "present", "census", "gather", "HMGET", "HGET", "GET", "INFO", "CONFIG", "PING"}


def name_of(command: Any) -> str:
    """Return the name of a command or script."""
    return str(getattr(command, "script", command[0]))


@pytest.mark.parametrize("lost", [1, 4])
def test_the_server_may_be_killed_between_any_two_scripts(lost: int) -> None:
    """It comes back without the last writes: no result without its inputs, no lock for ever."""
    with RedisServer(appendonly="yes", appendfsync="always") as server:
        for place in itertools.count(lost, lost):
            room = Room(server, open_store)
            killer = Killer(server, place, lost)
            story(killer.beside(room.open()), killer.beside(room.open()))
            judge(room)
            if killer.count < place:
                assert place > 20, "the story is longer than that"
                break


class Killer:
    """Counts what handles write; after so many, the server loses the last few, and is back."""

    def __init__(self, server: RedisServer, place: int, lost: int) -> None:
        self.past, self.place, self.lost = Past(server), place, lost
        self.count = 0

    def beside(self, store: RedisStore) -> RedisStore:
        link = store._server.link
        send = link.pipeline

        def pipeline(commands: Any, *more: Any, **named: Any) -> Any:
            if all(name_of(command) in READS for command in commands):
                return send(commands, *more, **named)
            self.count += 1
            if self.count == self.place - self.lost + 1:
                self.past.remember()
            answer = send(commands, *more, **named)
            if self.count == self.place:
                self.past.return_to()
                self.past.forget()
            return answer

        link.pipeline = pipeline  # type: ignore[method-assign]
        return store


def judge(room: Room) -> None:
    reader = room.open()
    records = {key: reader.load([key])[0] for key in ABOVE}
    for key, record in records.items():
        above = records[ABOVE[key][0]] if ABOVE[key] else None
        if record is not None and ABOVE[key]:
            assert above is not None, "a result without its input"
    assert reader.check() == []
    room.pass_time(100)
    worker = reader.enter(make_identity(9))
    assert reader.claim(worker, list(ABOVE)).keys == list(ABOVE), "a lock that nobody holds"
    for store in room.handles:
        store.close()
