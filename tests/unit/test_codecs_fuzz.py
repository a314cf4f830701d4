"""Mutated frames: errors only, no crash, no hang, no memory beyond what a frame declares.

Every golden payload is mutated over and over: flipped bits, cuts, tails, splices of two
payloads, absurd lengths; half of the time the checksum is made right again, as an attacker
would. The mutations run in a process of their own with little memory to spare, so that a
crash or a bomb ends that process and not the tests.

Without a key, frames of pickles are not loaded here (``allow_pickle=False``): reading them
runs what they say, which no decoder can make safe. With a key every mutated frame must be
refused before it is looked at, pickles included; a quarter of the mutations try that.

By hand: ``python tests/unit/test_codecs_fuzz.py COUNT SEED``.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import struct
import subprocess
import sys
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from taskgraph.codecs.signing import Keyring

FOLDER = Path(__file__).parent.parent / "golden" / "payloads"
#: Bytes that the process may grow by; the largest golden frame unpacks to 80 KB.
ROOM = 96 << 20
#: Seconds that so many mutations may take.
PATIENCE, AT_A_TIME = 20, 200
HEAD, TABLE_ROW = 20, 20
ABSURD = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**64 - 1]


def with_right_checksum(data: bytearray) -> None:
    """Write the checksum that a framed payload should have, as far as its lengths make sense."""
    if len(data) < HEAD or data[0] not in b"apP":
        return
    _, _, text, count, stream = struct.unpack_from("<BBHIQ", data)
    end = HEAD + count * TABLE_ROW + text + stream
    if end <= len(data):
        check = zlib.crc32(data[HEAD:end], zlib.crc32(data[: HEAD - 4]))
        data[HEAD - 4 : HEAD] = check.to_bytes(4, "little")


def flip(draw: random.Random, data: bytearray, others: list[bytes]) -> None:
    for _ in range(draw.randint(1, 4)):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwrite(draw: random.Random, data: bytearray, others: list[bytes]) -> None:
    at = draw.randrange(len(data))
    data[at : at + draw.randint(1, 8)] = draw.randbytes(draw.randint(1, 8))


def cut(draw: random.Random, data: bytearray, others: list[bytes]) -> None:
    del data[draw.randrange(len(data)) :]


def lengthen(draw: random.Random, data: bytearray, others: list[bytes]) -> None:
    data += draw.randbytes(draw.randint(1, 80))


def splice(draw: random.Random, data: bytearray, others: list[bytes]) -> None:
    other = draw.choice(others)
    begin = draw.randrange(len(other))
    at = draw.randrange(len(data))
    data[at : at + draw.randint(0, 40)] = other[begin : begin + draw.randint(1, 200)]


def absurd_length(draw: random.Random, data: bytearray, others: list[bytes]) -> None:
    size = draw.choice((1, 2, 4, 8))
    number = draw.choice(ABSURD) % (1 << 8 * size)
    at = draw.randrange(min(len(data), 120))
    data[at : at + size] = number.to_bytes(size, draw.choice(("little", "big")))


MUTATIONS = [flip, overwrite, cut, lengthen, splice, absurd_length]


def mutated(draw: random.Random, payloads: list[bytes]) -> bytes:
    """Return a payload with one to three mutations, as often as not with a right checksum."""
    data = bytearray(draw.choice(payloads))
    for _ in range(draw.choice((1, 1, 2, 3))):
        if data:
            draw.choice(MUTATIONS)(draw, data, payloads)
    if draw.random() < 0.5:
        with_right_checksum(data)
    return bytes(data)


# -- in the process of its own ------------------------------------------------------------
class Hung(BaseException):
    """The alarm rang."""


def ring(number, frame):
    raise Hung


def limit_memory(room: int) -> None:
    """Let this process grow by ``room`` bytes and no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + room
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def faults() -> dict[str, Callable[[bytes], object]]:
    """Return decoders that do each of the things that the fuzz must see."""
    return {
        "crash": lambda data: os.abort(),
        "bomb": lambda data: bytearray(1 << 30),
        "hang": lambda data: signal.pause(),
        "surprise": lambda data: {}["not there"],
    }


def decoder(fault: str) -> Callable[[bytes], object]:
    """Return what decodes and, now and then, describes; or the planted fault."""
    from taskgraph import codecs

    def decode(data: bytes) -> None:
        codecs.decode(data, allow_pickle=False)
        if data[-1] < 16:
            codecs.preview(data)

    return faults().get(fault, decode)


