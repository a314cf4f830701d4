"""Tombstones: dense numbers, known up to the first gap, durable before use, never dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.tombstones import Graveyard
from taskgraph.errors import ResultCorrupt
from taskgraph.store import KILL_FAILURES, KILL_RESULTS
from taskgraph.testing.records import make_key

A, B = make_key(1), make_key(2)


class Disk(FileSystem):
    """Hides names, counts syncs, and calls back at pause points."""

    def __init__(self) -> None:
        self.hidden: set[str] = set()
        self.synced: list[int] = []
        self.at: dict[str, list[object]] = {}

    def names(self, folder: str) -> list[str]:
        return [name for name in super().names(folder) if name not in self.hidden]

    def sync(self, descriptor: int) -> None:
        self.synced.append(self.fstat(descriptor).st_ino)
        super().sync(descriptor)

    def point(self, name: str) -> None:
        waiting = self.at.get(name, [])
        if waiting:
            action = waiting.pop()
            assert callable(action)
            action()


@pytest.fixture(params=[True, False], ids=["links", "no links"])
def layout(request: pytest.FixtureRequest, tmp_path: Path) -> Layout:
    made = Layout(str(tmp_path), links=request.param)
    made.build(FileSystem())
    return made


def test_numbers_are_dense_and_kinds_are_apart(layout: Layout) -> None:
    graves = Graveyard(FileSystem(), layout)
    assert graves.add([A], KILL_RESULTS, {}) == 1
    assert graves.add([A, B], KILL_FAILURES, {"note": "retry"}) == 2
    assert graves.known == (2, {A: 1}, {A: 2, B: 2})
    assert Graveyard(FileSystem(), layout).look() == graves.known


def test_two_at_once_get_two_numbers(layout: Layout) -> None:
    disk = Disk()
    slow, fast = Graveyard(disk, layout), Graveyard(FileSystem(), layout)
    taken: list[int] = []
    disk.at["numbered"] = [lambda: taken.append(fast.add([B], KILL_RESULTS, {}))]
    assert slow.add([A], KILL_RESULTS, {}) == 2
    assert taken == [1]
    assert fast.look() == slow.known == (2, {A: 2, B: 1}, {})


def test_what_lies_behind_a_gap_does_not_count(layout: Layout) -> None:
    writer = Graveyard(FileSystem(), layout)
    for key in (A, B):
        writer.add([key], KILL_RESULTS, {})
    FileSystem().rename(layout.tombstone(1), layout.tombstone(7))
    assert Graveyard(FileSystem(), layout).look().epoch == 0


def test_a_hidden_name_in_a_gap_is_opened_by_name(layout: Layout) -> None:
    writer, disk = Graveyard(FileSystem(), layout), Disk()
    for key in (A, B):
        writer.add([key], KILL_RESULTS, {})
    disk.hidden = {"0000000001"}
    assert Graveyard(disk, layout).look().epoch == 2
    disk.hidden = {"0000000002"}
    assert Graveyard(disk, layout).look().epoch == 1


def test_a_listing_that_hides_the_last_number_makes_no_second_one(layout: Layout) -> None:
    Graveyard(FileSystem(), layout).add([A], KILL_RESULTS, {})
    disk = Disk()
    disk.hidden = {"0000000001"}
    late = Graveyard(disk, layout)
    disk.at["numbered"] = [disk.hidden.clear]
    assert late.add([B], KILL_RESULTS, {}) == 2


def test_every_tombstone_is_synced_by_its_reader(layout: Layout) -> None:
    writer, disk = Graveyard(FileSystem(), layout), Disk()
    for _ in range(3):
        writer.add([A], KILL_RESULTS, {})
    Graveyard(disk, layout).look()
    assert len(set(disk.synced)) >= 3


def test_folding_keeps_every_key_and_goes_on_counting(layout: Layout) -> None:
    graves = Graveyard(FileSystem(), layout)
    for i in range(5):
        graves.add([make_key(i)], KILL_FAILURES if i % 2 else KILL_RESULTS, {})
    before = graves.known
    graves.fold(least=3, patience=0)
    names = FileSystem().names(layout.invalid)
    assert names == ["table-0000000005"]
    fresh = Graveyard(FileSystem(), layout)
    assert fresh.look() == before
    assert fresh.add([A], KILL_RESULTS, {}) == 6
    graves.fold(least=1, patience=0)
    assert Graveyard(FileSystem(), layout).look() == (6, {**before.results, A: 6}, before.failures)


def test_parts_stay_while_another_host_may_list_them(layout: Layout) -> None:
    graves = Graveyard(FileSystem(), layout)
    for _ in range(3):
        graves.add([A], KILL_RESULTS, {})
    graves.fold(least=1, patience=60)
    assert len(FileSystem().names(layout.invalid)) == 4


def test_a_part_folded_between_listing_and_opening_is_found_in_the_table(layout: Layout) -> None:
    writer, disk = Graveyard(FileSystem(), layout), Disk()
    for key in (A, B):
        writer.add([key], KILL_RESULTS, {})
    listed = super(Disk, disk).names(layout.invalid)
    answers = [listed]
    writer.fold(least=1, patience=0)
    disk.names = lambda folder: answers.pop() if answers else FileSystem.names(disk, folder)  # type: ignore[method-assign]
    assert Graveyard(disk, layout).look() == (2, {A: 1, B: 2}, {})


def test_a_damaged_tombstone_is_an_error_and_never_passed_over(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    layout.build(FileSystem())
    Graveyard(FileSystem(), layout).add([A], KILL_RESULTS, {})
    path = Path(layout.tombstone(1))
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(ResultCorrupt, match="tombstone must be whole"):
        Graveyard(FileSystem(), layout).look()
