"""Small frames that ask for much memory: refused before anything is set aside for them."""

from __future__ import annotations

import datetime
import pickle
import signal
import subprocess
import sys
import tracemalloc
import zlib
from collections import OrderedDict

import numpy as np
import pytest

from taskgraph import codecs
from taskgraph.codecs import frame
from taskgraph.codecs.wire import ARRAY, PLAIN
from taskgraph.errors import ResultCorrupt


def framed(tag, stream, parts=()):
    payload, _ = frame.pack(tag, "", stream, list(parts))
    return payload if isinstance(payload, bytes) else b"".join(payload)


def peak_of(call):
    """Return the bytes that a call set aside at its worst, and what it raised."""
    tracemalloc.start()
    try:
        with pytest.raises(ResultCorrupt) as caught:
            call()
        return tracemalloc.get_traced_memory()[1], str(caught.value)
    finally:
        tracemalloc.stop()


STREAMS = {
    "memo place far away": b"\x80\x05Nr\xff\xff\xff\x00.",
    "memo place in digits": b"\x80\x05Np9999999\n.",
    "bytes beyond the end": b"\x80\x05\x8e\x00\x00\x00\x04\x00\x00\x00\x00.",
    "bytearray beyond the end": b"\x80\x05\x96\x00\x00\x00\x04\x00\x00\x00\x00.",
    "text beyond the end": b"\x80\x05X\x00\x00\x00\x04.",
    "text of absurd length": b"\x80\x05\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc.",
    "integer beyond the end": b"\x80\x05\x8b\x00\x00\x00\x04.",
    "short text beyond the end": b"\x80\x05\x8c\x09abc.",
    "no end": b"\x80\x05N",
    "nothing": b"",
    "more behind the end": b"\x80\x05N.N.",
    "an object by persistent id": b"\x80\x05NQ.",
    "an extension": b"\x80\x05\x82\x01.",
    "an instance": b"(ios\nsystem\n.",
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_that_asks_for_more_than_it_has_is_refused_in_small_memory(name):
    codecs.decode(codecs.encode([1])[0])  # what is imported on first use is imported now
    payload = framed(PLAIN, STREAMS[name])
    peak, words = peak_of(lambda: codecs.decode(payload))
    assert peak < 1 << 20
    assert "pickle" in words or "plain payload" in words


def test_the_planted_bomb_is_one():
    """Python's own unpickler sets 64 MB aside for these nine bytes."""
    tracemalloc.start()
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads(STREAMS["bytearray beyond the end"])
    assert tracemalloc.get_traced_memory()[1] > 64 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 1, 255, 256, 70_000])
@pytest.mark.parametrize("make", [lambda n: "x" * n, lambda n: b"\n" * n, lambda n: 1 << 8 * n])
def test_values_of_any_length_pass(make, size):
    value = [make(size), bytearray(size), (1.5, {"k": [None, True]}, {3, "é"}, frozenset("ab"))]
    payload, _ = codecs.encode(value)
    assert codecs.decode(payload, allow_pickle=False) == value


def test_what_our_pickler_writes_passes():
    shared = [1, 2]
    value = {
        "shared": [shared, shared, (shared,)],
        "types": [complex(1, 2), range(3), slice(1, 2), OrderedDict(a=1)],
        "times": [datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(1)],
        "numbers": [0, 255, 65535, -1, 2**31, -(2**63), 2**70, 10**4000],
        "arrays": [np.zeros(3), np.zeros(10_000), np.array([1, "x"], object), np.float32(1)],
        "many": list(range(3000)),
    }
    payload, _ = codecs.encode(value)
    found = codecs.decode(payload, allow_pickle=False)
    assert found["numbers"] == value["numbers"]
    assert found["shared"][0] is found["shared"][1]


