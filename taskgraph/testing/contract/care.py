"""The contract of care: packing, checking, forgetting, documents, waiting.

Everything here may run at any moment, beside workers; the test is that nothing live is
lost and nothing dead returns.
"""

from __future__ import annotations

from pathlib import Path

from taskgraph.store import FAILURE, KILL_FAILURES, Store
from taskgraph.testing.contract.base import ContractBase, floors_of
from taskgraph.testing.records import make_key, make_record, payload_bytes

A, B, C = make_key(1), make_key(2), make_key(3)


class CareContract(ContractBase):
    """What keeps a store small, whole and explainable."""

    def test_packing_loses_nothing_live(self, tmp_path: Path) -> None:
        """Results, failures and tombstones are the same after it, in every handle."""
        store = self.open(tmp_path)
        other = self.other(store)
        worker = self.worker(store)
        keys = [make_key(n) for n in range(20)]
        for key in keys:
            store.publish(worker, [make_record(key, key[:5]), make_record(key, kind=FAILURE)])
        number = store.invalidate(keys[:5])
        store.publish(worker, [make_record(keys[0], b"new", epoch=number)])
        store.invalidate(keys[15:], KILL_FAILURES)
        store.leave(worker)
        other.refresh()
        before = snapshot(other, keys)
        assert other.pack().results >= 16
        for handle in (store, other, self.other(store)):
            handle.refresh()
            assert snapshot(handle, keys) == before
        assert store.check() == []

    def test_the_dead_stay_dead_after_packing(self, tmp_path: Path) -> None:
        """A tombstone outlives the records it killed: what comes late is dead as well."""
        store = self.open(tmp_path)
        worker = self.worker(store)
        claim = store.claim(worker, [A])
        store.publish(worker, [make_record(A, b"one", epoch=claim.epoch)])
        number = store.invalidate([A])
        store.pack()
        store.publish(worker, [make_record(A, b"late", epoch=claim.epoch)])
        store.refresh()
        assert floors_of(store, [A]) == [number]
        assert list(store.present([A], [number])) == [0]

    def test_a_healthy_store_has_no_problems(self, tmp_path: Path) -> None:
        """Check finds nothing where nothing is wrong, inputs and big payloads included."""
        store = self.open(tmp_path)
        worker = self.worker(store)
        first = make_record(A, b"\x02" * 200_000)
        store.publish(worker, [first, make_record(B, inputs=[first]), make_record(C, kind=FAILURE)])
        assert store.check(fix=False) == []
        assert store.check() == []
        assert store.usage().results == 2
        assert store.usage().bytes >= 200_000

    def test_a_result_of_another_copy_is_named(self, tmp_path: Path) -> None:
        """After a double run of a task that is no function, check says what was built on the loser."""
        store = self.open(tmp_path)
        store.publish(
            self.worker(store),
            [make_record(A, b"kept"), make_record(B, inputs=[make_record(A, b"lost")])],
        )
        assert [problem.key for problem in store.check()] == [B]

    def test_forgetting_is_exact(self, tmp_path: Path) -> None:
        """Only the copies named by key, epoch and digest go."""
        store = self.open(tmp_path)
        other = self.other(store)
        store.publish(self.worker(store), [make_record(A), make_record(B)])
        head = store.heads([A])[0]
        assert head is not None
        assert store.forget([head._replace(digest=b"another!")]) == 0
        assert list(store.present([A, B])) == [1, 1]
        assert store.forget([head]) == 1
        assert list(store.present([A, B])) == [0, 1]
        fresh = self.other(other)
        fresh.refresh()
        assert list(fresh.present([A, B])) == [0, 1]
        assert store.tombstones().epoch == 0, "a tombstone would kill dependents elsewhere"

    def test_documents_are_whole_and_replaced_whole(self, tmp_path: Path) -> None:
        """Any name, any bytes; the last writer's stay; a prefix lists them."""
        store = self.open(tmp_path)
        other = self.other(store)
        assert store.get_document("graph") is None
        for name in ("graph/a b", "graph/ü", "..", "digests"):
            store.put_document(name, name.encode())
        store.put_document("digests", b"new")
        assert other.get_document("digests") == b"new"
        assert other.get_document("..") == b".."
        assert sorted(other.list_documents("graph/")) == ["graph/a b", "graph/ü"]
        assert len(other.list_documents()) == 4

    def test_waiting_ends_with_news(self, tmp_path: Path) -> None:
        """Another's publishing or invalidating wakes; without news the time runs out."""
        store = self.open(tmp_path)
        other = self.other(store)
        worker = self.worker(store)
        other.refresh()
        assert not other.wait(0.0)
        store.publish(worker, [make_record(A)])
        assert other.wait(10.0)
        assert set(other.refresh().results) == {A}
        store.invalidate([A])
        assert other.wait(10.0)
        assert other.refresh().tombstones


def snapshot(store: Store, keys: list[bytes]) -> list[object]:
    """Return all that a user can see of some keys."""
    floors = floors_of(store, *([key] for key in keys))
    return [
        [record and payload_bytes(record.payload) for record in store.load(keys, floors)],
        [len(records) for records in store.failures(keys, floors)],
        store.tombstones(),
    ]
