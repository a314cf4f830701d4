"""The index: of two copies the same one wins for everybody, whatever was read first."""

from __future__ import annotations

import itertools

import pytest

from backends.file_store.blocks import Block
from backends.file_store.drafts import drafts, place, placed
from backends.file_store.index import Index
from taskgraph.store import DEATH, FAILURE, Record
from taskgraph.testing.records import make_key, make_record

KEY = make_key(1)


class Bytes:
    """A file in memory."""

    def __init__(self, data: bytes, name: str) -> None:
        self.data, self.name = data, name

    def pread(self, size: int, offset: int) -> bytes:
        return self.data[offset : offset + size]

    def hold(self, start: int, end: int) -> None:
        pass


def block_of(records: list[Record], name: str = "s") -> tuple[Block, list[bytes]]:
    draft = next(drafts(records))
    return placed(draft, 0, Bytes(b"".join(place(draft, 0)), name)), draft.keys


def add(index: Index, *records: Record, name: str = "s") -> list[bytes]:
    return index.add(*block_of(list(records), name))


def winner(index: Index, key: bytes = KEY) -> tuple[int, bytes]:
    block, row = index.at(index.results[key])
    return block.rank(row)


COPIES = [
    make_record(KEY, epoch=epoch)._replace(digest=digest)
    for epoch, digest in ((0, b"z" * 8), (1, b"a" * 8), (1, b"b" * 8))
]


@pytest.mark.parametrize("order", list(itertools.permutations(COPIES)))
def test_the_greatest_epoch_then_digest_wins_in_any_order(order: tuple[Record, ...]) -> None:
    apart, together = Index(), Index()
    for record in order:
        add(apart, record)
    add(together, *order)
    assert winner(apart) == winner(together) == (1, b"b" * 8)


def test_news_are_the_keys_for_which_something_changed() -> None:
    index = Index()
    others = [make_record(make_key(i)) for i in (2, 3)]
    assert add(index, COPIES[1], *others) == [KEY, make_key(2), make_key(3)]
    assert add(index, COPIES[0], make_record(make_key(4))) == [make_key(4)]
    assert add(index, COPIES[2]) == [KEY]


def test_an_equal_copy_replaces_its_source_and_is_no_news() -> None:
    index = Index()
    add(index, COPIES[2], name="source")
    assert add(index, COPIES[2], name="copy") == []
    assert not index.forget_segments({"source"})
    assert winner(index) == (1, b"b" * 8)


def test_losing_the_last_copy_is_said() -> None:
    index = Index()
    add(index, COPIES[2], name="source")
    assert index.forget_segments({"source"})
    assert index.results == {}


def test_bad_rows_do_not_count() -> None:
    index = Index()
    block, keys = block_of([make_record(make_key(i)) for i in range(3)])
    assert index.add(block, keys, bad={1}) == [make_key(0), make_key(2)]
    assert make_key(1) not in index.results


def test_a_failure_and_its_copy_are_one_but_two_attempts_are_two() -> None:
    index = Index()
    first, second = (make_record(KEY, kind=FAILURE, attempt=a) for a in (1, 2))
    assert add(index, first, name="a") == [KEY]
    assert add(index, first, name="b") == []
    assert add(index, second, name="b") == [KEY]
    assert add(index, make_record(KEY, kind=DEATH), name="b") == [KEY]
    assert len(index.failed[KEY]) == 3
    index.forget_segments({"a"})
    assert len(index.failed[KEY]) == 3
    index.forget_segments({"b"})
    assert KEY not in index.failed


def waiting(index: Index, *records: Record, name: str = "s") -> None:
    block, keys = block_of(list(records), name)
    index.add_later(block, b"".join(keys))


@pytest.mark.parametrize("order", list(itertools.permutations(COPIES)))
@pytest.mark.parametrize("asked", ["bucket", "all", "bucket, then all", "in between"])
def test_what_waits_obeys_the_same_rule_however_it_is_asked_for(
    order: tuple[Record, ...], asked: str
) -> None:
    index = Index()
    for n, record in enumerate(order):
        waiting(index, record, make_record(make_key(7)), name=f"s{n}")
        if asked == "in between":
            index.about([KEY])
    if asked.startswith("bucket"):
        assert set(index.about([KEY])) >= {KEY}
    if asked == "bucket":
        block, row = index.at(index.about([KEY])[KEY])
        assert block.rank(row) == (1, b"b" * 8)
    assert winner(index) == (1, b"b" * 8)
    assert set(index.results) == {KEY, make_key(7)}


def test_only_the_bucket_that_is_asked_about_is_taken_in() -> None:
    index = Index()
    others = [bytes((n,)) + bytes(31) for n in range(9)]
    waiting(index, *(make_record(key) for key in others))
    assert set(index.about(others[:2])) == set(others[:2])
    assert set(index.results) == set(others)


def test_of_equal_copies_the_later_one_stays_also_when_the_earlier_waited() -> None:
    index = Index()
    waiting(index, make_record(KEY), name="source")
    assert add(index, make_record(KEY), name="packed") == []
    assert index.spot(index.results[KEY])[0] == "packed"
    assert not index.forget_segments({"source"})
    assert KEY in index.results


def test_what_waits_goes_with_its_segment() -> None:
    index = Index()
    waiting(index, make_record(KEY), name="gone")
    assert index.forget_segments({"gone"})
    assert KEY not in index.about([KEY])
