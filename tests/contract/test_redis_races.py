"""Takeovers, stops and restarts on the Redis store, each forced at the moment that matters.

Every trace is one by which a simpler rule goes wrong; each test is run over the store, and
over the store with that rule, where it must fail. Restarts come back from an older copy of
the server's log: what was done since is lost, what was undone since is back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.redis_store import open_store
from backends.redis_store.entries import read
from backends.redis_store.store import RedisStore
from taskgraph.errors import StoreUnreachable
from taskgraph.store import Record
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


# -- locks ---------------------------------------------------------------------------------
@faulty(
    script("publish", "if held[j] == lock then", "if held[j] then"),
    script("release", "if held[i] == owner", "if held[i] or owner"),
)
def test_who_was_taken_for_dead_frees_nobodys_lock(room: Room, fault: object) -> None:
    """W is silent past the lease, X takes over, W resumes and publishes: X's lock stays."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        claim = ours.claim(ann, [A, B])
        room.pass_time(31)
        bob = theirs.enter(make_identity(2))
        assert theirs.claim(bob, [A, B]).keys == [A, B]
        ours.publish(ann, [make_record(A, epoch=claim.epoch)])
        ours.release(ann, claim)
        carl = ours.enter(make_identity(3))
        assert ours.claim(carl, [A, B]).busy == [A, B]

    check(trace, room, fault)


@faulty(script("claim", "local grace = clock <", "local grace = false and clock <"))
def test_after_a_restart_nobody_is_silent_yet(room: Room, past: Past, fault: object) -> None:
    """An older deadline comes back; its owner lives and has not beaten yet: no takeover."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        ours.claim(ann, [A])
        past.remember()
        for _ in range(3):
            room.pass_time(20)
            assert ours.beat(ann)
        past.return_to()
        bob = theirs.enter(make_identity(2))
        assert theirs.claim(bob, [A]).busy == [A]
        assert ours.beat(ann)
        room.pass_time(20)
        assert ours.beat(ann)
        room.pass_time(20)
        assert theirs.beat(bob)
        assert theirs.claim(bob, [A]).busy == [A]
        room.pass_time(31)
        assert theirs.claim(bob, [A]).keys == [A], "one that stays silent is taken over"

    check(trace, room, fault)


def forget_to_reconcile(store: RedisStore) -> None:
    store._server.on_restart.remove(store._leases.reconcile)


@faulty(forget_to_reconcile)
def test_a_freed_lock_that_comes_back_is_freed_again(room: Room, past: Past, fault: object) -> None:
    """W releases, a restart brings the lock back while W lives: somebody must get it."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann, bob = ours.enter(make_identity(1)), theirs.enter(make_identity(2))
        claim = ours.claim(ann, [A, B])
        past.remember()
        ours.release(ann, claim, [A])
        past.return_to()
        for _ in range(4):
            assert ours.beat(ann)
            assert theirs.beat(bob)
            room.pass_time(20)
        assert theirs.claim(bob, [A, B]).keys == [A]

    check(trace, room, fault)


def test_what_a_restart_asks_for_is_done_even_if_the_server_goes_away_again(
    room: Room, past: Past
) -> None:
    """The locks are put right by the next call that reaches the server."""
    ours, theirs = room.open(), room.open()
    ann, bob = ours.enter(make_identity(1)), theirs.enter(make_identity(2))
    claim = ours.claim(ann, [A])
    past.remember()
    ours.release(ann, claim)
    past.return_to()
    tries: list[int] = []

    def away() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise StoreUnreachable("away again")

    ours._server.on_restart.insert(0, away)
    for _ in range(2):
        with pytest.raises(StoreUnreachable):
            ours.beat(ann)
    assert ours.beat(ann)
    assert theirs.claim(bob, [A]).keys == [A]
    assert ours.beat(ann)
    assert len(tries) == 3


