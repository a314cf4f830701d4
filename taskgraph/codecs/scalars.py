"""The formats of plain scalars: None, bool, int, float, complex, str, bytes.

A value of exactly such a type flows in, payload and digest flow out (``MAKERS``), and
back (``READERS``, by tag). No pickle and no heavy import: a hundred thousand tasks a
second return one each. Every scalar says how long it is, so that a cut or padded payload
is never another value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from hashlib import blake2s, sha256
from typing import Any

from taskgraph.codecs.wire import DIGEST_SIZE, Buffer, Encoded, corrupt, digest_of

#: From this size on a scalar is not copied behind its head.
_LARGE = 1 << 16

#: Whole words, so that one damaged byte never turns True into None.
_NONE, _TRUE, _FALSE = b"None", b"True", b"False"
#: A short integer: the tag says how many bytes follow.
_INTS = [bytes([0x80 + size]) for size in range(9)]
_FLOAT = struct.Struct("<cd")
_COMPLEX = struct.Struct("<cdd")
_LENGTH = struct.Struct("<cQ")


def _constant(payload: bytes) -> Callable[[Any], Encoded]:
    made = payload, blake2s(payload, digest_size=DIGEST_SIZE).digest()
    return lambda obj: made


def _encode_int(obj: int) -> Encoded:
    size = (obj.bit_length() >> 3) + 1
    if size <= 8:
        payload = _INTS[size] + obj.to_bytes(size, "little", signed=True)
        return payload, blake2s(payload, digest_size=8).digest()
    payload = _LENGTH.pack(b"i", size) + obj.to_bytes(size, "little", signed=True)
    return payload, digest_of(payload)


def _encode_float(obj: float) -> Encoded:
    payload = _FLOAT.pack(b"f", obj)
    return payload, blake2s(payload, digest_size=8).digest()


def _encode_complex(obj: complex) -> Encoded:
    payload = _COMPLEX.pack(b"c", obj.real, obj.imag)
    return payload, blake2s(payload, digest_size=8).digest()


def _encode_str(obj: str) -> Encoded:
    return _with_length(b"s", obj.encode("utf-8", "surrogatepass"))


def _encode_bytes(obj: bytes) -> Encoded:
    return _with_length(b"b", obj)


def _with_length(tag: bytes, data: bytes) -> Encoded:
    head = _LENGTH.pack(tag, len(data))
    if len(data) < _LARGE:
        payload = head + data
        return payload, digest_of(payload)
    content = sha256(head)
    content.update(data)
    return [head, data], content.digest()[:DIGEST_SIZE]


def _reads(constant: bytes, value: Any) -> Callable[[Buffer], Any]:
    def read(payload: Buffer) -> Any:
        if payload != constant:
            raise corrupt(
                f"{constant!r} is not what follows its first byte", f"{len(payload)} bytes"
            )
        return value

    return read


def _read_small_int(payload: Buffer) -> int:
    if len(payload) != payload[0] - 0x7F:
        raise corrupt("an integer's length is wrong", f"{len(payload)} bytes")
    return int.from_bytes(payload[1:], "little", signed=True)


def _read_float(payload: Buffer) -> float:
    if len(payload) != _FLOAT.size:
        raise corrupt("a float has 9 bytes", f"{len(payload)} bytes")
    value: float = _FLOAT.unpack(payload)[1]
    return value


def _read_complex(payload: Buffer) -> complex:
    if len(payload) != _COMPLEX.size:
        raise corrupt("a complex number has 17 bytes", f"{len(payload)} bytes")
    _, real, imag = _COMPLEX.unpack(payload)
    return complex(real, imag)


def _read_long_int(payload: Buffer) -> int:
    return int.from_bytes(_after_length(payload), "little", signed=True)


def _read_bytes(payload: Buffer) -> bytes:
    return bytes(_after_length(payload))


def _read_str(payload: Buffer) -> str:
    try:
        return str(_after_length(payload), "utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise corrupt("a text is not UTF-8", error) from error


def _after_length(payload: Buffer) -> Buffer:
    head = _LENGTH.size
    if len(payload) < head or _LENGTH.unpack_from(payload)[1] != len(payload) - head:
        raise corrupt("its length is not the one written in it", f"{len(payload)} bytes")
    return payload[head:]


MAKERS: dict[type, Callable[[Any], Encoded]] = {
    type(None): _constant(_NONE),
    bool: (lambda true, false: lambda obj: (true if obj else false)(obj))(
        _constant(_TRUE), _constant(_FALSE)
    ),
    int: _encode_int,
    float: _encode_float,
    complex: _encode_complex,
    str: _encode_str,
    bytes: _encode_bytes,
}

READERS: dict[int, Callable[[Any], Any]] = {
    _NONE[0]: _reads(_NONE, None),
    _TRUE[0]: _reads(_TRUE, True),
    _FALSE[0]: _reads(_FALSE, False),
    **{tag[0]: _read_small_int for tag in _INTS[1:]},
    ord("i"): _read_long_int,
    ord("f"): _read_float,
    ord("c"): _read_complex,
    ord("s"): _read_str,
    ord("b"): _read_bytes,
}
