"""``migrate`` between any two backends: what is copied, what stays dead, what is noticed."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.memory_store import MemoryStore
from taskgraph.codecs.signing import set_key_file
from taskgraph.errors import ConfigError, StoreUnreachable, UsageError
from taskgraph.ops import migrate
from taskgraph.ops.ledger import PREFIX
from taskgraph.registry import open_store
from taskgraph.store import DEATH, FAILURE, KILL_FAILURES, KILL_RESULTS, Store
from taskgraph.testing import (
    FaultyStore,
    StoreWrapper,
    make_identity,
    make_key,
    make_record,
    payload_bytes,
)
from taskgraph.testing.redis_server import RedisServer, need_server

LARGE = bytes(range(256)) * 8192  #: 2 MiB: a file of its own in a file store
A, B, C, D, E = map(make_key, range(5))


class Places:
    """Opens a store of a kind by a name, as often as one likes: each time a new handle."""

    def __init__(self, folder: Path, server: Callable[[], RedisServer]) -> None:
        self.folder = folder
        self.server = server
        self.memories: dict[str, MemoryStore] = {}
        self.opened: list[Store] = []

    def close(self) -> None:
        for store in self.opened:
            store.close()

    def memory(self, name: str) -> Store:
        store = self.memories.setdefault(name, MemoryStore()).handle()
        store.refresh()  # a store of any other kind has looked when it is open
        return store

    def file(self, name: str) -> Store:
        return self.open(str(self.folder / name))

    def redis(self, name: str) -> Store:
        project = hashlib.sha256(f"{self.folder}/{name}".encode()).hexdigest()[:16]
        return self.open(self.server().url(project))

    def open(self, url: str) -> Store:
        self.opened.append(open_store(url, create=True))
        return self.opened[-1]


KINDS = ["memory", "file", pytest.param("redis", marks=pytest.mark.redis)]
PAIRS = [
    pytest.param(pair, id="-".join(pair), marks=[pytest.mark.redis] if "redis" in pair else [])
    for pair in itertools.product(["memory", "file", "redis"], repeat=2)
]


@pytest.fixture(scope="module")
def server():
    """Start a server that has synced a change when it answers: others take 2 s to kill one."""
    need_server()
    with RedisServer(appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def places(tmp_path, request):
    places = Places(tmp_path, lambda: request.getfixturevalue("server"))
    yield places
    places.close()


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(params=PAIRS)
def pair(request, places):
    """Return what opens the source, and what opens the target."""
    one, other = (getattr(places, kind) for kind in request.param)
    return lambda: one("source"), lambda: other("target")


def put(store, *records):
    worker = store.enter(make_identity())
    store.publish(worker, records)
    store.leave(worker)


def fill(store):
    """Let a little history happen: A was killed and made again, B was made of the old A."""
    worker = store.enter(make_identity())
    store.publish(worker, [make_record(key, b"old" + key) for key in (A, B, C)])
    store.publish(worker, [make_record(D, kind=FAILURE), make_record(E, kind=FAILURE)])
    killed = store.invalidate([A])
    store.publish(worker, [make_record(A, b"new", epoch=killed)])
    retried = store.invalidate([D], KILL_FAILURES)
    store.publish(worker, [make_record(E, b"why", kind=DEATH, epoch=retried, attempt=2)])
    store.publish(worker, [make_record(make_key(9), LARGE, epoch=retried)])
    store.put_document("log/one", b"what it printed")
    store.leave(worker)
    return store


def alive(store, key, root):
    """Tell whether a result is alive for a task whose only killed ancestor is ``root``."""
    return bool(store.present([key], [store.tombstones().results.get(root, 0)])[0])


def test_all_is_there_and_what_was_killed_stays_so(pair):
    source, target = fill(pair[0]()), pair[1]()
    done = migrate(source, target)
    assert (done.exit_code, done.results, done.already) == (0, 4, 0)
    assert (done.failures, done.documents, done.tombstones, done.verified) == (2, 1, 2, 4)
    there = pair[1]()
    values = [payload_bytes(record.payload) for record in there.load([A, B, C, make_key(9)])]
    assert values == [b"new", b"old" + B, b"old" + C, LARGE]
    assert alive(there, A, A)
    assert not alive(there, B, A), "made of an A that was killed"
    assert alive(there, C, D), "what was never killed"
    assert there.failures([D]) == [[]]
    assert [record.attempt for record in there.failures([E])[0]] == [1, 2]
    assert there.get_document("log/one") == b"what it printed"
    assert there.check() == []
    assert there.workers() == []


@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=14
    )
)
def test_liveness_is_the_same_for_every_task_and_every_ancestor(steps):
    """Records of any epoch, also old ones that come late, and invalidates in any order."""
    source, target = MemoryStore(), MemoryStore()
    for attempt, (kills, number, age) in enumerate(steps):
        if kills:
            kind = KILL_FAILURES if age == 3 else KILL_RESULTS
            source.invalidate([make_key(number), make_key(number + age)], kind)
        else:
            epoch = max(0, source.tombstones().epoch - age)
            put(source, make_record(make_key(number), b"%d" % epoch, epoch=epoch))
            failed = make_record(make_key(number), kind=FAILURE, epoch=epoch, attempt=attempt)
            put(source, failed)
    for _ in range(2):  # a second run changes nothing
        assert migrate(source, target).exit_code == 0
        for key, root in itertools.product(map(make_key, range(5)), map(make_key, range(8))):
            floors = [
                [max(s.tombstones().results.get(r, 0) for r in (key, root))]
                for s in (source, target)
            ]
            assert source.present([key], floors[0]) == target.present([key], floors[1])
            here, there = source.failures([key], floors[0]), target.failures([key], floors[1])
            assert len(here[0]) == len(there[0])


def test_a_second_run_copies_only_what_is_missing(pair):
    migrate(fill(pair[0]()), pair[1]())
    source, target = pair[0](), pair[1]()
    epoch = target.tombstones().epoch
    done = migrate(source, target)
    assert (done.results, done.already, done.failures) == (0, 4, 0)
    assert (done.documents, done.tombstones, done.exit_code) == (0, 0, 0)
    assert target.tombstones().epoch == epoch

    number = source.invalidate([C])
    put(source, make_record(C, b"again", epoch=number), make_record(D, b"at last"))
    source.put_document("log/one", b"and more")
    done = migrate(pair[0](), pair[1]())
    assert (done.results, done.already, done.tombstones, done.documents) == (2, 3, 1, 1)
    there = pair[1]()
    assert payload_bytes(there.load([C])[0].payload) == b"again"
    assert there.get_document("log/one") == b"and more"


def test_what_was_done_in_the_target_since_stays(pair):
    migrate(fill(pair[0]()), pair[1]())
    target = pair[1]()
    number = target.invalidate([B])
    put(target, make_record(B, b"own", epoch=number), make_record(D, b"ours"))
    target.put_document("log/one", b"ours")
    source = pair[0]()
    put(source, make_record(D, b"theirs"))
    source.put_document("log/one", b"theirs")
    done = migrate(source, pair[1]())
    assert (done.exit_code, done.results, done.own, done.documents) == (0, 0, 2, 0)
    there = pair[1]()
    assert [payload_bytes(r.payload) for r in there.load([B, D])] == [b"own", b"ours"]
    assert there.get_document("log/one") == b"ours"


@pytest.mark.parametrize("lost_reply", [False, True], ids=["refused", "reply lost"])
def test_stopped_at_any_call_the_next_run_goes_on(places, kind, lost_reply):
    """After each stop what is there is right; nothing is killed twice by the next run."""
    source, opened = fill(MemoryStore()), getattr(places, kind)

    class Counts(StoreWrapper):
        def invalidate(self, keys, kind=KILL_RESULTS, note=""):
            given.append(super().invalidate(keys, kind, note))
            return given[-1]

    for stop in itertools.count(1):
        given = []
        name = f"t{stop}"
        stops = FaultyStore(Counts(opened(name)), stop, lost_reply=lost_reply)
        try:
            assert migrate(source, stops).exit_code == 0
        except StoreUnreachable:
            assert not alive(opened(name), B, A)
        if not stops.failed:
            assert stop > 20
            return
        there = opened(name)
        assert migrate(source, Counts(there)).exit_code == 0
        assert len(given) == 2, f"stopped at call {stop}, {stops.failed}"
        assert not alive(there, B, A)
        assert alive(there, A, A)
        assert payload_bytes(there.load([make_key(9)])[0].payload) == LARGE
        assert [len(records) for records in there.failures([D, E])] == [0, 2]


def test_a_damaged_result_is_named_and_the_rest_is_copied(places, kind):
    source = fill(places.file("source"))
    [path] = [p for p in (places.folder / "source" / "blobs").rglob("*") if p.is_file()]
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    done = migrate(places.file("source"), getattr(places, kind)("target"))
    assert done.exit_code == 1
    assert done.damaged == (make_key(9).hex(),)
    assert (done.results, done.verified, done.wrong) == (3, 3, ())
    assert source.present([A, B, C]) == getattr(places, kind)("target").present([A, B, C])


def test_of_two_copies_the_one_goes_that_the_source_would_choose(pair):
    put(pair[0](), make_record(A, b"one"))
    put(pair[0](), make_record(A, b"two"))
    source = pair[0]()
    chosen = source.load([A])[0].digest
    migrate(source, pair[1]())
    assert pair[1]().load([A])[0].digest == chosen


# -- refusals ----------------------------------------------------------------------
def test_a_store_is_not_copied_to_itself(places, kind):
    opened = getattr(places, kind)
    with pytest.raises(UsageError, match="twice"):
        migrate(fill(opened("one")), opened("one"))


def test_live_workers_are_not_copied_past_unless_asked(pair):
    source = fill(pair[0]())
    source.enter(make_identity())
    with pytest.raises(UsageError, match=r"--live.*got 1 live"):
        migrate(source, pair[1]())
    assert pair[1]().list_documents() == []
    assert migrate(source, pair[1](), live=True).results == 4


def test_a_target_that_holds_something_else_is_refused(pair):
    put(pair[1](), make_record(A))
    with pytest.raises(UsageError, match="empty store"):
        migrate(fill(pair[0]()), pair[1]())


def test_a_ledger_belongs_to_one_pair_of_stores(places, kind):
    """B is a copy of A; a copy of B does not know A, and has no numbers of A's."""
    opened = getattr(places, kind)
    migrate(fill(opened("a")), opened("b"))
    migrate(opened("b"), opened("c"))
    assert opened("c").list_documents(PREFIX) == [f"{PREFIX}{opened('b').id}"]
    with pytest.raises(UsageError, match="empty store"):
        migrate(opened("a"), opened("c"))


