"""Blocks: a torn one is no block, a flipped bit is noticed, and everything comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backends.file_store.blocks import HEADER_SIZE, MARK, ROW, Block, Reference, parse, split_keys
from backends.file_store.drafts import drafts, mark, place, placed, sources
from taskgraph.store import DEATH, KEY_SIZE, RESULT, Origin, Record
from taskgraph.testing.records import make_key, make_record

OFFSET = 4096


class Bytes:
    """A file in memory that begins at an offset."""

    name = "bytes"

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = bytes(offset) + data

    def pread(self, size: int, offset: int) -> bytes:
        return self.data[offset : offset + size]

    def hold(self, start: int, end: int) -> None:
        pass


def written(records: list[Record], references: dict[int, Reference] | None = None) -> bytes:
    data = b""
    for draft in drafts(records, references):
        data += b"".join(place(draft, OFFSET + len(data)))
    return data


def read(data: bytes) -> list[tuple[Block, list[bytes]]]:
    source = Bytes(data, OFFSET)
    at, found = OFFSET, []
    while (parsed := parse(source, at, OFFSET + len(data))) is not None:
        block, packed = parsed
        found.append((block, split_keys(packed)))
        at = block.end
    return found


def records_of(data: bytes) -> list[Record]:
    return [
        block.record(key, i, block.row(i), block.stored(i, block.row(i)) or b"")
        for block, keys in read(data)
        for i, key in enumerate(keys)
    ]


def same_origin(records: list[Record]) -> list[Record]:
    return [record._replace(origin=records[0].origin) for record in records]


def sample(n: int = 3) -> list[Record]:
    first = make_record(make_key(0), b"")
    return [first] + [
        make_record(make_key(i), b"payload %d" % i, epoch=i % 2, inputs=[first] * i)
        for i in range(1, n)
    ]


def test_records_come_back_as_they_were() -> None:
    rich = Origin("f", "abc", "j.py", "host", "w", "slurm:1", (("numpy", "2.0"),), (("a", "b"),))
    records = [*sample(), make_record(make_key(9), bytearray(b"xyz"))._replace(origin=rich)]
    assert records_of(written(records)) == [*records[:3], records[3]._replace(payload=b"xyz")]


def test_a_payload_of_many_buffers_is_stored_in_a_row() -> None:
    record = make_record(make_key(1), [b"ab", memoryview(b"cd"), bytearray(b"ef")])
    assert records_of(written([record]))[0].payload == b"abcdef"


def test_kinds_make_blocks_of_their_own_in_order() -> None:
    records = [make_record(make_key(i), kind=kind) for i, kind in enumerate((1, 1, 3, 1))]
    found = read(written(records))
    assert [(block.kind, block.n) for block, _ in found] == [(RESULT, 2), (DEATH, 1), (RESULT, 1)]


def test_too_many_rows_or_contexts_make_another_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.file_store.drafts.MAX_CONTEXTS", 2)
    records = same_origin([make_record(make_key(i), epoch=i // 2) for i in range(10)])
    data = written(records)
    assert [block.n for block, _ in read(data)] == [4, 4, 2]
    assert records_of(data) == records


def test_a_large_block_of_payloads_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.file_store.drafts.MAX_PAYLOADS", 25)
    records = [make_record(make_key(i), b"0123456789") for i in range(5)]
    data = written(records)
    assert [block.n for block, _ in read(data)] == [2, 2, 1]
    assert records_of(data) == records


def test_a_reference_stands_for_a_payload_elsewhere() -> None:
    reference = Reference(b"t" * 16, 1 << 40, 77)
    block, _ = read(written(sample(), {1: reference}))[0]
    assert block.reference(1, block.row(1)) == reference
    assert block.head(make_key(1), 1).size == 1 << 40
    assert block.head(make_key(2), 2).size == len(b"payload 2")


@pytest.mark.parametrize("cut", range(1, 330))
def test_a_torn_last_block_leaves_the_ones_before(cut: int) -> None:
    first, second = sample(2), [make_record(make_key(5), b"later")]
    whole = written(first)
    data = whole + b"".join(place(next(drafts(second)), OFFSET + len(whole)))
    torn = data[: max(len(whole), len(data) - cut)]
    assert [block.n for block, _ in read(torn)] == [2]


def test_every_flipped_byte_is_noticed() -> None:
    data = written(sample())
    missed = []
    for i in range(len(data)):
        wrong = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        found = read(wrong)
        sound = found and all(
            block.stored(j, block.row(j)) is not None for block, _ in found for j in range(block.n)
        )
        missed += [i] if sound else []
    assert missed == []


def test_a_block_at_another_place_is_none() -> None:
    data = written(sample())
    assert parse(Bytes(data, OFFSET + 8), OFFSET + 8, OFFSET + 8 + len(data)) is None


def test_a_later_version_is_not_read() -> None:
    data = bytearray(written(sample()))
    data[4] += 1
    assert read(bytes(data)) == []


def test_marks_and_sources_have_no_rows() -> None:
    data = sources(["a", "b"], OFFSET)
    data += mark(OFFSET + len(data))
    assert [block.n for block, _ in read(data)] == [0, 0]
    assert read(data)[1][0].kind == MARK


def test_a_placed_draft_equals_the_block_read_back() -> None:
    draft = next(drafts(sample()))
    data = b"".join(place(draft, OFFSET))
    mine, theirs = placed(draft, OFFSET, Bytes(data, OFFSET)), read(data)[0][0]
    assert [mine.row(i) for i in range(3)] == [theirs.row(i) for i in range(3)]
    assert mine.end == theirs.end == OFFSET + draft.size
    assert mine.keys() == [make_key(i) for i in range(3)]


def test_a_record_takes_76_bytes_at_most_without_its_inputs() -> None:
    """So that a million tasks of ten inputs stay below 250 MB."""
    assert KEY_SIZE + ROW.size <= 76
    records = same_origin([make_record(make_key(i), b"") for i in range(1000)])
    assert len(written(records)) <= 76 * 1000 + HEADER_SIZE + 200


def test_long_attempts_and_unlike_origins_fit() -> None:
    records = [make_record(make_key(i), attempt=1000) for i in range(2)]
    records[1] = records[1]._replace(origin=replace(records[1].origin, function="other"))
    found = records_of(written(records))
    assert [r.attempt for r in found] == [255, 255]
    assert [r.origin.function for r in found] == ["tests.work", "other"]
