"""The contract of processes: a store opened twice, and a handle on both sides of a fork.

A store opened in one process flows into another, by opening it again or by a fork; what
both did must be there afterwards, each thing once. What is between two processes that share
something they should not (a connection, a place in a file, a random number) shows only
while both are busy, so here both are.

A store that lives in one process (``between_processes = False``) is asked only to work on
both sides of a fork, each side by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from taskgraph.store import FAILURE, Key, Record, Store
from taskgraph.testing.contract.base import ContractBase
from taskgraph.testing.records import make_identity, make_key, make_record, payload_bytes

A, B, C = make_key(1), make_key(2), make_key(3)
#: Stores that two processes make at once, one after the other: the race is short.
FOUNDINGS = 5
#: Tasks of each side of a fork.
TASKS = 40
#: Keys that both sides try to claim.
CONTESTED = [make_key(9000 + n) for n in range(TASKS)]


class ProcessContract(ContractBase):
    """Opening again, opening at once, and what a fork must not double or mix up."""

    def needs_processes(self) -> None:
        """Skip a test that a store of one process can't be asked to pass."""
        if not self.between_processes:
            pytest.skip("between_processes is False: this store lives in one process")

    # -- opening -----------------------------------------------------------------
    def test_opening_again_finds_what_is_there(self, tmp_path: Path) -> None:
        """``create=True`` makes a store only where there is none: nothing is lost by it."""
        self.needs_processes()
        store = self.open(tmp_path)
        worker = self.worker(store)
        store.publish(worker, [make_record(A), make_record(B, kind=FAILURE)])
        number = store.invalidate([C])
        store.put_document("name", b"kept")
        assert store.claim(worker, [B]).keys == [B]
        again = self.open(tmp_path)
        assert again.id == store.id, "make_store() twice with one folder must open one store"
        again.refresh()
        assert list(again.present([A, B])) == [1, 0]
        assert [len(records) for records in again.failures([B])] == [1]
        assert again.tombstones().results == {C: number}
        assert again.get_document("name") == b"kept"
        assert again.claim(self.worker(again), [B]).busy == [B]
        store.refresh()
        store.publish(worker, [make_record(C, epoch=number)])
        again.refresh()
        assert list(again.present([C], [number])) == [1]

    def test_two_processes_may_make_a_store_at_once(self, tmp_path: Path) -> None:
        """One of them founds it, both work in it: one id, and the results of both."""
        self.needs_processes()
        for number in range(FOUNDINGS):
            place = tmp_path / str(number)
            place.mkdir()
            children = [self.fork(partial(self._found, place, key)) for key in (A, B)]
            for child in children:
                child.go()
            ids = [child.finish() for child in children]
            store = self.open(place)
            assert ids == [store.id] * 2
            store.refresh()
            assert list(store.present([A, B])) == [1, 1]
            assert store.check(fix=False) == []

    def _found(self, place: Path, key: Key) -> str:
        store = self.make_store(place)
        store.publish(self.worker(store), [make_record(key)])
        return store.id

    # -- forks -------------------------------------------------------------------
    def test_both_sides_of_a_fork_work_each_by_itself(self, tmp_path: Path) -> None:
        """Parent and child claim, publish and load at once; each gets its own answers."""
        store = self.open(tmp_path)
        store.publish(self.worker(store), [make_record(A, b"before")])
        child = self.fork(lambda: busy(store, 1000, []))
        child.go()
        busy(store, 2000, [])
        child.finish()
        assert whole(store, [*keys_of(2000)]) == TASKS
        assert payload_of(store.load([A])[0]) == b"before"

    def test_both_sides_of_a_fork_work_in_one_store(self, tmp_path: Path) -> None:
        """No key is held twice, nothing is lost, damaged or there twice, and all is seen."""
        self.needs_processes()
        store = self.open(tmp_path)
        before = self.worker(store)
        store.publish(before, [make_record(A, b"before"), make_record(B, kind=FAILURE)])
        held = store.claim(before, [C])
        child = self.fork(lambda: [busy(store, 1000, CONTESTED), claimed(store, C)])
        child.go()
        ann, mine = busy(store, 2000, CONTESTED)
        (bob, theirs), got = child.finish()
        assert ann != bob
        assert not set(mine) & set(theirs), "one key, one holder"
        assert not got, "a child holds nothing that its parent holds"
        store.release(before, held)
        store.refresh()
        for handle in (store, self.other(store)):
            handle.refresh()
            assert whole(handle, [*keys_of(1000), *keys_of(2000)]) == 2 * TASKS
            assert [len(records) for records in handle.failures([B])] == [1]
        assert store.check(fix=False) == []
        assert store.usage().results == 2 * TASKS + 1

    def test_a_child_may_publish_for_its_parents_worker(self, tmp_path: Path) -> None:
        """A worker that entered before the fork publishes on both sides of it."""
        self.needs_processes()
        store = self.open(tmp_path)
        worker = self.worker(store)
        publish(store, worker, keys_of(0)[:3])
        child = self.fork(lambda: publish(store, worker, keys_of(1000)))
        child.go()
        publish(store, worker, keys_of(2000))
        child.finish()
        publish(store, worker, keys_of(0)[3:])
        for handle in (store, self.other(store)):
            handle.refresh()
            assert whole(handle, [*keys_of(0), *keys_of(1000), *keys_of(2000)]) == 3 * TASKS
        assert store.check(fix=False) == []

    def test_news_are_told_on_both_sides_of_a_fork(self, tmp_path: Path) -> None:
        """What one side has heard is still news to the other."""
        self.needs_processes()
        store = self.open(tmp_path)
        other = self.other(store)
        worker = self.worker(other)
        store.refresh()
        other.publish(worker, [make_record(A)])
        number = other.invalidate([B])
        for _ in range(2):
            assert self.fork(lambda: heard(store)).finish() == [[A.hex()], True, number]
        child = self.fork(lambda: publish(store, self.worker(store), [C]))
        child.finish()
        assert store.wait(10.0)
        news = store.refresh()
        assert (set(news.results), news.tombstones) == ({A, C}, True)
        assert not store.refresh().results

    def test_what_a_child_closes_or_leaves_is_its_own(self, tmp_path: Path) -> None:
        """A child closes its handle and ends: the parent's goes on, and buries its worker."""
        self.needs_processes()
        store = self.open(tmp_path)
        worker = self.worker(store)
        publish(store, worker, [A])
        held = store.claim(worker, [A])
        theirs = self.fork(lambda: claim_and_close(store, B)).finish()
        publish(store, worker, [C])
        assert whole(store, [A, B, C]) == 3
        assert store.beat(worker)
        assert store.beat(theirs), "a supervisor beats for the workers of its children"
        other = self.other(store)
        carl = self.worker(other)
        assert other.claim(carl, [A, B]).busy == [A, B], "closing frees no lock"
        store.leave(theirs)
        store.release(worker, held)
        assert other.claim(carl, [A, B]).keys == [A, B]


