"""The fault counter: every call of a run fails once, and a second try gets through."""

from __future__ import annotations

import pytest

from backends.memory_store import MemoryStore
from taskgraph.errors import StoreFull, StoreUnreachable
from taskgraph.store import Store
from taskgraph.testing import FaultyStore, make_identity, make_key, make_record, payload_bytes

KEYS = [make_key(n) for n in range(3)]


def run(store: Store) -> None:
    """What a worker does, in its shortest form."""
    worker = store.enter(make_identity())
    claim = store.claim(worker, KEYS)
    missing = [key for key, there in zip(KEYS, store.present(KEYS), strict=True) if not there]
    store.publish(worker, [make_record(key, key[:3], epoch=claim.epoch) for key in missing])
    store.release(worker, claim)
    store.leave(worker)


@pytest.mark.parametrize("lost_reply", [False, True])
def test_a_run_survives_a_fault_in_every_call(lost_reply: bool) -> None:
    """For n = 1, 2, 3 ... until a run meets no fault; after each a clean run finds all in order."""
    failed = []
    for number in range(1, 100):
        inner = MemoryStore()
        store = FaultyStore(inner, fail_at=number, lost_reply=lost_reply)
        try:
            run(store)
        except StoreUnreachable:
            for info in inner.workers():  # as a supervisor does after a worker ended
                inner.leave(info.worker)
            run(store)
        if not store.failed:
            break
        failed.append(store.failed)
        assert inner.check() == []
        assert [payload_bytes(r.payload) for r in inner.load(KEYS) if r] == [k[:3] for k in KEYS]
        assert inner.workers() == []
    assert failed == ["enter", "claim", "present", "publish", "release", "leave"]


def test_the_error_can_be_chosen_and_comes_once() -> None:
    store = FaultyStore(MemoryStore(), fail_at=2, error=StoreFull)
    store.refresh()
    with pytest.raises(StoreFull, match="call 2, keys"):
        store.keys()
    assert store.keys() == []
    assert store.calls == 3
    assert isinstance(store, Store)