@faulty(forget_to_reconcile)
def test_a_held_lock_that_is_lost_is_taken_again(room: Room, past: Past, fault: object) -> None:
    """A restart loses W's lock: the first to say hello again is W, and has it back."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann, bob = ours.enter(make_identity(1)), theirs.enter(make_identity(2))
        past.remember()
        ours.claim(ann, [A])
        past.return_to()
        assert ours.beat(ann)
        assert theirs.claim(bob, [A]).busy == [A]

    check(trace, room, fault)


# -- results -------------------------------------------------------------------------------
def believe_inputs(store: RedisStore) -> None:
    store._publisher._with_inputs = lambda records, places: (  # type: ignore[method-assign]
        list(records), list(places),
    )  # fmt: skip


@faulty(believe_inputs)
def test_nothing_is_published_that_is_made_of_what_was_lost(
    room: Room, past: Past, fault: object
) -> None:
    """W loads a; a restart loses a; W publishes b: b would be there without the a it is of."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        first = make_record(A, b"a" * 2000)
        kept = make_record(C)
        ours.publish(ann, [kept])
        past.remember()
        ours.publish(ann, [first])
        past.return_to()
        ours.publish(ann, [make_record(B, inputs=[first]), make_record(make_key(9), inputs=[kept])])
        assert list(theirs.present([A, B, C, make_key(9)])) == [0, 0, 1, 1]
        assert ours.refresh().tombstones, "and everything is to be looked at anew"
        ours.publish(ann, [first, make_record(B, inputs=[first])])
        assert list(theirs.present([A, B])) == [1, 1], "a batch may carry its inputs"
        ours.refresh()
        assert not ours.refresh().tombstones

    check(trace, room, fault)


@faulty(script("publish", "(sub(old, 1, 8) == epoch or ", "("))
def test_of_two_results_of_one_epoch_the_first_stays(room: Room, fault: object) -> None:
    """A value that was handed out, and built on, does not change under its readers."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann, bob = ours.enter(make_identity(1)), theirs.enter(make_identity(2))
        for first, second in ((b"1", b"2"), (b"4", b"3")):
            ours.publish(ann, [make_record(A, first * 1000)])
            theirs.publish(bob, [make_record(A, second * 1000)])
            assert whole(theirs.load([A])[0]) == first * 1000
            assert len(list(theirs._care._places.chunks.groups())) == 1, "the loser leaves nothing"
            ours.forget([head for head in ours.heads([A]) if head is not None])

    check(trace, room, fault)


def remove_at_once(store: RedisStore) -> None:
    places = store._publisher._payloads

    def drop(gone: Any) -> list[Any]:
        for item in gone:
            entry = read(bytes(item[:32]), item[32:])
            assert entry.pointer is not None
            places.chunks.drop(bytes(item[:32]), entry.pointer)
        return []

    places.drop = drop  # type: ignore[method-assign]


@faulty(remove_at_once)
def test_a_replaced_payload_comes_back_with_its_entry(
    room: Room, past: Past, fault: object
) -> None:
    """W replaces a; before it removes the old payload a restart brings the old entry back."""

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        ours.publish(ann, [make_record(A, b"o" * 2000)])
        past.remember()
        drop = ours._publisher._payloads.drop

        def late(gone: Any) -> list[Any]:
            past.return_to()
            return drop(gone)

        ours._publisher._payloads.drop = late  # type: ignore[method-assign]
        number = theirs.invalidate([C])
        ours.publish(ann, [make_record(A, b"n" * 2000, epoch=number)])
        assert whole(theirs.load([A])[0]) == b"o" * 2000
        assert theirs.check(fix=False) == []

    check(trace, room, fault)


@faulty(script("publish", "if call('EXISTS', KEYS[i]) == 0 then", "if false then"))
@pytest.mark.parametrize("mixed", [False, True])
def test_a_payload_is_not_swept_from_under_its_entry(
    room: Room, fault: object, mixed: bool, tmp_path: Path
) -> None:
    """W has written its payload, stops for hours, `pack` runs, W publishes: all is there."""
    if mixed:
        room.url = room.url.replace("unix:", "unix+file:") + f"&files={tmp_path / 'files'}"

    def trace(open_: Callable[..., RedisStore]) -> None:
        ours, theirs = open_(), open_()
        ann = ours.enter(make_identity(1))
        flip = ours._publisher._flip

        def stopped(*args: object) -> object:
            ours._publisher._flip = flip  # type: ignore[method-assign]
            room.pass_time(40)
            theirs.close()  # its idea of the server's clock is that of its connection
            theirs.pack()
            return flip(*args)  # type: ignore[arg-type]

        ours._publisher._flip = stopped  # type: ignore[method-assign,assignment]
        ours.publish(ann, [make_record(A, b"x" * 100_000)])
        assert whole(theirs.load([A])[0]) == b"x" * 100_000
        assert theirs.check(fix=False) == []
        assert theirs.usage().files == mixed

    check(trace, room, fault)
