"""The n-th command to the server is lost, or its reply is; n = 1, 2, 3 until all goes well.

The link repeats by itself what it may; here that is turned off by failing it again, so that
the caller repeats whole calls whose outcome it does not know, as a worker does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from backends.redis_store import lua, open_store
from backends.redis_store.connection import Connection
from backends.redis_store.store import RedisStore
from taskgraph.errors import StoreUnreachable
from taskgraph.store import FAILURE
from taskgraph.testing import make_identity, make_key, make_record, payload_bytes
from taskgraph.testing.redis_rooms import new_url

pytestmark = pytest.mark.redis
A, B, C, D = (make_key(number) for number in range(4))
T = TypeVar("T")


class Faults:
    """Fails the n-th exchange of all connections, and the one after it (the repeat)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, after: bool) -> None:
        self.count, self.place, self.after = 0, 0, after
        self._send = send = Connection.pipeline

        def pipeline(connection: Connection, *args: Any, **more: Any) -> Any:
            self.count += 1
            failing = self.place <= self.count < self.place + 2
            if failing and not self.after:
                raise ConnectionResetError("the connection is lost")
            answer = send(connection, *args, **more)
            if failing:
                raise ConnectionResetError("the reply is lost")
            return answer

        monkeypatch.setattr(Connection, "pipeline", pipeline)

    def begin(self, place: int) -> None:
        self.count, self.place = 0, place


def insist(call: Callable[..., T], *args: Any) -> T:
    """Repeat a call while the server is away."""
    for _ in range(5):
        try:
            return call(*args)
        except StoreUnreachable:
            continue
    raise AssertionError("the server stays away")


def story(store: RedisStore) -> None:
    """Do each thing once that a worker does."""
    worker = insist(store.enter, make_identity())
    claim = insist(store.claim, worker, [A, B, C, D])
    assert claim.keys == [A, B, C, D], "what a lost reply has locked is ours"
    insist(store.refresh)
    first = make_record(A, b"a" * 100_000, epoch=claim.epoch)
    insist(store.publish, worker, [first])
    second = make_record(B, b"b" * 1000, epoch=claim.epoch, inputs=[first])
    failure = make_record(C, b"no", kind=FAILURE, epoch=claim.epoch)
    insist(store.publish, worker, [second, failure])
    insist(store.running, worker, D)
    assert insist(store.beat, worker)
    number = insist(store.invalidate, [B])
    insist(store.release, worker, claim)
    claim = insist(store.claim, worker, [B])
    assert claim.epoch >= number
    (loaded,) = insist(store.load, [A])
    assert loaded is not None
    again = make_record(B, b"c" * 2000, epoch=claim.epoch, inputs=[loaded])
    insist(store.publish, worker, [again])
    insist(store.put_document, "name", b"text")
    insist(store.leave, worker)
    insist(store.pack)
    insist(store.refresh)


def judge(store: RedisStore) -> None:
    """All is there once, whole, and nothing besides."""
    floors = [0, max(store.tombstones().results.values())]
    found = [record and payload_bytes(record.payload) for record in store.load([A, B], floors)]
    assert found == [b"a" * 100_000, b"c" * 2000]
    assert [len(records) for records in store.failures([C])] == [1]
    assert store.check(fix=False) == []
    assert (store.usage().results, store.usage().bytes) == (2, 102_000)
    worker = store.enter(make_identity())
    assert store.claim(worker, [A, B, C, D]).busy == [], "a lock is left"
    store._server._ahead += 100_000
    litter = {problem.what for problem in store.check()}
    assert litter <= {"dangling payload"}, "of a write whose reply was lost, at most"
    assert store.check() == []


def count_through(monkeypatch: pytest.MonkeyPatch, after: bool, files: Path | None = None) -> None:
    """Run the story with its first command failing, its second, and so on, until none does."""
    faults = Faults(monkeypatch, after)
    for place in itertools.count(1):
        url = new_url()
        if files is not None:
            url = f"{url.replace('unix:', 'unix+file:')}&files={files / str(place)}"
        faults.begin(1 << 60)
        store = open_store(url, create=True, say=lambda text: None, sleep=lambda seconds: None)
        try:
            faults.begin(place)
            story(store)
            reached = faults.count >= place
            faults.begin(1 << 60)
            judge(store)
        finally:
            faults.begin(1 << 60)
            store.close()
        if not reached:
            assert place > 20, "the story is longer than that"
            break


@pytest.mark.parametrize("after", [False, True], ids=["the command", "the reply"])
@pytest.mark.parametrize("mixed", [False, True], ids=["a server", "a mixed store"])
def test_every_call_may_be_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: bool, mixed: bool
) -> None:
    count_through(monkeypatch, after, tmp_path if mixed else None)


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("publish", "if not string.find(old, framed, 1, true) then", "if true then"),
        ("claim", "local alive = {[owner] = false}", "local alive = {[owner] = true}"),
    ],
)
def test_the_checker_sees_a_call_that_may_not(
    monkeypatch: pytest.MonkeyPatch, name: str, right: str, wrong: str
) -> None:
    """A failure that is there twice; a lock that its own worker takes for another's."""
    texts = lua.scripts()
    assert right in texts[name]
    bad = {**texts, name: texts[name].replace(right, wrong)}
    monkeypatch.setattr("backends.redis_store.server.scripts", lambda: bad)
    with pytest.raises(AssertionError):
        count_through(monkeypatch, after=True)
