"""Stores under a key believe nothing that was not signed for them."""

from __future__ import annotations

import json
import logging
import stat

import numpy as np
import pytest

from backends.file_store import open_store as open_files
from backends.memory_store import MemoryStore
from taskgraph import codecs
from taskgraph.codecs.signing import VARIABLE, Keyring, set_key_file
from taskgraph.errors import ConfigError, ResultCorrupt
from taskgraph.failures import FailureReport
from taskgraph.ops.context import visitor
from taskgraph.ops.rekey import rekey
from taskgraph.ops.run import run
from taskgraph.ops.transfer import export_tasks, import_tasks
from taskgraph.registry import open_store
from taskgraph.session import Session
from taskgraph.signed import ASIDE, signed
from taskgraph.store import FAILURE
from taskgraph.task import TaskGenerator
from taskgraph.testing import FakeClock
from taskgraph.testing.records import make_identity, make_key, make_record

OLD, NEW = bytes(range(32)), bytes(range(100, 150))


@pytest.fixture
def inner():
    return MemoryStore(clock=FakeClock())


def publish(store, *records):
    store.publish(store.enter(make_identity()), records)


CALLED: list[str] = []


def bang(word):
    CALLED.append(word)


class Attack:
    """Pickles to a call that must never be made."""

    def __reduce__(self):
        return bang, ("here",)


def attack():
    """Return a payload whose reading calls; the first test shows that it does."""
    payload, _ = codecs.encode(Attack())
    return payload if isinstance(payload, bytes) else b"".join(payload)


@pytest.fixture(autouse=True)
def nothing_is_called():
    yield
    assert CALLED == []


def test_the_planted_attack_works_without_a_key(inner):
    publish(inner, make_record(make_key(1), attack()))
    (record,) = inner.load([make_key(1)])
    codecs.decode(record.payload)
    assert CALLED == ["here"]
    CALLED.clear()


def values(store, *keys):
    return [None if r is None else codecs.decode(r.payload) for r in store.load(keys)]


def test_what_is_signed_comes_back_and_is_longer_by_one_head_below(inner):
    store = signed(inner, Keyring([OLD]))
    array = np.arange(10_000.0)
    publish(store, make_record(make_key(1), codecs.encode(array)[0]))
    (record,) = store.load([make_key(1)])
    np.testing.assert_array_equal(codecs.decode(record.payload), array)
    (below,) = inner.load([make_key(1)])
    assert below.size == record.size + 64


@pytest.mark.parametrize("removes", [True, False])
def test_an_unsigned_result_is_never_read_and_put_aside_only_by_who_computes(
    inner, caplog, removes
):
    publish(inner, make_record(make_key(1), attack()))
    store = signed(inner, Keyring([OLD]), removes=removes)
    with caplog.at_level(logging.WARNING):
        assert store.load([make_key(1)]) == [None]
    assert "it is not signed" in caplog.text
    assert inner.present([make_key(1)])[0] == (not removes)
    aside = inner.list_documents(ASIDE)
    assert len(aside) == removes
    assert all(inner.get_document(name) == attack() for name in aside)


def test_a_sound_copy_below_a_forged_one_is_found(inner):
    store = signed(inner, Keyring([OLD]))
    key = make_key(1)
    publish(store, make_record(key, codecs.encode("right")[0]))
    publish(inner, make_record(key, codecs.encode("forged")[0], epoch=7))
    assert values(store, key) == ["right"]
    assert inner.heads([key])[0].epoch == 0


def moved(record, **changes):
    return record._replace(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"key": make_key(2)},
        {"epoch": 3},
        {"digest": b"another!"},
        {"inputs": bytes(16)},
        {"payload": None},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_record_that_was_moved_or_changed_is_refused(inner, changes):
    """The same record in its own place is taken: see the first test."""
    other = MemoryStore(clock=FakeClock())
    other.id = inner.id
    store, there = signed(inner, Keyring([OLD])), signed(other, Keyring([OLD]))
    publish(store, make_record(make_key(1), codecs.encode(5)[0]))
    (raw,) = inner.load([make_key(1)])
    publish(other, raw)
    assert values(there, make_key(1)) == [5]
    if "payload" in changes:
        changes = {"payload": bytes(raw.payload)[:-1] + b"\7"}
    forged = raw._replace(**changes)
    other = MemoryStore(clock=FakeClock())
    other.id = inner.id
    publish(other, forged)
    assert signed(other, Keyring([OLD])).load([forged.key]) == [None]


def test_a_record_of_another_store_or_origin_is_refused(inner):
    store, other = signed(inner, Keyring([OLD])), MemoryStore(clock=FakeClock())
    publish(store, make_record(make_key(1), codecs.encode(5)[0]))
    (raw,) = inner.load([make_key(1)])
    publish(other, raw)
    assert signed(other, Keyring([OLD])).load([make_key(1)]) == [None]