def test_signed_results_are_signed_anew_and_never_copied_unopened(tmp_path):
    """A signature holds for one store: a copy of its bytes would be refused in the other."""
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    (tmp_path / "key").chmod(0o600)
    paths = [str(tmp_path / "s"), str(tmp_path / "t")]
    set_key_file(str(tmp_path / "key"))
    try:
        source, target = [open_store(path, create=True) for path in paths]
        assert migrate(fill(source), target).exit_code == 0
        there = open_store(paths[1])
        assert payload_bytes(there.load([A])[0].payload) == b"new"
        assert there.get_document("log/one") == b"what it printed"
    finally:
        set_key_file(None)
    with pytest.raises(ConfigError, match="signed"):
        migrate(open_store(paths[0]), MemoryStore())


# -- a target that lies ------------------------------------------------------------
class Loses(StoreWrapper):
    """Says it has published, and drops the result of C."""

    def publish(self, worker, records):
        super().publish(worker, [record for record in records if record.key != C])


class Alters(StoreWrapper):
    """Gives back other bytes than it got, under the same digest."""

    def load(self, keys, floors=None):
        records = super().load(keys, floors)
        return [r and (r._replace(payload=b"x" * r.size) if r.key == C else r) for r in records]


class LosesFailures(StoreWrapper):
    def failures(self, keys, floors=None):
        return [[] for _ in keys]


