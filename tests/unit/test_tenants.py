"""Which jugfile a stem means in a store: strangers are named, movers go on."""

from __future__ import annotations

import pytest

from backends.memory_store import MemoryStore
from taskgraph.ops import open_session
from taskgraph.tenants import meet
from taskgraph.testing import FaultyStore
from taskgraph.testing.records import make_identity


@pytest.fixture
def store(tmp_path):
    """A store that looks like a folder."""
    found = MemoryStore()
    found.url = f"file:{tmp_path}/store"
    return found


def write(folder, text=""):
    folder.mkdir(exist_ok=True)
    path = folder / "study.py"
    path.write_text(text)
    return path


def test_another_jugfile_of_one_name_is_named_once_a_reading(store, tmp_path):
    one, two = write(tmp_path / "a"), write(tmp_path / "b")
    assert meet(store, one, "d", writes=True) == []
    assert meet(store, one, "d", writes=True) == []
    for writes in (False, True):
        (line,) = meet(store, two, "d", writes=writes)
        assert "../a/study.py and ../b/study.py" in line
        assert "--store" in line
        assert "name=" in line
    assert meet(store, one, "d", writes=True) == [], "the first stays the one that is known"


def test_a_project_that_moved_goes_on(store, tmp_path):
    path = write(tmp_path / "a")
    meet(store, path, "d", writes=True)
    tmp_path.joinpath("a").rename(tmp_path / "c")
    moved = tmp_path / "c" / "study.py"
    assert meet(store, moved, "d", writes=True) == []
    again = write(tmp_path / "a")
    assert len(meet(store, again, "d", writes=False)) == 1, "now the moved one is known"


def test_a_link_to_the_jugfile_is_the_jugfile(store, tmp_path):
    meet(store, write(tmp_path / "a"), "d", writes=True)
    tmp_path.joinpath("l").symlink_to(tmp_path / "a")
    assert meet(store, tmp_path / "l" / "study.py", "d", writes=True) == []


def test_a_reader_leaves_no_note(store, tmp_path):
    assert meet(store, write(tmp_path / "a"), "d", writes=False) == []
    assert store.list_documents() == []


def test_a_change_is_said_while_workers_are_alive(store, tmp_path):
    path = write(tmp_path / "a")
    meet(store, path, "old", writes=True)
    assert meet(store, path, "new", writes=False) == [], "nobody works"
    store.enter(make_identity())
    assert meet(store, path, "old", writes=True) == [], "nothing changed"
    (line,) = meet(store, path, "new", writes=True)
    assert "study.py has changed" in line
    assert "1 alive" in line
    assert meet(store, path, "new", writes=True) == []


@pytest.mark.parametrize("document", [b"garbage", b"[]", b'{"path": 3}', b"\xff"])
def test_a_damaged_note_is_written_anew(store, tmp_path, document):
    path = write(tmp_path / "a")
    store.put_document("jugfile/study", document)
    assert meet(store, path, "d", writes=True) == []
    assert b"../a/study.py" in store.get_document("jugfile/study")


def test_trouble_with_the_store_is_a_line(tmp_path):
    path = write(tmp_path / "a")
    (line,) = meet(FaultyStore(MemoryStore(), fail_at=1), path, "d", writes=True)
    assert "can't remember which jugfile study is" in line


def test_it_is_said_when_a_jugfile_is_read(tmp_path, capsys):
    one, two = write(tmp_path / "a"), write(tmp_path / "b")
    url = str(tmp_path / "store")
    open_session(one, url, create=True)
    open_session(two, url)
    assert capsys.readouterr().err.startswith("taskgraph: two jugfiles are named study.py")