def test_a_new_key_signs_and_the_old_one_still_verifies(inner):
    publish(signed(inner, Keyring([OLD])), make_record(make_key(1), codecs.encode(1)[0]))
    both = signed(inner, Keyring([NEW, OLD]))
    publish(both, make_record(make_key(2), codecs.encode(2)[0]))
    assert values(both, make_key(1), make_key(2)) == [1, 2]
    only_new = signed(inner, Keyring([NEW]), removes=False)
    assert values(only_new, make_key(1), make_key(2)) == [None, 2]


def test_failures_are_signed_too(inner, caplog):
    store, key = signed(inner, Keyring([OLD])), make_key(1)
    text = FailureReport(message="mine").to_bytes()
    publish(store, make_record(key, text, kind=FAILURE))
    publish(inner, make_record(key, FailureReport(message="x").to_bytes(), kind=FAILURE))
    assert [FailureReport.of(r).message for r in store.failures([key])[0]] == ["mine"]
    reports = [FailureReport.of(r).message for r in inner.failures([key])[0]]
    assert sorted(reports) == ["mine", "x"], "without a key the signature is skipped"


def test_documents_are_signed_and_lie_apart(inner, caplog):
    store = signed(inner, Keyring([OLD]))
    inner.put_document("digests", b"a stranger's")
    assert store.get_document("digests") is None
    store.put_document("digests", b"ours")
    assert (store.get_document("digests"), store.list_documents()) == (b"ours", ["digests"])
    assert inner.get_document("digests") == b"a stranger's"
    sealed = inner.get_document("signed/digests")
    inner.put_document("signed/accepted", sealed)
    with caplog.at_level(logging.WARNING):
        assert store.get_document("accepted") is None
    assert "moved from elsewhere" in caplog.text


def test_a_check_names_what_is_not_signed(inner):
    store = signed(inner, Keyring([OLD]))
    publish(store, make_record(make_key(1), codecs.encode(1)[0]))
    assert store.check() == []
    publish(inner, make_record(make_key(2), codecs.encode(2)[0]))
    (problem,) = store.check(fix=False)
    assert (problem.what, problem.key, problem.fixed) == ("signature", make_key(2), False)
    assert store.check()[0].fixed
    assert store.check() == []


def test_a_reader_without_a_key_skips_signatures(inner):
    store = signed(inner, Keyring([OLD]))
    publish(store, make_record(make_key(1), codecs.encode([1, np.arange(3)])[0]))
    (record,) = inner.load([make_key(1)])
    assert codecs.decode(record.payload)[0] == 1
    assert codecs.describe(record.payload) == codecs.describe(store.load([make_key(1)])[0].payload)
    assert "array" in codecs.preview(record.payload)
    with pytest.raises(ResultCorrupt, match="the head of its signature"):
        codecs.decode(bytes(record.payload)[:40])
    with pytest.raises(ResultCorrupt, match="format is unknown"):
        codecs.decode(bytes(record.payload)[:64] * 2)


# -- the key file -----------------------------------------------------------------------
@pytest.fixture
def key_file(tmp_path, monkeypatch):
    path = tmp_path / "key"
    path.write_text(OLD.hex() + "\n")
    path.chmod(0o600)
    monkeypatch.setenv(VARIABLE, str(path))
    yield path
    set_key_file(None)


def test_a_store_opened_with_a_key_file_is_signed(key_file, tmp_path, monkeypatch):
    store = open_store(str(tmp_path / "s"), create=True)
    publish(store, make_record(make_key(1), codecs.encode(1)[0]))
    assert values(open_store(str(tmp_path / "s")), make_key(1)) == [1]
    key_file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n")
    assert values(open_store(str(tmp_path / "s")), make_key(1)) == [1]
    monkeypatch.delenv(VARIABLE)
    plain = open_store(str(tmp_path / "s"))
    assert values(plain, make_key(1)) == [1], "reading is free"
    with pytest.raises(ConfigError, match="are signed, and workers with a key"):
        open_store(str(tmp_path / "s"), create=True)
    with pytest.raises(ConfigError, match="are signed"), visitor(plain):
        pass


def test_a_large_result_is_judged_and_read_from_one_copy(key_file, tmp_path):
    """A change of the file below a map, after the signature was verified, reaches nobody."""
    store = open_store(str(tmp_path / "s"), create=True)
    array = np.random.default_rng(0).random(50_000)
    publish(store, make_record(make_key(1), codecs.encode(array)[0]))
    (record,) = open_store(str(tmp_path / "s")).load([make_key(1)])
    (blob,) = [p for p in (tmp_path / "s" / "blobs").rglob("*") if p.is_file()]
    with blob.open("r+b") as file:
        file.write(bytes(blob.stat().st_size))
    found = codecs.decode(record.payload)
    np.testing.assert_array_equal(found, array)
    found[0] = 1.0


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o660, 0o602])
def test_a_key_that_others_can_read_is_refused(key_file, mode):
    key_file.chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        open_store("memory:", create=True)
    assert stat.filemode(mode | stat.S_IFREG) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"secret", bytes(64), b"00" * 40, b"ab" * 31, OLD.hex().encode() + b"\nfour"],
    ids=repr,
)
def test_a_weak_or_mistyped_key_is_refused(key_file, content):
    key_file.write_bytes(content)
    with pytest.raises(ConfigError, match="openssl rand -hex 32"):
        open_store("memory:", create=True)