def test_a_compressed_buffer_is_handed_out_once():
    """A kilobyte that unpacks to a megabyte, named again and again, would be any number of them."""
    labels = np.zeros(1 << 20, np.uint8)
    call = (
        b"ctaskgraph.codecs.rebuild\narray\nX\x18\x00\x00\x00"
        + b'["|u1", [1048576], "C"]'.ljust(24)
        + b"K\x00\x86R"
    )
    part = frame.Part(labels.data, 1, integers=True)
    once, often = (
        framed(PLAIN, call + b".", [part]),
        framed(PLAIN, b"](" + call * 50 + b"e.", [part]),
    )
    assert len(often) < 8192
    np.testing.assert_array_equal(codecs.decode(once), labels)
    peak, words = peak_of(lambda: codecs.decode(often))
    assert "a buffer twice" in words
    assert peak < 4 << 20


@pytest.mark.parametrize(
    "description",
    [
        b'["|u1", [99999999999999999999999], "C"]',
        b'["|V0", [-1], "C"]',
        b'[{"names": 1}, [1], "C"]',
        b'["<f8", [1, "x"], "C"]',
        b"[" * 5000,
        b'[[["|u1", [1]], [1073741824, 1073741824]], [1], "C"]',
        b'[[' * 400 + b"]" * 800,
        b"9" * 5000,
    ],
    ids=lambda text: text[:20].decode(),
)  # fmt: skip
def test_a_description_that_makes_no_sense_is_corrupt(description):
    payload = framed(ARRAY, description, [frame.Part(b"12345678")])
    for look in (codecs.decode, codecs.preview):
        peak, _ = peak_of(lambda look=look: look(payload))
        assert peak < 4 << 20


def test_a_preview_of_what_can_not_be_shown_is_its_description():
    for value in ([10**5000], [[[[]]]]):
        payload, _ = codecs.encode(value)
        assert codecs.preview(payload).startswith("list of 1")


@pytest.mark.parametrize("item_size", [0, 7])
def test_a_compressed_buffer_of_impossible_items_is_corrupt(item_size):
    """Found by the fuzz: items of no bytes."""
    payload = bytearray(framed(ARRAY, b"x", [frame.Part(bytes(1 << 15), 2, integers=True)]))
    payload[20 + 17] = item_size
    payload[16:20] = zlib.crc32(payload[20:41], zlib.crc32(payload[:16])).to_bytes(4, "little")
    with pytest.raises(ResultCorrupt, match="lengths do not fit"):
        codecs.decode(payload)


NESTED = {
    "tuples of one": b"\x85",
    "tuples of two": b"K\x01\x86",
    "tuples by mark": None,
    "frozen sets": None,
    "with memo": b"\x94\x85",
}


def nested(name, levels):
    """Return a stream of a dict whose key lies so many levels deep."""
    if NESTED[name] is not None:
        return b"\x80\x05})" + NESTED[name] * levels + b"Ns."
    close = b"t" if "mark" in name else b"\x91"
    return b"\x80\x05}" + b"(" * levels + b")" + close * levels + b"Ns."


@pytest.mark.parametrize("name", NESTED)
def test_a_key_nested_as_no_pickler_could_is_refused(name):
    """Hashing it would end the process."""
    payload = framed(PLAIN, nested(name, 300_000))
    with pytest.raises(ResultCorrupt, match="deeper than a pickler can"):
        codecs.decode(payload)
    assert len(codecs.decode(framed(PLAIN, nested(name, 900)))) == 1


def test_the_planted_nest_ends_a_process():
    program = "t = ()\nfor _ in range(1_000_000):\n    t = (t,)\nhash(t)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == -signal.SIGSEGV


def test_many_flat_tuples_are_no_nest():
    rows = [(number, f"row {number}", (number / 3,), {"a": number}) for number in range(20_000)]
    shared = tuple(range(5))
    value = {"rows": rows, "same": [(shared, shared)] * 3, "sets": {frozenset((1, 2)), shared}}
    payload, _ = codecs.encode(value)
    assert codecs.decode(payload, allow_pickle=False) == value


def test_a_long_stream_that_takes_what_is_not_there_is_corrupt():
    for stream in (b"N\x86" * 30_000, b"t" * 30_000, b"h\x05\x85" * 30_000):
        with pytest.raises(ResultCorrupt, match="makes no sense"):
            codecs.decode(framed(PLAIN, b"\x80\x05" + stream + b"."))