def how_it_ends(decode: Callable[[bytes], object], data: bytes) -> str:
    """Decode a frame; anything but a value and our own errors is passed on."""
    from taskgraph.errors import CodecError, ResultCorrupt

    try:
        decode(data)
    except ResultCorrupt:
        return "corrupt"
    except CodecError:
        return "refused: a pickle"
    return "value"


def refused(keys: Keyring, data: bytes) -> str:
    """Open a forged frame; a key must refuse it."""
    from taskgraph.codecs.signing import SignatureRefused

    try:
        keys.open(b"p", b"f", data)
    except SignatureRefused:
        return "refused: its signature"
    raise AssertionError("a forged signature was taken")


def fuzz(count: int, seed: int, fault: str = "") -> Counter[str]:
    """Decode so many mutated frames; return how many ended how."""
    from taskgraph import codecs
    from taskgraph.codecs.signing import Keyring
    from taskgraph.codecs.wire import as_view

    warnings.simplefilter("ignore")  # numpy's about odd dtypes
    draw, keys, decode = random.Random(seed), Keyring([bytes(range(32))]), decoder(fault)
    payloads = [path.read_bytes() for path in sorted(FOLDER.glob("*.bin"))]
    sealed = [bytes(as_view(keys.seal(b"p", b"f", payload))) for payload in payloads]
    for payload, seal in zip(payloads, sealed, strict=True):
        assert keys.open(b"p", b"f", seal) == payload
        codecs.decode(seal)  # what is imported on first use is imported now
        codecs.preview(payload)
    signal.signal(signal.SIGALRM, ring)
    limit_memory(ROOM)
    ends: Counter[str] = Counter()
    for number in range(count):
        if number % AT_A_TIME == 0:
            signal.alarm(PATIENCE)
        signs = number % 4 == 3
        data = mutated(draw, sealed if signs else payloads)
        try:
            forged = signs and data not in sealed
            ends[refused(keys, data) if forged else how_it_ends(decode, data)] += 1
        except BaseException as error:
            raise AssertionError(f"mutation {number} of seed {seed}: {data.hex()}") from error
    signal.alarm(0)
    return ends


# -- the tests ----------------------------------------------------------------------------
def run(count: int, seed: int, fault: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, __file__, str(count), str(seed), fault],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("fault", "sign"),
    [("crash", "SIGABRT"), ("bomb", "MemoryError"), ("hang", "Hung"), ("surprise", "KeyError")],
)
def test_the_fuzz_sees_a_planted_fault(fault, sign, monkeypatch):
    monkeypatch.setenv("TASKGRAPH_FUZZ_PATIENCE", "1")
    done = run(50, 1, fault)
    assert done.returncode != 0
    if fault == "crash":
        assert -done.returncode == signal.SIGABRT
    else:
        assert sign in done.stderr


def survive(count: int, seed: int) -> None:
    done = run(count, seed)
    assert done.returncode == 0, done.stderr[-3000:]
    sys.stdout.write(done.stdout)


def test_mutated_frames_are_errors_only():
    survive(20_000, 20_261)


@pytest.mark.stress
def test_a_million_mutated_frames_are_errors_only():
    survive(1_000_000, int.from_bytes(os.urandom(4), "little"))


def test_mutations_keep_checksums_right_where_that_is_meant():
    """The planted fault: a changed byte with an old checksum is not what is tried half the time."""
    from taskgraph import codecs
    from taskgraph.errors import ResultCorrupt

    data = bytearray((FOLDER / "list.bin").read_bytes())
    data[-3] ^= 1
    with pytest.raises(ResultCorrupt, match="checksum"):
        codecs.decode(data)
    with_right_checksum(data)
    with pytest.raises(ResultCorrupt) as caught:
        codecs.decode(data)
    assert "checksum" not in str(caught.value)


def main() -> None:
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    if "TASKGRAPH_FUZZ_PATIENCE" in os.environ:
        global PATIENCE
        PATIENCE = int(os.environ["TASKGRAPH_FUZZ_PATIENCE"])
    began = time.monotonic()
    ends = fuzz(count, seed, *sys.argv[3:])
    seconds = time.monotonic() - began
    sys.stdout.write(f"{count:,} mutated frames, seed {seed}, {seconds:.0f} s: {dict(ends)}\n")


if __name__ == "__main__":
    main()