def test_a_missing_key_file_is_no_unsigned_run(key_file):
    key_file.unlink()
    with pytest.raises(ConfigError, match="results would go unsigned"):
        open_store("memory:", create=True)


def test_random_bytes_are_one_key(key_file):
    key_file.write_bytes(b"\xff\n" + bytes(range(10, 60)))
    open_store("memory:", create=True)


# -- records that are carried elsewhere -----------------------------------------------------
@TaskGenerator
def halve(x):
    return x / 2


@TaskGenerator
def split(x):
    return x / 2


def session_at(path):
    session = Session(open_store(str(path), create=True))
    with session:
        task = split(10)
    return session, session.graph.node(task)


def test_an_export_is_verified_and_signed_again(key_file, tmp_path, monkeypatch):
    session, node = session_at(tmp_path / "a")
    run(session, node, publish=True)
    export_tasks(session, [node], tmp_path / "r.tgx")
    other, _ = session_at(tmp_path / "b")
    assert import_tasks(other, tmp_path / "r.tgx").new == 1
    assert other.value(other.graph.tasks) == [5.0]
    monkeypatch.delenv(VARIABLE)
    plain, _ = session_at(tmp_path / "c")
    assert import_tasks(plain, tmp_path / "r.tgx").new == 1, "without a key a seal is skipped"
    export_tasks(plain, [node], tmp_path / "unsigned.tgx")
    monkeypatch.setenv(VARIABLE, str(key_file))
    with pytest.raises(ResultCorrupt, match="it is not signed"):
        import_tasks(session_at(tmp_path / "d")[0], tmp_path / "unsigned.tgx")
    data = bytearray((tmp_path / "r.tgx").read_bytes())
    data[-1] ^= 1
    (tmp_path / "r.tgx").write_bytes(data)
    with pytest.raises(ResultCorrupt, match="signature is wrong"):
        import_tasks(session_at(tmp_path / "d")[0], tmp_path / "r.tgx")
    (tmp_path / "r.tgx").write_bytes(bytes(data) + b"more")
    with pytest.raises(ResultCorrupt):
        import_tasks(session_at(tmp_path / "d")[0], tmp_path / "r.tgx")


@pytest.mark.parametrize("header", [b"{", b"[]", b"\xff"], ids=repr)
def test_an_export_with_a_broken_header_is_damaged(tmp_path, header):
    path = tmp_path / "r.tgx"
    path.write_bytes(b"TGEXPRT1" + len(header).to_bytes(4, "little") + header + bytes(32))
    with pytest.raises(ResultCorrupt, match="header"):
        import_tasks(Session(MemoryStore(clock=FakeClock())), path)


def test_a_rekeyed_record_is_signed_for_its_new_key(key_file, tmp_path):
    store = open_store(str(tmp_path / "s"), create=True)
    session = Session(store)
    with session:
        task = halve(10)
    run(session, session.graph.node(task), publish=True)
    session, _ = session_at(tmp_path / "s")
    name = f"{__name__}."
    assert rekey(session, name + "halve", name + "split").copied == 1
    assert session.value(session.graph.tasks) == [5.0]


def test_a_forged_result_is_computed_again_by_execute(key_file, tmp_path):
    from taskgraph.ops import execute

    jugfile = tmp_path / "jugfile.py"
    jugfile.write_text(
        "from taskgraph import TaskGenerator\n"
        "@TaskGenerator\ndef two():\n    return 2\n"
        "@TaskGenerator\ndef twice(x):\n    return 2 * x\n"
        "twice(two())\n"
    )
    assert execute(jugfile).exit_code == 0
    inner = open_files(str(tmp_path / "jugfile.taskgraph"))
    stored = inner.keys()
    key = next(k for k in stored if inner.heads([k])[0].origin.function.endswith("two"))
    (good,) = inner.load([key])
    worker = inner.enter(make_identity())
    inner.publish(worker, [good._replace(payload=codecs.encode(9)[0], epoch=1 << 40)])
    inner.leave(worker)
    inner.invalidate([k for k in stored if k != key])
    assert execute(jugfile).exit_code == 0
    store = open_store(str(tmp_path / "jugfile.taskgraph"))
    assert sorted(values(store, *store.keys())) == [2, 4]
    assert json.dumps(sorted(store.list_documents("graph/"))) == '["graph/jugfile"]'
