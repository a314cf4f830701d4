"""Parts of the Redis store over a server: news, payloads, pages of keys, large results."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from backends.redis_store import open_store, tombstones
from backends.redis_store.chunks import Chunks
from backends.redis_store.store import RedisStore
from taskgraph.errors import ResultTooLarge, StoreTooNew, StoreUnreachable
from taskgraph.store import FAILURE
from taskgraph.testing import make_identity, make_key, make_record, payload_bytes
from taskgraph.testing.redis_rooms import new_url
from taskgraph.testing.redis_server import RedisServer, need_server

pytestmark = pytest.mark.redis
A, B, C = make_key(1), make_key(2), make_key(3)


OPENED: list[RedisStore] = []


def open_at(url: str, create: bool = True) -> RedisStore:
    store = open_store(url, create=create, say=lambda text: None, sleep=lambda seconds: None)
    OPENED.append(store)
    return store


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def store() -> RedisStore:
    return open_at(new_url())


# -- opening -------------------------------------------------------------------------------
def test_reading_makes_no_project() -> None:
    with pytest.raises(StoreUnreachable, match="no project"):
        open_at(new_url(), create=False)


def test_a_newer_format_is_refused(store: RedisStore) -> None:
    store._server.link.call("HSET", store._server.names.meta, "format", "2")
    with pytest.raises(StoreTooNew, match="format 2"):
        open_at(store.url)


def test_the_lease_is_that_of_the_founding() -> None:
    url = new_url(lease="5")
    assert open_at(url).lease_seconds == 5.0
    assert open_at(url.replace("lease=5", "lease=50")).lease_seconds == 5.0


def test_two_projects_share_nothing() -> None:
    one, two = open_at(new_url()), open_at(new_url())
    one.publish(one.enter(make_identity()), [make_record(A)])
    assert list(two.present([A])) == [0]
    assert two.workers() == []


# -- news ----------------------------------------------------------------------------------
def test_who_was_away_for_long_is_told_to_look_anew(store: RedisStore) -> None:
    other = open_at(store.url)
    worker = store.enter(make_identity())
    store.publish(worker, [make_record(A)])
    store.publish(worker, [make_record(B)])
    names = store._server.names
    store._server.link.call("XTRIM", names.news, "MAXLEN", 1)
    assert other.refresh().tombstones
    news = other.refresh()
    assert not news.tombstones
    store.publish(worker, [make_record(C)])
    assert list(other.refresh().results) == [C]


def test_a_handle_is_not_told_its_own_news(store: RedisStore) -> None:
    other = open_at(store.url)
    store.publish(store.enter(make_identity()), [make_record(A)])
    assert not store.wait(0.0)
    assert not store.refresh().results
    assert other.wait(0.0)
    assert list(other.refresh().results) == [A]


def test_more_news_than_one_answer_holds(store: RedisStore) -> None:
    other = open_at(store.url)
    worker = store.enter(make_identity())
    keys = [make_key(number) for number in range(450)]
    for key in keys:
        store.publish(worker, [make_record(key)])
    assert list(other.refresh().results) == keys


# -- many keys -----------------------------------------------------------------------------
def test_more_keys_than_one_script_takes(store: RedisStore) -> None:
    other = open_at(store.url)
    worker, rival = store.enter(make_identity()), other.enter(make_identity())
    keys = [make_key(number) for number in range(25_000)]
    other.claim(rival, keys[::2])
    claim = store.claim(worker, keys)
    assert (claim.keys, claim.busy) == (keys[1::2], keys[::2])
    store.publish(worker, [make_record(key) for key in claim.keys])
    assert store.present(keys) == bytes([0, 1] * 12_500)
    floors = [0] * 12_500 + [1] * 12_500
    assert store.present(keys, floors) == bytes([0, 1] * 6250 + [0] * 12_500)
    assert sorted(store.keys()) == sorted(keys[1::2])
    heads = store.heads(keys)
    assert [head is not None for head in heads] == [False, True] * 12_500
    assert store.forget([head for head in heads if head is not None]) == 12_500
    assert (store.usage().results, store.usage().bytes) == (0, 0)
    assert other.claim(rival, keys[1::2]).busy == [], "publishing has freed them"


def test_a_claim_of_few_passes_over_what_has_a_result(store: RedisStore) -> None:
    """In a crowd the caller has not heard yet: to lock it would be a question for nothing."""
    ann, bob = (store.enter(make_identity(n)) for n in (1, 2))
    store.publish(ann, [make_record(A)])
    claim = store.claim(bob, [A, B, C], most=1)
    assert (claim.keys, claim.busy) == ([B], [])
    claim = store.claim(ann, [A, B, C], most=2)
    assert (claim.keys, claim.busy) == ([A, C], [B]), "where nothing else is left it is locked"
    assert store.present(claim.keys) == bytearray((1, 0))


def test_one_key_twice_in_one_publish(store: RedisStore) -> None:
    worker = store.enter(make_identity())
    failures = [make_record(B, b"%d" % n, kind=FAILURE) for n in range(3)]
    store.publish(worker, [make_record(A, b"1"), make_record(A, b"2"), *failures])
    assert payload_bytes(store.load([A])[0].payload) == b"1"  # type: ignore[union-attr]
    assert [payload_bytes(r.payload) for r in store.failures([B])[0]] == [b"0", b"1", b"2"]
    assert store.usage() == (1, 5 - 4, 0)


# -- payloads ------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [513, 999, 1000, 1001, 3000])
@pytest.mark.parametrize("parts", [1, 3])
def test_payloads_in_several_chunks(store: RedisStore, size: int, parts: int) -> None:
    store._publisher._payloads.chunks = Chunks(store._server, 1000)
    data = os.urandom(size)
    cuts = [data[n * size // parts : (n + 1) * size // parts] for n in range(parts)]
    store.publish(store.enter(make_identity()), [make_record(A, [memoryview(c) for c in cuts])])
    (found,) = store.load([A])
    assert found is not None
    assert payload_bytes(found.payload) == data
    assert [count for *_, count in store._publisher._payloads.chunks.groups()] == [-(-size // 1000)]


@pytest.mark.parametrize("damage", ["changed", "gone", "longer"])
def test_a_damaged_payload_is_put_aside(store: RedisStore, damage: str) -> None:
    worker = store.enter(make_identity())
    store.publish(worker, [make_record(A, b"x" * 5000), make_record(B)])
    link, names = store._server.link, store._server.names
    ((key, token, _),) = store._care._places.chunks.groups()
    name = names.chunk(key, token, 0)
    if damage == "gone":
        link.call("DEL", name)
    else:
        link.call("SETRANGE", name, 4000, "y" * (10 if damage == "changed" else 2000))
    assert [problem.key for problem in store.check(fix=False)] == [A]
    found = store.load([A, B])
    assert found[0] is None
    assert found[1] is not None
    assert list(store.present([A, B])) == [0, 1]
    assert link.call("HEXISTS", names.quarantine, A) == 1
    store.publish(worker, [make_record(A, b"x" * 5000)])
    assert store.load([A])[0] is not None
    assert store.usage().bytes == 5005


def test_damaged_entries_are_named_and_put_aside(store: RedisStore) -> None:
    worker = store.enter(make_identity())
    store.publish(worker, [make_record(A), make_record(B, kind=FAILURE)])
    link, names = store._server.link, store._server.names
    for hash_, key in ((names.heads, A), (names.fails, B)):
        data = bytearray(link.call("HGET", hash_, key))
        data[30] ^= 1
        link.call("HSET", hash_, key, bytes(data))
    assert store.failures([B]) == [[]]
    assert {problem.key for problem in store.check()} == {A, B}
    assert store.check() == []
    assert (store.keys(), store.failed_keys()) == ([], [])


def test_what_was_not_written_by_us_is_no_result(store: RedisStore) -> None:
    """Fields of any length: no answer is shifted by them, and they are replaced."""
    worker = store.enter(make_identity())
    link, names = store._server.link, store._server.names
    for key, text in ((A, b""), (B, b"abc")):
        link.call("HSET", names.heads, key, text)
    link.call("HSET", names.owners, b"somebody", b"x")
    store.publish(worker, [make_record(C)])
    assert list(store.present([A, B, C])) == [0, 0, 1]
    assert [head is not None for head in store.heads([A, B, C])] == [False, False, True]
    assert store.load([A, B])[1] is None
    claim = store.claim(worker, [A, B])
    assert list(store.present([A, B])) == [0, 0]
    store.publish(worker, [make_record(A, epoch=claim.epoch), make_record(B, epoch=claim.epoch)])
    assert list(store.present([A, B, C])) == [1, 1, 1]
    assert {info.alive for info in store.workers()} == {True, False}


def test_a_result_that_is_replaced_while_it_is_read(store: RedisStore) -> None:
    worker = store.enter(make_identity())
    store.publish(worker, [make_record(A, b"x" * 5000)])
    (old,) = store._shelf.raw(store._server.names.heads, [A])
    assert old is not None
    store.publish(worker, [make_record(A, b"y" * 6000, epoch=5)])
    found = store._shelf._load(A, old, 0)
    assert found is not None
    assert payload_bytes(found.payload) == b"y" * 6000


def test_a_result_larger_than_the_server_should_keep() -> None:
    store = open_at(new_url(largest="10k"))
    worker = store.enter(make_identity())
    with pytest.raises(ResultTooLarge, match=r"files=.*Got 20,000 bytes"):
        store.publish(worker, [make_record(A, b"x" * 20_000)])
    assert list(store.present([A])) == [0]
    assert store.largest == 10_000 or store.largest == 10_240


def test_packing_removes_owners_that_are_long_silent(store: RedisStore) -> None:
    dead, silent, alive = (store.enter(make_identity(n)) for n in range(3))
    store.claim(dead, [A])
    store._server.link.time_shift = 45_000
    assert store.beat(silent)
    store._server.link.time_shift = 80_000
    assert store.beat(alive)
    store.pack()
    assert {info.worker: info.alive for info in store.workers()} == {alive: True, silent: False}
    assert store.claim(alive, [A]).keys == [A]


def test_foreign_names_beside_ours_are_left_alone(store: RedisStore) -> None:
    link, prefix = store._server.link, store._server.names.prefix
    for name in ("b:1:2", "b:zz:yy:0", f"b:{A.hex()}:00:x"):
        link.call("SET", prefix + name, "mine")
    store.pack()
    assert link.call("EXISTS", prefix + "b:1:2", prefix + "b:zz:yy:0") == 2


def test_a_server_that_does_not_say_how_it_syncs_is_waited_for(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    store._server.sleep = pauses.append
    monkeypatch.setattr(tombstones, "_policy", lambda server: "")
    store.invalidate([A])
    assert pauses[0] > 2.0


def test_a_newer_server_is_asked_whether_its_log_is_on_the_disk(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis 7.2 brought WAITAOF."""
    answers = [[1, 0], [0, 0]]
    call = store._server.link.call

    def newer(*command: Any, **more: Any) -> Any:
        return answers.pop(0) if command[0] == "WAITAOF" else call(*command, **more)

    monkeypatch.setattr(store._server.link, "call", newer)
    monkeypatch.setattr(store._server, "version", (7, 2, 0))
    assert store.invalidate([A]) > 0
    with pytest.raises(StoreUnreachable, match="has not within"):
        store.invalidate([A])


