"""The verbs over the file store: one story from the first result to the last cleanup."""

from __future__ import annotations

import pytest

from taskgraph.errors import StoreUnreachable
from taskgraph.ops import (
    Selection,
    cleanup,
    export_tasks,
    failures,
    fsck,
    import_tasks,
    invalidate,
    open_session,
    pack,
    quick_status,
    rekey,
    retry,
    run,
    select,
    show,
    status_of,
    write_snapshot,
)

JUGFILE = """
from taskgraph import TaskGenerator

@TaskGenerator
def {name}(x):
    return [x] * 3

@TaskGenerator
def add(a, b):
    return a + b

parts = [{name}(i) for i in range(4)]
last = add(parts[0][0], parts[1][1])
"""


@pytest.fixture
def jugfile(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    path = tmp_path / "ops_story.py"
    path.write_text(JUGFILE.format(name="before"))
    return path


def test_a_store_that_is_only_read_is_not_made(jugfile):
    with pytest.raises(StoreUnreachable):
        open_session(jugfile)
    assert not jugfile.with_suffix(".taskgraph").exists()


def test_the_whole_story(jugfile, tmp_path):
    session = open_session(jugfile, create=True)
    for node in range(5):
        assert run(session, node, publish=True).published
    assert status_of(session).exit_code == 0
    assert session.value(session.module.last) == 1
    write_snapshot(session)
    assert quick_status(jugfile).exit_code == 0
    assert quick_status(jugfile).totals.stale == 0
    shown = show(session, 4)
    assert dict(shown.provenance)["jugfile"] == "../ops_story.py"
    assert [n.state for n in shown.dependencies] == ["done", "done"]

    gone = invalidate(session, select(session, Selection(names=["before"], where=["x=1"])))
    assert gone.nodes == (1, 4)
    assert quick_status(jugfile).totals.done == 3
    run(session, 1, publish=True)
    run(session, 4, publish=True)

    file = tmp_path / "last.tgx"
    assert export_tasks(session, [4], file).results == 3
    other = open_session(jugfile, str(tmp_path / "other.taskgraph"), create=True)
    assert import_tasks(other, file).new == 3
    assert other.value(other.module.last) == 1

    jugfile.write_text(JUGFILE.format(name="after"))
    session = open_session(jugfile)
    assert rekey(session, "ops_story.before", "ops_story.after").copied == 5
    assert status_of(session).exit_code == 0
    assert cleanup(session).results == 5
    assert fsck(session).findings == ()
    assert pack(session.store).after.results == 5
    assert status_of(open_session(jugfile)).exit_code == 0
    assert failures(session).count == retry(session, range(5)) == 0
