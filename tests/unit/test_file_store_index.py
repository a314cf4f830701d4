"""The index: of two copies the same one wins for everybody, whatever was read first."""

from __future__ import annotations

import itertools

import pytest

from backends.file_store.blocks import Block
from backends.file_store.drafts import drafts, place, placed
from backends.file_store.index import FEW, Index
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
@pytest.mark.parametrize("large", [{0, 1, 2}, {0}, {1}, {0, 1}, {2}, set()], ids=str)
def test_what_waits_obeys_the_same_rule_however_it_is_asked_for(
    order: tuple[Record, ...], asked: str, large: set[int]
) -> None:
    """Large blocks wait as columns, small ones are taken in at once: in the order of reading."""
    index = Index()
    many = [make_record(make_key(7 + i)) for i in range(FEW + 1)]
    for n, record in enumerate(order):
        waiting(index, record, *(many if n in large else many[:1]), name=f"s{n}")
        if asked == "in between":
            index.about([KEY])
    if asked.startswith("bucket"):
        assert set(index.about([KEY])) >= {KEY}
    if asked == "bucket":
        block, row = index.at(index.about([KEY])[KEY])
        assert block.rank(row) == (1, b"b" * 8)
    assert winner(index) == (1, b"b" * 8)
    rest = many if large else many[:1]
    assert set(index.results) == {KEY, *(record.key for record in rest)}


def test_a_small_block_does_not_wait_as_a_column() -> None:
    """Each column is searched once for each bucket: thousands of one row cost seconds."""
    index = Index()
    for n in range(1, FEW + 2):
        waiting(index, *(make_record(make_key(100 * n + i)) for i in range(n)), name=f"s{n}")
    assert [len(firsts) for *_, firsts in index._columns] == [FEW + 1]


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


# -- twins of what was handed out ----------------------------------------------------
LOW, HIGH = (make_record(KEY)._replace(digest=digest) for digest in (b"a" * 8, b"b" * 8))
NEWER = make_record(KEY, epoch=1)


def handed(*records: Record, name: str = "first") -> Index:
    """Return an index that has handed out the result of KEY."""
    index = Index()
    add(index, *records, name=name)
    index.hand_out(index.results[KEY])
    return index


def test_what_was_handed_out_stays_when_a_better_twin_comes() -> None:
    """One process, one value: others choose the better one, and a check judges by that."""
    index = handed(LOW)
    assert add(index, HIGH) == [], "nothing new to whoever has a value"
    assert winner(index) == (0, LOW.digest)
    block, row = index.at(index.for_all()[KEY])
    assert block.rank(row) == (0, HIGH.digest)
    assert add(index, LOW, HIGH, name="again") == []
    assert winner(index) == (0, LOW.digest)


def test_what_was_only_seen_gives_way() -> None:
    """The bit is the row's: one handed out beside it changes nothing."""
    index = Index()
    add(index, LOW, *(make_record(make_key(n)) for n in range(2, 20)))
    for n in range(2, 20):
        index.hand_out(index.results[make_key(n)])
    assert add(index, HIGH) == [KEY]
    assert winner(index) == (0, HIGH.digest)


def test_a_tombstone_ends_it() -> None:
    """A newer twin is news, and comes into its own when the one kept is dead."""
    index = handed(LOW)
    assert add(index, NEWER) == [KEY]
    assert winner(index) == (0, LOW.digest)
    assert index.after(KEY, 2) is None
    at = index.after(KEY, 1)
    assert at == index.results[KEY]
    assert winner(index) == (1, NEWER.digest)
    assert index.after(KEY, 1) is None


def test_a_packed_copy_of_what_was_handed_out_is_kept_to() -> None:
    index = handed(LOW)
    add(index, LOW, name="packed")
    assert not index.forget_segments({"first"})
    add(index, HIGH)
    assert winner(index) == (0, LOW.digest)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_index_made_anew_keeps_to_it_and_a_file_that_is_gone_ends_it(
    order: tuple[int, int],
) -> None:
    index = handed(LOW)
    add(index, HIGH, name="second")
    anew = Index(index)
    for number in order:
        add(anew, (LOW, HIGH)[number], name=("first", "second")[number])
    assert winner(anew) == (0, LOW.digest)
    assert anew.forget_segments({"first"})
    last = Index(anew)
    add(last, HIGH, name="second")
    assert winner(last) == (0, HIGH.digest)


def test_it_costs_a_bit_a_row() -> None:
    """Nothing is kept by key: a million tasks that were loaded take 125 kB."""
    keys = [make_key(n) for n in range(4_000)]
    index = Index()
    add(index, *map(make_record, keys))
    for at in index.results.values():
        index.hand_out(at)
    assert [len(bits) for bits in index.handed().values()] == [500]
