"""The mixed store: large results are files, the server alone says which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.redis_store import open_store
from backends.redis_store.store import RedisStore
from taskgraph.errors import StoreForeign, StoreFull, StoreUnreachable
from taskgraph.testing import make_identity, make_key, make_record
from taskgraph.testing.redis_rooms import new_url

pytestmark = pytest.mark.redis
A, B, C = make_key(1), make_key(2), make_key(3)
OPENED: list[RedisStore] = []


def open_at(url: str, create: bool = True) -> RedisStore:
    store = open_store(url, create=create, say=lambda text: None, sleep=lambda seconds: None)
    OPENED.append(store)
    return store


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def mixed_url(folder: Path, url: str = "") -> str:
    return (url or new_url()).replace("unix:", "unix+file:") + f"&files={folder}"


def test_large_results_are_files_and_small_ones_are_not(tmp_path: Path) -> None:
    store = open_at(mixed_url(tmp_path / "files"))
    worker = store.enter(make_identity())
    store.publish(worker, [make_record(A, b"x" * 100_000), make_record(B, b"y" * 1000)])
    (path,) = [path for _, _, path in store._care._places.disk.files()]  # type: ignore[union-attr]
    assert path.name.startswith(A.hex())
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == b"x" * 100_000
    (found,) = store.load([A])
    assert found is not None
    memoryview(found.payload)[:3] = b"new"  # type: ignore[index,arg-type]
    assert path.read_bytes() == b"x" * 100_000, "a map is copied where it is written to"
    assert store.forget([head for head in store.heads([A]) if head]) == 1
    assert not path.exists()


def test_a_folder_belongs_to_one_store(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    store = open_at(mixed_url(folder))
    store.close()
    with pytest.raises(StoreForeign, match="belongs to"):
        open_at(mixed_url(folder))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(StoreForeign, match="empty at first"):
        open_at(mixed_url(tmp_path / "other"))
    with pytest.raises(StoreUnreachable, match="must be there"):
        open_at(mixed_url(tmp_path / "none", store.url.split("&")[0].replace("+file", "")), False)


def test_a_folder_that_another_process_founds_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked at while it is empty, and listed when it is founded."""
    url = mixed_url(tmp_path / "files")
    listed = Path.iterdir
    first: list[RedisStore] = []

    def late(path: Path) -> Iterator[Path]:
        monkeypatch.setattr(Path, "iterdir", listed)
        first.append(open_at(url))
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", late)
    assert open_at(url).id == first[0].id


def test_litter_of_a_killed_writer_is_named_and_removed(tmp_path: Path) -> None:
    """Chunks, and files with and without their marker, a lease time after they were written."""
    store = open_at(mixed_url(tmp_path / "files"))
    places = store._care._places
    places.put(A, 0, b"x" * 5000)
    places.put(B, 0, b"x" * 100_000)
    _, lost = places.put(C, 0, b"x" * 100_000)
    store._server.link.call("DEL", *places.chunks.names(C, lost))
    store.publish(store.enter(make_identity()), [make_record(make_key(4), b"x" * 100_000)])
    assert store.check() == [], "they may be about to be named"
    store._server._ahead += 40_000
    assert {problem.what for problem in store.check(fix=False)} == {"dangling payload"}
    assert len(store.check()) == 3
    assert store.check() == []
    assert store.usage() == (1, 100_000, 1)
    assert store.pack() == store.usage()


def test_a_folder_that_its_group_may_write_to_has_files_for_the_group(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    folder.chmod(0o2770)
    store = open_at(mixed_url(folder))
    store.publish(store.enter(make_identity()), [make_record(A, b"x" * 100_000)])
    (path,) = [path for _, _, path in store._care._places.disk.files()]  # type: ignore[union-attr]
    assert path.stat().st_mode & 0o777 == 0o660
    assert path.parent.stat().st_mode & 0o777 == 0o770


def test_large_results_need_the_folder_and_are_not_taken_for_damaged(tmp_path: Path) -> None:
    url = new_url()
    mixed = open_at(mixed_url(tmp_path / "files", url))
    mixed.publish(mixed.enter(make_identity()), [make_record(A, b"x" * 100_000)])
    plain = open_at(url)
    with pytest.raises(StoreForeign, match="files="):
        plain.load([A])
    assert mixed.load([A])[0] is not None


@pytest.mark.parametrize("damage", ["changed", "gone", "shorter"])
def test_a_damaged_file_is_noticed(tmp_path: Path, damage: str) -> None:
    store = open_at(mixed_url(tmp_path / "files"))
    store.publish(store.enter(make_identity()), [make_record(A, b"x" * 100_000)])
    (path,) = [path for _, _, path in store._care._places.disk.files()]  # type: ignore[union-attr]
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"y" * (100_000 if damage == "changed" else 99_999))
    assert [problem.key for problem in store.check(fix=False)] == [A]
    assert store.load([A]) == [None]
    assert list(store.present([A])) == [0]


def test_a_full_disk_is_a_full_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_at(mixed_url(tmp_path / "files"))
    worker = store.enter(make_identity())

    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("backends.redis_store.disk.os.write", full)
        with pytest.raises(StoreFull, match="free some"):
            store.publish(worker, [make_record(A, b"x" * 100_000)])
    assert list(store._care._places.disk.files()) == []  # type: ignore[union-attr]
    store.publish(worker, [make_record(A, b"x" * 100_000)])
    assert store.load([A])[0] is not None