def test_a_log_that_does_not_get_to_the_disk_is_an_error(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = itertools.count(0.0, 5.0)
    monkeypatch.setattr(store._server, "clock", lambda: next(now))
    stuck = {"aof_enabled": "1", "aof_last_write_status": "err"}
    monkeypatch.setattr(tombstones, "read_info", lambda reply: stuck)
    with pytest.raises(StoreUnreachable, match="last write: err"):
        store.invalidate([A])


def test_a_user_needs_no_more_rights_than_the_document_says() -> None:
    need_server((6, 2))
    with RedisServer(tcp=True) as server:
        rights = "on >secret ~taskgraph:{p}:* +@all -@admin -@dangerous +info"
        server.call("ACL", "SETUSER", "ann", *rights.split())
        url = server.url("p", tcp=True).replace("//", "//ann:secret@")
        store = open_at(url)
        worker = store.enter(make_identity())
        claim = store.claim(worker, [A])
        store.publish(worker, [make_record(A, b"x" * 1000, epoch=claim.epoch)])
        number = store.invalidate([A])
        store.publish(worker, [make_record(A, b"y" * 1000, epoch=number)])
        store.leave(worker)
        assert store.pack().results == 1
        assert store.check() == []
        assert store.diagnose()
        store.refresh()
        assert not store.wait(0.0)
        assert "secret" not in store.url
        store.close()