class LosesDocuments(StoreWrapper):
    def put_document(self, name, data):
        super().put_document(name, data if name.startswith(PREFIX) else data[:-1])


@pytest.mark.parametrize(
    ("lies", "wrong"),
    [
        (Loses, {C.hex()}),
        (Alters, {C.hex()}),
        (LosesFailures, {E.hex()}),
        (LosesDocuments, {"document log/one"}),
    ],
)
def test_what_does_not_come_back_as_it_was_written_is_named(lies, wrong):
    done = migrate(fill(MemoryStore()), lies(MemoryStore()))
    assert set(done.wrong) == wrong
    assert done.exit_code == 1


def test_a_later_run_sees_what_the_target_has_lost(places, kind):
    opened = getattr(places, kind)
    source = fill(MemoryStore())
    migrate(source, opened("t"))
    there = opened("t")
    assert there.forget(there.heads([C])) == 1
    done = migrate(source, opened("t"))
    assert (done.results, done.verified) == (1, 4)


def test_what_is_too_large_for_the_target_is_named(places):
    target = places.memory("t")
    target.largest = 1 << 20
    done = migrate(fill(places.file("s")), target)
    assert done.too_large == (make_key(9).hex(),)
    assert (done.exit_code, done.results, done.wrong) == (1, 3, ())


def test_results_name_their_jugfile_as_seen_from_the_new_store(places, tmp_path):
    source = places.file("deep/source")
    record = make_record(A)
    origin = replace(record.origin, jugfile="../../jugfile.py")
    put(source, record._replace(origin=origin))
    near, far = places.file("near"), places.memory("far")
    migrate(source, near)
    migrate(source, far)
    assert near.heads([A])[0].origin.jugfile == "../jugfile.py"
    assert far.heads([A])[0].origin.jugfile == (tmp_path / "jugfile.py").resolve().as_posix()


def test_parts_are_bounded_by_number_and_bytes(monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules["taskgraph.ops.migrate"], "PART", 3)
    monkeypatch.setattr(sys.modules["taskgraph.ops.migrate"], "PART_BYTES", 100)
    source = MemoryStore()
    sizes = [10] * 7 + [90, 20, 500, 1]
    put(source, *[make_record(make_key(n), b"x" * size) for n, size in enumerate(sizes)])
    parts = []

    class Counts(StoreWrapper):
        def publish(self, worker, records):
            parts.append([record.size for record in records])
            super().publish(worker, records)

    seen = []
    migrate(source, Counts(MemoryStore()), progress=lambda *args: seen.append(args))
    assert [part for part in parts if part] == [[10] * 3, [10] * 3, [10, 90], [20], [500], [1]]
    assert seen == [(11, 11)]
