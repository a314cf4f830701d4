"""Damaged, cut and forged payloads: errors, never a crash, never a silent other value."""

from __future__ import annotations

import os
import pickle
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskgraph import codecs
from taskgraph.codecs import frame, rebuild
from taskgraph.codecs.wire import ARRAY, FULL, PLAIN
from taskgraph.errors import CodecError, ResultCorrupt


class Thing:
    """A class of which only full pickles speak."""


SAMPLES = {
    "none": None,
    "true": True,
    "int": 1234,
    "long": 3**200,
    "float": 1.5,
    "complex": 1j,
    "text": "päper",
    "bytes": b"abc",
    "list": [1, "two", {3: (4.0,)}],
    "array": np.arange(12, dtype=np.int16).reshape(3, 4),
    "labels": np.repeat(np.arange(8, dtype=np.int32), 1024),
    "mixed": {"a": np.arange(5.0), "b": [np.ones((3, 3), bool), None], "c": np.float32(1)},
    "objects": np.array([1, "a"], dtype=object),
    "full": [Thing, np.arange(4)],
}
PAYLOADS = {}
for _name, _value in SAMPLES.items():
    _payload, _ = codecs.encode(_value)
    PAYLOADS[_name] = _payload if isinstance(_payload, bytes) else b"".join(_payload)


@pytest.mark.parametrize("name", SAMPLES)
def test_a_payload_cut_anywhere_is_corrupt(name):
    payload = PAYLOADS[name]
    for end in range(len(payload)):
        with pytest.raises(ResultCorrupt):
            codecs.decode(payload[:end])
        with pytest.raises(ResultCorrupt):
            codecs.decode(memoryview(bytearray(payload[:end])))


@pytest.mark.parametrize("name", SAMPLES)
def test_a_longer_payload_is_corrupt(name):
    for tail in (b"\0", b"x" * 64):
        with pytest.raises(ResultCorrupt):
            codecs.decode(PAYLOADS[name] + tail)


@given(st.data())
def test_any_damage_is_an_error_or_another_sound_value(data):
    name = data.draw(st.sampled_from(sorted(PAYLOADS)))
    payload = bytearray(PAYLOADS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = codecs.decode(payload)
    except (ResultCorrupt, CodecError):
        return
    assert found is not None or SAMPLES[name] is None


@given(st.binary(max_size=200))
def test_random_bytes_are_an_error_or_a_value(data):
    try:
        codecs.decode(data)
    except (ResultCorrupt, CodecError):
        return


@pytest.mark.parametrize("data", [b"", bytes(100), b"\x80", b"<html>"], ids=repr)
def test_foreign_bytes_are_corrupt(data):
    with pytest.raises(ResultCorrupt):
        codecs.decode(data)


def test_heads_and_pickles_are_guarded_by_a_checksum():
    """Every flipped bit before the first buffer is found."""
    payload = PAYLOADS["mixed"]
    for at in range(1, frame.unpack(memoryview(payload)).stream.nbytes + 80):
        for bit in range(8):
            damaged = bytearray(payload)
            damaged[at] ^= 1 << bit
            with pytest.raises(ResultCorrupt):
                codecs.decode(damaged)


def forged(tag, stream, parts=()):
    """Return a payload with a right checksum, as an attacker would write it."""
    payload, _ = frame.pack(tag, "", stream, [frame.Part(part) for part in parts])
    return payload if isinstance(payload, bytes) else b"".join(payload)


class Attack:
    """Pickles to a call of ``os.system``."""

    def __reduce__(self):
        return os.system, ("touch /nowhere/at/all",)


def test_a_plain_payload_never_runs_code():
    attack = pickle.dumps(Attack())
    with pytest.raises(ResultCorrupt, match=r"names what only full ones may.*system"):
        codecs.decode(forged(PLAIN, attack))
    with pytest.raises(CodecError, match="allow it for stores you trust"):
        codecs.decode(forged(FULL, attack), allow_pickle=False)


def test_the_planted_attack_works_where_it_may(monkeypatch):
    """The same bytes under the full tag do reach their target: the refusal is real."""
    called = []
    attack = forged(FULL, pickle.dumps(Attack()))
    monkeypatch.setattr(f"{os.system.__module__}.system", called.append)
    codecs.decode(attack)
    assert called == ["touch /nowhere/at/all"]


@pytest.mark.parametrize(
    "name", ["builtins.eval", "os.system", "taskgraph.codecs.rebuild.main", "builtins.getattr"]
)
def test_a_plain_payload_knows_few_names(name):
    module, _, attribute = name.rpartition(".")
    stream = f"c{module}\n{attribute}\n.".encode()
    with pytest.raises(ResultCorrupt):
        codecs.decode(forged(PLAIN, stream))


def test_a_plain_payload_can_not_change_the_functions_it_calls():
    """The BUILD opcode sets attributes of whatever lies on the stack."""
    for state in (b"}S'x'\nNs", b"N}S'x'\nNs\x86"):
        stream = b"ctaskgraph.codecs.rebuild\narray\n" + state + b"b."
        with pytest.raises(ResultCorrupt):
            codecs.decode(forged(PLAIN, stream))
    assert not hasattr(rebuild.array, "x")


@pytest.mark.parametrize(
    "description",
    [
        '["<f8", [1000000000000], "C"]',
        '["<f8", [-1, -1], "C"]',
        '["|O", [1], "C"]',
        '["nonsense", [1], "C"]',
        '["<f8", [1], "Q"]',
        '[[["a", "|O"]], [1], "C"]',
        '["<f8"]',
        "{}",
        "[[[[",
    ],
)
def test_an_array_takes_no_memory_that_its_payload_has_not(description):
    with pytest.raises(ResultCorrupt):
        codecs.decode(forged(ARRAY, description.encode(), [bytes(8)]))
    arguments = pickle.dumps((description, 0), 2)[2:-1]
    call = b"\x80\x02ctaskgraph.codecs.rebuild\narray\n" + arguments + b"R."
    with pytest.raises(ResultCorrupt, match=r"description of an array|does not fit"):
        codecs.decode(forged(PLAIN, call, [bytes(8)]))


def test_a_compressed_buffer_never_grows_beyond_its_word():
    """A table that promises more than zlib can give, or less than it gives, is refused."""
    bomb = zlib.compress(bytes(1 << 20), 9)
    for raw in (1 << 40, 1 << 10, (1 << 20) + 1):
        description = f'["|u1", [{raw}], "C"]'.encode()
        head = struct.pack("<BBHIQ", ARRAY, 1, 0, 1, len(description))
        rest = struct.pack("<QQBBBx", len(bomb), raw, 1, 1, 0) + description
        check = zlib.crc32(rest, zlib.crc32(head)).to_bytes(4, "little")
        start = head + check + rest
        with pytest.raises(ResultCorrupt):
            codecs.decode(start + bytes(-len(start) % 64) + bomb)


def test_a_payload_of_a_newer_version_is_refused_with_the_remedy():
    payload = bytearray(forged(PLAIN, pickle.dumps([1])))
    payload[1] = 9
    head, rest = bytes(payload[:16]), bytes(payload[20:])
    payload[16:20] = zlib.crc32(rest, zlib.crc32(head)).to_bytes(4, "little")
    with pytest.raises(CodecError, match="install a newer one"):
        codecs.decode(payload)


def test_names_of_the_format_are_not_called_by_hand():
    with pytest.raises(CodecError, match="must be read by"):
        rebuild.array("", 0)
