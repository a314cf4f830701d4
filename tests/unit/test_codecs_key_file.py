"""Keys from the command line to the workers: who has one, who has none, and what they are told."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from backends.file_store import open_store as open_files
from taskgraph import codecs, hashing
from taskgraph.cli import group
from taskgraph.codecs.signing import VARIABLE, keyring
from taskgraph.registry import open_store
from taskgraph.testing.records import make_identity

JUGFILE = """
from taskgraph import TaskGenerator

@TaskGenerator
def two():
    return 2

@TaskGenerator(isolate=True)
def twice(x):
    return 2 * x

twice(two())
"""


@pytest.fixture
def jugfile(tmp_path, monkeypatch):
    (tmp_path / "key").write_text(bytes(range(32)).hex())
    (tmp_path / "key").chmod(0o600)
    path = tmp_path / "pairs.py"
    path.write_text(JUGFILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    yield path
    codecs.set_main_stem(None)
    hashing.set_main_stem(None)


def invoke(*args, code=0):
    done = CliRunner().invoke(group, [*map(str, args), "--no-jug-alias"])
    assert done.exit_code == code, done.output
    return done.output


def forge(store, name):
    """Publish a later, unsigned result of a function, as a stranger would."""
    inner = open_files(store)
    keys = inner.keys()
    own = [head.key for head in inner.heads(keys) if head.origin.function.endswith(name)]
    (good,) = inner.load(own)
    worker = inner.enter(make_identity())
    inner.publish(worker, [good._replace(payload=codecs.encode(9)[0], epoch=1 << 40)])
    inner.leave(worker)
    inner.invalidate([key for key in keys if key not in own])


@pytest.mark.parametrize("template", ["--template", "--no-template"])
def test_workers_and_isolated_tasks_use_the_key_of_the_option(jugfile, template):
    invoke("execute", jugfile, "--key-file", "key", template)
    forge("pairs.taskgraph", "two")
    invoke("execute", jugfile, "--key-file", "key", template)
    assert keyring() is None, "the option counts for its command alone"
    store = open_files("pairs.taskgraph")
    results = [codecs.decode(record.payload) for record in store.load(store.keys())]
    assert sorted(results) == [2, 4]
    assert "all is well" in invoke("fsck", jugfile, "--key-file", "key")


def test_fsck_names_what_is_not_signed_and_puts_it_aside(jugfile):
    invoke("execute", jugfile, "--key-file", "key")
    forge("pairs.taskgraph", "two")
    assert "signature" in invoke("fsck", jugfile, "--key-file", "key", "--dry-run", code=1)
    invoke("fsck", jugfile, "--key-file", "key", code=1)
    assert "all is well" in invoke("fsck", jugfile, "--key-file", "key")


def test_a_run_without_the_key_is_refused_and_reading_is_not(jugfile):
    jugfile.with_name("taskgraph.toml").write_text('key-file = "key"\n')
    invoke("execute", jugfile)
    jugfile.with_name("taskgraph.toml").unlink()
    assert "done" in invoke("status", jugfile, "--short")
    invoke("execute", jugfile, code=2)
    invoke("run", jugfile, "two", "--publish", code=2)


def test_another_key_reads_nothing_and_removes_nothing_when_it_only_looks(jugfile, tmp_path):
    invoke("execute", jugfile, "--key-file", "key")
    (tmp_path / "other").write_text(bytes(range(50, 82)).hex())
    (tmp_path / "other").chmod(0o600)
    assert "result:" not in invoke("show", jugfile, "two", "--key-file", "other")
    assert "result:" in invoke("show", jugfile, "two", "--key-file", "key")
    assert len(open_store("pairs.taskgraph").keys()) == 2
