"""``stale``: what changed code made, what was accepted, and how that travels.

A jugfile is written in several versions; results are published as if the first had made them.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections import Counter

import pytest

from taskgraph.ops import (
    Selection,
    export_tasks,
    import_tasks,
    open_session,
    rekey,
    select,
    stale,
    status_of,
)
from taskgraph.ops.code import remember_code

JUGFILE = """
from taskgraph import TaskGenerator

SIGMA = {sigma}

@TaskGenerator
def blur(x):
    return x * SIGMA

@TaskGenerator
def other(x):
    return x

blur(1)
blur(2)
other(3)
"""


@pytest.fixture
def read(tmp_path, bench, monkeypatch):
    """Read a version of the jugfile over one store; the first has results."""
    monkeypatch.setattr("taskgraph.ops.context.open_store", lambda url, create=False: bench.store)
    path = tmp_path / "ops_stale.py"

    def version(sigma):
        path.write_text(JUGFILE.format(sigma=sigma))
        bench.session = open_session(path)
        return bench.session

    session = version(1)
    code = remember_code(session)
    for task in session.graph.tasks:
        bench.publish([task], fingerprint=code[task.name])
    assert stale(session).results == 0
    return version


def test_changed_code_is_stale_with_a_reason(read):
    session = read(22)
    found = stale(session)
    assert [(f.name, f.results) for f in found.functions] == [("ops_stale.blur", 2)]
    assert any("SIGMA" in reason for reason in found.functions[0].reasons)
    report = status_of(session)
    assert [row.stale for row in report.rows] == [2, 0]
    assert select(session, Selection(stale=True)) == [0, 1]
    assert stale(session, [2]).results == 0


def test_accepted_code_is_no_longer_stale_until_it_changes_again(read):
    session = read(22)
    assert stale(session, accept=True).accepted
    assert stale(session).results == 0
    assert status_of(session).totals.stale == 0
    assert select(session, Selection(stale=True)) == []
    assert stale(read(333)).results == 2
    assert stale(read(22)).results == 0


def test_without_the_old_parts_the_reason_names_the_code(read, bench, monkeypatch):
    session = read(22)
    monkeypatch.setattr(bench.store, "get_document", lambda name: None)
    (function,) = stale(session).functions
    assert function.reasons == (f"made by other code ({function.old[0][:12]})",)


def test_accepted_results_are_accepted_in_another_store(read, bench, benches, tmp_path):
    """Many results of two old codes, one of them accepted, in one file."""
    path = tmp_path / "all.tgx"
    stale(read(22), accept=True)
    session = read(22)
    calls = Counter()
    bench.store.get_document = counted(bench.store.get_document, calls)
    bench.store.heads = counted(bench.store.heads, calls)
    export_tasks(session, [0, 1, 2], path)
    assert calls == {"get_document": 1, "heads": 1}
    there = benches().store
    bench.store = there
    assert import_tasks(read(22), path).new == 3
    session = read(22)
    assert (stale(session).results, status_of(session).totals.stale) == (0, 0)
    assert stale(read(333)).results == 2, "only what was accepted is"


def test_only_what_made_the_exported_results_is_accepted_elsewhere(read, bench, benches, tmp_path):
    path = tmp_path / "other.tgx"
    stale(read(22), accept=True)
    export_tasks(read(22), [2], path)
    there = benches().store
    bench.store = there
    import_tasks(read(22), path)
    assert there.list_documents("accepted") == []


def test_an_export_of_before_acceptance_travelled_still_imports(read, bench, benches, tmp_path):
    path = tmp_path / "old.tgx"
    session = read(22)
    export_tasks(session, [0, 1, 2], path)
    data = path.read_bytes()
    (length,) = struct.unpack("<I", data[8:12])
    header = json.loads(data[12 : 12 + length])
    del header["accepted"]
    text = json.dumps(header).encode()
    data = data[:8] + struct.pack("<I", len(text)) + text + data[12 + length : -32]
    path.write_bytes(data + hashlib.sha256(data).digest())
    bench.store = benches().store
    assert import_tasks(read(22), path).new == 3
    assert stale(read(22)).results == 2


def counted(method, calls):
    def call(*arguments):
        calls[method.__name__] += 1
        return method(*arguments)

    return call


@pytest.mark.parametrize("accepted", [True, False])
def test_a_renamed_function_keeps_what_was_accepted(read, bench, tmp_path, accepted):
    """Only the name has changed: what counted as good before counts now, and nothing else."""
    session = read(22)
    if accepted:
        stale(session, accept=True)
    path = tmp_path / "ops_stale.py"
    path.write_text(JUGFILE.format(sigma=22).replace("blur", "smooth"))
    bench.session = session = open_session(path)
    assert rekey(session, "ops_stale.blur", "ops_stale.smooth", dry_run=True).copied == 2
    assert rekey(session, "ops_stale.blur", "ops_stale.smooth").copied == 2
    assert stale(session).results == (0 if accepted else 2)
    path.write_text(JUGFILE.format(sigma=333).replace("blur", "smooth"))
    bench.session = open_session(path)
    assert stale(bench.session).results == 2


def test_results_of_the_present_code_stay_fresh_under_a_new_name(read, bench, tmp_path):
    path = tmp_path / "ops_stale.py"
    path.write_text(JUGFILE.format(sigma=1).replace("blur", "smooth"))
    bench.session = open_session(path)
    rekey(bench.session, "ops_stale.blur", "ops_stale.smooth")
    assert stale(bench.session).results == 0
