"""The contract of records: published whole, found by all, judged by floors.

Records made of small numbers flow through the store under test. What a payload means is
not known here; where it came from must survive.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from taskgraph.store import DEATH, FAILURE, KILL_FAILURES, Payload, Record, Store
from taskgraph.testing.contract.base import ContractBase, floors_of
from taskgraph.testing.records import make_key, make_record, payload_bytes

PAYLOADS: list[Payload] = [
    b"",
    b"value",
    bytearray(b"array"),
    memoryview(b"view"),
    [b"head", memoryview(b"\x00" * 1000), bytearray(b"tail")],
    [],
    b"\x01" * 300_000,
]
A, B, C = make_key(1), make_key(2), make_key(3)


class RecordContract(ContractBase):
    """Results, failures, tombstones, and the news of them."""

    def test_a_new_store_is_empty_and_speaks_the_port(self, tmp_path: Path) -> None:
        """Nothing is present in what was just made."""
        store = self.open(tmp_path)
        assert isinstance(store, Store)
        assert store.lease_seconds > 0
        assert store.id
        assert list(store.present([A, B])) == [0, 0]
        assert store.load([A]) == [None]
        assert store.heads([A]) == [None]
        assert store.failures([A]) == [[]]
        assert store.keys() == []
        assert store.failed_keys() == []
        assert store.tombstones().epoch == 0
        assert not store.refresh().results

    @pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
    def test_a_record_comes_back_whole(self, tmp_path: Path, payload: Payload) -> None:
        """All fields and every byte of the payload survive, in the writer's and another handle."""
        store = self.open(tmp_path)
        record = make_record(A, payload, inputs=[make_record(B)], attempt=2)
        store.publish(self.worker(store), [record])
        other = self.other(store)
        other.refresh()
        for handle in (store, other):
            (back,) = handle.load([A])
            assert back is not None
            assert payload_bytes(back.payload) == payload_bytes(payload)
            assert same_but_payload(back, record)
            assert handle.heads([A])[0] == head(record)

    def test_answers_come_in_the_order_of_the_questions(self, tmp_path: Path) -> None:
        """Many keys in one call: each answer stands where its key stood, absent ones too."""
        store = self.open(tmp_path)
        keys = [make_key(n) for n in range(50)]
        store.publish(self.worker(store), [make_record(k, k[:7]) for k in keys[::2]])
        asked = [*reversed(keys), keys[0]]
        expected = [k[:7] if k in keys[::2] else None for k in asked]
        assert [r and payload_bytes(r.payload) for r in store.load(asked)] == expected
        assert list(store.present(asked)) == [e is not None for e in expected]
        assert [h and h.key for h in store.heads(asked)] == [
            k if e else None for k, e in zip(asked, expected, strict=True)
        ]
        assert sorted(store.keys()) == sorted(keys[::2])

    def test_others_hear_the_news_once(self, tmp_path: Path) -> None:
        """A refresh reports what came since the last one, also when a claim looked between."""
        store = self.open(tmp_path)
        other = self.other(store)
        worker, reader = self.worker(store), self.worker(other)
        other.refresh()
        store.publish(worker, [make_record(A), make_record(B, kind=FAILURE)])
        other.claim(reader, [C])
        assert list(other.present([A])) == [1], "a claim looks for new results"
        news = other.refresh()
        assert set(news.results) == {A}
        assert set(news.failures) == {B}
        assert not other.refresh().results
        assert not other.refresh().failures

    def test_published_buffers_may_be_used_again(self, tmp_path: Path) -> None:
        """What a caller does to its buffer after publish is not in the store."""
        store = self.open(tmp_path)
        buffer = bytearray(b"before")
        store.publish(self.worker(store), [make_record(A, [buffer])])
        buffer[:] = b"after!"
        (back,) = store.load([A])
        assert back is not None
        assert payload_bytes(back.payload) == b"before"

    def test_publishing_again_changes_nothing(self, tmp_path: Path) -> None:
        """The same call may be repeated after an error."""
        store = self.open(tmp_path)
        worker = self.worker(store)
        records = [make_record(A), make_record(B), make_record(C, kind=FAILURE)]
        store.publish(worker, records)
        store.publish(worker, records)
        assert len(store.failures([C])[0]) == 1
        assert sorted(store.keys()) == sorted([A, B])
        assert store.usage().results == 2

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    def test_all_readers_choose_the_same_copy(self, tmp_path: Path, order: tuple[int, ...]) -> None:
        """Greatest epoch, then greatest digest (or the first), in whatever order they came."""
        store = self.open(tmp_path)
        other = self.other(store)
        worker = self.worker(store)
        store.invalidate([B])
        low, high = sorted(
            (make_record(A, b"x", epoch=1), make_record(A, b"y", epoch=1)), key=lambda r: r.digest
        )
        copies = [make_record(A, b"old"), low, high]
        for number in order:
            store.publish(worker, [copies[number]])
        first = min((1, 2), key=order.index)
        expected = copies[first] if self.first_stays else high
        other.refresh()
        for handle in (store, other, self.other(store)):
            handle.refresh()
            (chosen,) = handle.heads([A])
            assert chosen is not None
            assert (chosen.epoch, chosen.digest) == (1, expected.digest)

    # -- tombstones --------------------------------------------------------------
    def test_invalidate_kills_what_was_there(self, tmp_path: Path) -> None:
        """A floor is a number that others learn; below it a result is not handed out."""
        store = self.open(tmp_path)
        other = self.other(store)
        store.publish(self.worker(store), [make_record(A), make_record(B)])
        number = other.invalidate([A], note="because")
        assert number > 0
        assert other.tombstones().results == {A: number}
        news = store.refresh()
        assert news.tombstones
        assert store.tombstones() == other.tombstones()
        floors = floors_of(store, [A], [B])
        assert floors == [number, 0]
        assert list(store.present([A, B], floors)) == [0, 1]
        assert store.load([A], floors[:1]) == [None]
        assert store.heads([A], floors[:1]) == [None]
        assert other.invalidate([A, C]) > number
        assert not store.refresh().results

    def test_what_began_before_an_invalidate_never_comes_back(self, tmp_path: Path) -> None:
        """The epoch of the claim counts, not the moment of publishing; a new claim is alive."""
        store = self.open(tmp_path)
        other = self.other(store)
        worker = self.worker(store)
        claim = store.claim(worker, [A])
        number = other.invalidate([A])
        store.publish(worker, [make_record(A, b"old", epoch=claim.epoch)])
        store.release(worker, claim)
        for handle in (store, other):
            handle.refresh()
            assert list(handle.present([A], [number])) == [0]
        again = store.claim(worker, [A])
        assert again.epoch >= number
        assert floors_of(store, [A]) == [number], "a claim reads the tombstones"
        store.publish(worker, [make_record(A, b"new", epoch=again.epoch)])
        other.refresh()
        (back,) = other.load([A], [number])
        assert back is not None
        assert payload_bytes(back.payload) == b"new"

    def test_an_ancestors_floor_kills_too(self, tmp_path: Path) -> None:
        """A tombstone names a root only; floors of dependents are the caller's arguments."""
        store = self.open(tmp_path)
        worker = self.worker(store)
        first = make_record(A)
        store.publish(worker, [first, make_record(B, inputs=[first])])
        number = store.invalidate([A])
        assert B not in store.tombstones().results
        assert list(store.present([A, B], floors_of(store, [A], [B, A]))) == [0, 0]
        store.publish(worker, [make_record(B, b"new", epoch=number)])
        assert list(store.present([B], floors_of(store, [B, A]))) == [1]

    # -- failures ----------------------------------------------------------------
    def test_failures_and_deaths_are_kept_apart_and_in_order(self, tmp_path: Path) -> None:
        """Oldest first, both kinds, and none of them is a result."""
        store = self.open(tmp_path)
        other = self.other(store)
        worker = self.worker(store)
        store.publish(worker, [make_record(A, b"1", kind=FAILURE)])
        store.publish(
            worker, [make_record(A, b"2", kind=DEATH), make_record(B, b"3", kind=FAILURE)]
        )
        other.refresh()
        for handle in (store, other):
            first, second = handle.failures([A, B])
            assert [(r.kind, payload_bytes(r.payload)) for r in first] == [
                (FAILURE, b"1"),
                (DEATH, b"2"),
            ]
            assert [payload_bytes(r.payload) for r in second] == [b"3"]
            assert sorted(handle.failed_keys()) == sorted([A, B])
            assert list(handle.present([A, B])) == [0, 0]
            assert handle.keys() == []

    def test_retry_kills_failures_and_no_result(self, tmp_path: Path) -> None:
        """A tombstone of failures leaves results alone; a floor kills failures as well."""
        store = self.open(tmp_path)
        worker = self.worker(store)
        store.publish(
            worker, [make_record(A), make_record(A, kind=FAILURE), make_record(B, kind=FAILURE)]
        )
        number = store.invalidate([A], KILL_FAILURES)
        assert store.tombstones().results == {}
        assert store.tombstones().failures == {A: number}
        assert [len(records) for records in store.failures([A, B])] == [0, 1]
        assert list(store.present([A], floors_of(store, [A]))) == [1]
        assert store.failures([B], [number]) == [[]]
        store.publish(worker, [make_record(A, b"again", kind=FAILURE, epoch=number)])
        assert [payload_bytes(r.payload) for r in store.failures([A])[0]] == [b"again"]


def head(record: Record) -> tuple[object, ...]:
    """Return what a store must say about a record without loading it."""
    size = len(payload_bytes(record.payload))
    return (
        record.key,
        record.epoch,
        record.digest,
        size,
        record.seconds,
        record.started,
        record.origin,
    )


def same_but_payload(one: Record, two: Record) -> bool:
    """Compare two records field by field, whatever buffers carry their bytes."""
    return one._replace(payload=b"", inputs=bytes(one.inputs)) == two._replace(payload=b"")
