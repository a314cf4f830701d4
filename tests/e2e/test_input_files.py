"""Input files through ``execute``: read once for all workers and for all later commands."""

from __future__ import annotations

import os
import textwrap
import time
from pathlib import Path

import pytest

from taskgraph.digestshelf import DOCUMENT, unpack
from taskgraph.ops import open_session
from taskgraph.ops.execute import execute

AGE = 2.2  #: a file younger than two seconds is never remembered


@pytest.fixture
def job(tmp_path):
    """A jugfile over files that are old enough."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.tif").write_bytes(b"%d" % number)
    path = tmp_path / "study.py"
    path.write_text(
        textwrap.dedent("""
        from pathlib import Path
        from taskgraph import *
        @TaskGenerator
        def size(path): return open(path, "rb").read()
        here = Path(__file__).parent / "images"
        sizes = [size(file) for file in files(sorted(here.glob("*.tif")))]
        n = bvalue(sizes[0])
        again = size(File(here / "1.tif"))
    """)
    )
    time.sleep(AGE)
    return path


def test_digests_are_kept_in_the_store_and_used_by_all(job, monkeypatch):
    path = job
    assert execute(path, jobs=2).exit_code == 0
    session = open_session(path)
    before = session.store.get_document(DOCUMENT)
    assert sorted(Path(name).name for name in unpack(before)) == [f"{n}.tif" for n in range(5)]
    assert session.store.workers() == []
    assert session.store.get_document("jugfile/study") is not None
    monkeypatch.setattr("taskgraph.hashing.digests._read", None)
    assert open_session(path).module.n == b"0", "nothing is read again"


def test_a_file_that_changes_before_its_task_fails_the_task(job):
    path = job
    change = "(here / '2.tif').write_bytes(b'new')\nn = bvalue"
    path.write_text(path.read_text().replace("n = bvalue", change))
    outcome = execute(path)
    assert (outcome.exit_code, outcome.failed, outcome.done) == (1, 1, 4)


def test_reading_a_store_makes_nothing(job):
    path = job
    store = str(path.with_suffix(".taskgraph"))
    open_session(path, store, create=True, read=False).store.close()
    before = sorted(os.walk(store))
    session = open_session(path, store)
    assert session.stopped
    assert sorted(os.walk(store)) == before