# -- what each side does -------------------------------------------------------------
def keys_of(base: int) -> list[Key]:
    """Return the keys of one side."""
    return [make_key(base + n) for n in range(TASKS)]


def payload_for(key: Key) -> bytes:
    """Return the payload that belongs to a key: of sizes that meet in no block or page."""
    return key * (1 + 97 * (key[0] % 40))


def payload_of(record: Record | None) -> bytes | None:
    """Return a record's payload as bytes."""
    return record and payload_bytes(record.payload)


def whole(store: Store, keys: Sequence[Key]) -> int:
    """Count the keys whose own record, with its own payload, the store hands out."""
    store.refresh()
    found = zip(keys, store.load(keys), strict=True)
    return sum(
        record is not None and record.key == key and payload_of(record) == payload_for(key)
        for key, record in found
    )


def publish(store: Store, worker: str, keys: Sequence[Key]) -> None:
    """Publish one record a call."""
    for key in keys:
        store.publish(worker, [make_record(key, payload_for(key))])


def busy(store: Store, base: int, contested: Sequence[Key]) -> tuple[str, list[str]]:
    """Be a worker that claims, publishes and loads, and asserts that every answer is its own.

    Returns the worker and the contested keys that it got, and still holds.
    """
    worker = store.enter(make_identity(base))
    won: list[str] = []
    for n, key in enumerate(keys_of(base)):
        rival = contested[n : n + 1]
        claim = store.claim(worker, [key, *rival])
        assert key in claim.keys, "nobody else claims this key"
        assert list(store.present([key])) == [0]
        publish(store, worker, [key])
        (record,) = store.load([key])
        assert record is not None, "a worker's own result is there at once"
        assert record.key == key, "an answer to somebody else's question"
        assert payload_of(record) == payload_for(key)
        won += [other.hex() for other in rival if other in claim.keys]
        store.release(worker, claim, [key])
        assert store.beat(worker)
    return worker, won


def claimed(store: Store, key: Key) -> list[str]:
    """Try to claim a key as a new worker."""
    return [got.hex() for got in store.claim(store.enter(make_identity(3)), [key]).keys]


def heard(store: Store) -> list[object]:
    """Return what a refresh tells."""
    news = store.refresh()
    return [[key.hex() for key in news.results], news.tombstones, store.tombstones().epoch]


def claim_and_close(store: Store, key: Key) -> str:
    """Enter, publish, claim, close; return the worker: publishing later may free the lock."""
    worker = store.enter(make_identity(4))
    publish(store, worker, [key])
    assert store.claim(worker, [key]).keys == [key]
    store.close()
    return worker
