"""Entries of the Redis store: what is written comes back, and what was changed does not."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.redis_store import entries
from backends.redis_store.entries import CHUNKS, Pointer
from taskgraph.errors import ResultCorrupt
from taskgraph.store import Origin, Record
from taskgraph.testing import make_key, make_record, payload_bytes

KEY = make_key(1)
ORIGIN = Origin("f", "abc", "j.py", "host", "worker", "slurm:1", (("numpy", "2.0"),), (("a", "b"),))


def record(payload: bytes, inputs: int = 2) -> Record:
    made = make_record(
        KEY, payload, epoch=7, inputs=[make_record(make_key(n)) for n in range(inputs)]
    )
    return made._replace(origin=ORIGIN)


@given(payload=st.binary(max_size=600), inputs=st.integers(0, 5))
def test_an_entry_comes_back(payload: bytes, inputs: int) -> None:
    made = record(payload, inputs)
    entry = entries.read(KEY, entries.write(made, bytes(8), None))
    back = entry.to_record(KEY, ORIGIN, bytes(entry.payload))
    assert back == made
    assert (entry.epoch, entry.size, entry.pointer) == (7, len(payload), None)
    assert payload_bytes(back.payload) == payload


def test_every_changed_byte_and_every_cut_is_noticed() -> None:
    data = entries.write(record(b"payload"), bytes(8), None)
    for place in range(len(data)):
        with pytest.raises(ResultCorrupt):
            entries.read(KEY, data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :])
        with pytest.raises(ResultCorrupt):
            entries.read(KEY, data[:place])
    with pytest.raises(ResultCorrupt):
        entries.read(make_key(2), data)


@given(
    changes=st.lists(st.tuples(st.integers(0, 140), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 140),
    honest=st.booleans(),
)
def test_whatever_the_bytes_only_damage_is_raised(
    changes: list[tuple[int, int]], cut: int, honest: bool
) -> None:
    """Even with a checksum that fits, as a stranger can make one."""
    data = bytearray(entries.write(record(b"payload"), bytes(8), None)[:-4][:cut])
    for place, value in changes:
        if place < len(data):
            data[place] = value
    if honest:
        data += crc32(data, crc32(KEY)).to_bytes(4, "big")
    try:
        entry = entries.read(KEY, bytes(data))
    except ResultCorrupt:
        return
    assert len(entry.payload) <= len(data)


def test_damaged_origins_are_unknown_ones() -> None:
    for data in (
        b"",
        b"{",
        b"[]",
        b"3",
        b'{"versions":3}',
        b'{"versions":[1]}',
        b"\xff",
        b"[" * 9999,
    ):
        assert entries.read_origin(data) == Origin()


def test_a_pointer_comes_back_and_says_where() -> None:
    pointer = Pointer(b"0123456789abcdef", 3, 0xFFFF_FFFF)
    data = entries.write(record(b"x" * 1000), bytes(8), (CHUNKS, pointer))
    entry = entries.read(KEY, data)
    assert (entry.pointer, entry.size, entry.where) == (pointer, 1000, CHUNKS)
    assert data[entries.WHERE] == CHUNKS, "the scripts look there"
    assert entries.inputs_of(data) == record(b"").inputs


def test_an_origin_comes_back_also_from_a_newer_version() -> None:
    digest, data = entries.write_origin(ORIGIN)
    assert entries.read_origin(data) == ORIGIN
    assert entries.read_origin(data[:-1] + b',"more":1}') == ORIGIN
    assert digest != entries.write_origin(Origin("f"))[0]


def test_failures_in_a_row_are_taken_apart() -> None:
    some = [b"", b"one", b"x" * 300]
    data = b"".join(len(frame).to_bytes(4, "big") + frame for frame in some)
    assert entries.frames(data) == some
    assert entries.frames(b"") == []
