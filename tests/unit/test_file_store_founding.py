"""Founding: one charter for all, foreign folders refused, reading leaves no trace."""

from __future__ import annotations

import errno
import json
import os
import stat
from pathlib import Path

import pytest

from backends.file_store import open_store, path_of
from backends.file_store.filesystem import FileSystem
from backends.file_store.mounts import on_network
from taskgraph.errors import StoreForeign, StoreTooNew, StoreUnreachable, UsageError
from taskgraph.store import Store
from taskgraph.testing.records import make_identity, make_key, make_record


def test_the_port_is_implemented(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "s"), create=True)
    assert isinstance(store, Store)
    assert store.lease_seconds == 30.0


def test_a_missing_store_is_made_only_when_asked(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachable, match="no store yet"):
        open_store(str(tmp_path / "s"))
    assert list(tmp_path.iterdir()) == []
    first = open_store(str(tmp_path / "deep" / "s"), create=True)
    assert open_store(f"file:{tmp_path}/deep/s").id == first.id


@pytest.mark.parametrize("form", ["{}", "file:{}", "file://{}"])
def test_all_forms_of_a_url_mean_one_path(form: str) -> None:
    assert path_of(form.format("/a/b")) == "/a/b"


def test_a_relative_path_is_made_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert path_of("file:x.taskgraph") == str(tmp_path / "x.taskgraph")


def test_of_several_founders_at_once_one_wins(tmp_path: Path) -> None:
    class Late(FileSystem):
        """Links its charter only after another process has."""

        other = ""

        def link(self, source: str, target: str) -> None:
            if target.endswith("store.json") and not self.other:
                self.other = open_store(str(tmp_path / "s"), create=True).id
            super().link(source, target)

    late = Late()
    assert open_store(str(tmp_path / "s"), create=True, fs=late).id == late.other


def test_a_store_that_is_being_founded_is_nothing_foreign(tmp_path: Path) -> None:
    """Whoever comes when the first folders are there founds it too, and one charter wins."""

    class Slow(FileSystem):
        """Another process comes while the first folder is there and no other."""

        other = ""

        def mkdir(self, path: str, mode: int) -> None:
            super().mkdir(path, mode)
            if not self.other and path.startswith(f"{tmp_path}/s/"):
                self.other = open_store(str(tmp_path / "s"), create=True).id

    slow = Slow()
    assert open_store(str(tmp_path / "s"), create=True, fs=slow).id == slow.other


def test_a_charter_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    """Without hard links a founder's file is there before its content is."""

    class NoLinks(FileSystem):
        found = b""

        def link(self, source: str, target: str) -> None:
            raise OSError(errno.EPERM, "no links here")

        def read_file(self, path: str) -> bytes:
            data = super().read_file(path)
            if path.endswith("store.json") and not self.found:
                self.found, data = data, b""
            return data

    first = open_store(str(tmp_path / "s"), create=True, fs=NoLinks())
    assert open_store(str(tmp_path / "s"), create=True, fs=NoLinks()).id == first.id


def test_a_newer_format_is_refused_and_says_what_to_install(tmp_path: Path) -> None:
    open_store(str(tmp_path), create=True)
    info = json.loads((tmp_path / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps({**info, "format": 99, "created_by": "v9"}))
    with pytest.raises(StoreTooNew, match="install v9"):
        open_store(str(tmp_path))


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    for create in (True, False):
        with pytest.raises(StoreForeign, match=r"thesis\.tex"):
            open_store(str(tmp_path), create=create)
    with pytest.raises(StoreForeign, match="must be a folder"):
        open_store(str(tmp_path / "thesis.tex"), create=True)


@pytest.mark.parametrize("made", ["ab/" + "0" * 38, "tempfiles/x locks/y"])
def test_a_jug_directory_is_refused_with_the_command_to_type(tmp_path: Path, made: str) -> None:
    for name in made.split():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(StoreForeign, match="taskgraph import-jug JUGFILE --from"):
        open_store(str(tmp_path), create=True)


def test_a_broken_charter_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(StoreForeign, match=r"store\.json"):
        open_store(str(tmp_path), create=True)


def test_reading_works_in_a_read_only_folder_and_leaves_no_trace(tmp_path: Path) -> None:
    with_result = open_store(str(tmp_path), create=True)
    record = make_record(make_key(1))
    with_result.publish(with_result.enter(make_identity()), [record])
    with_result.close()

    class ReadOnly(FileSystem):
        def create(self, path: str, mode: int) -> int:
            raise PermissionError(13, "read-only", path)

        def mkdir(self, path: str, mode: int) -> None:
            raise PermissionError(13, "read-only", path)

        def link(self, source: str, target: str) -> None:
            raise PermissionError(13, "read-only", target)

    before = sorted(p.name for p in tmp_path.rglob("*"))
    reader = open_store(str(tmp_path), fs=ReadOnly())
    assert reader.load([record.key]) == [record]
    assert reader.check(fix=False) == []
    assert sorted(p.name for p in tmp_path.rglob("*")) == before
    with pytest.raises(StoreUnreachable, match="permissions"):
        reader.enter(make_identity())


def test_group_mode_holds_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o077)
    try:
        store = open_store(str(tmp_path / "s"), create=True, mode="group")
        worker = store.enter(make_identity())
        store.publish(worker, [make_record(make_key(1), b"x" * 100_000), make_record(make_key(2))])
        store.invalidate([make_key(2)])
        store.put_document("a/b", b"text")
    finally:
        os.umask(old)
    for path in (tmp_path / "s").rglob("*"):
        wanted = 0o2770 if path.is_dir() else 0o660
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_private_store_is_closed_to_others(tmp_path: Path) -> None:
    open_store(str(tmp_path / "s"), create=True)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700
    with pytest.raises(UsageError, match="private, group"):
        open_store(str(tmp_path / "t"), create=True, mode="world")


def test_mounts_tell_the_network_from_the_disk(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    table.write_text(
        "root / ext4 rw 0 0\n"
        "server:/x /net\\040home nfs4 rw 0 0\n"
        "tmpfs /net\\040home/fast tmpfs rw 0 0\n"
    )
    assert not on_network("/home/a", str(table))
    assert on_network("/net home/a", str(table))
    assert not on_network("/net home/fast/a", str(table))
    assert not on_network("/anywhere", str(tmp_path / "missing"))
