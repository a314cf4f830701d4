"""Encoders of plain immutable values: numbers, text, ranges, slices, constants.

Nothing is copied and nothing looked up; each writes one tag and a body with its end.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import Any

from taskgraph.hashing.walk import Encoder, Walk

#: Longer bytes are written as their digest, so that joining the pieces copies little.
LONG = 1 << 16
#: Wider integers are written in hex: Python limits (settably) how many decimals it makes.
WIDE = 2000

_pack = struct.Struct("<d").pack
_NAN = _pack(float("nan"))


def float_bytes(number: float) -> bytes:
    """Return eight little-endian bytes; every NaN is the same one."""
    return _pack(number) if number == number else _NAN


def _none(obj: None, walk: Walk) -> None:
    walk.out.append(b"N")


def _bool(obj: bool, walk: Walk) -> bool:
    walk.out.append(b"T" if obj else b"F")
    return obj


def _int(obj: int, walk: Walk) -> int:
    walk.out.append(b"i%d;" % obj if obj.bit_length() <= WIDE else b"I%x;" % obj)
    return obj


def _float(obj: float, walk: Walk) -> float:
    walk.out.append(b"f" + float_bytes(obj))
    return obj


def _complex(obj: complex, walk: Walk) -> complex:
    walk.out.append(b"c" + float_bytes(obj.real) + float_bytes(obj.imag))
    return obj


def _str(obj: str, walk: Walk) -> str:
    raw = obj.encode("utf-8", "surrogatepass")
    walk.out.append(b"s%d:%b" % (len(raw), raw))
    return obj


def _octets(tag: bytes, obj: bytes | bytearray, walk: Walk) -> None:
    size = len(obj)
    if size < LONG:
        walk.out.append(b"%b%d:" % (tag, size) + obj)
    else:
        walk.out.append(b"%b%d#%b" % (tag, size, sha256(obj).digest()))


def _bytes(obj: bytes, walk: Walk) -> bytes:
    _octets(b"y", obj, walk)
    return obj


def _bytearray(obj: bytearray, walk: Walk) -> bytearray:
    _octets(b"Y", obj, walk)
    return bytearray(obj)


def _range(obj: range, walk: Walk) -> range:
    walk.out.append(b"r")
    walk.fixed(obj, (obj.start, obj.stop, obj.step))
    return obj


def _slice(obj: Any, walk: Walk) -> Any:
    walk.out.append(b":")
    walk.fixed(obj, (obj.start, obj.stop, obj.step))
    return obj


def _ellipsis(obj: Any, walk: Walk) -> Any:
    walk.out.append(b"E")
    return obj


def _not_implemented(obj: Any, walk: Walk) -> Any:
    walk.out.append(b"X")
    return obj


ENCODERS: dict[type, Encoder] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
    bytearray: _bytearray,
    range: _range,
    slice: _slice,
    type(...): _ellipsis,
    type(NotImplemented): _not_implemented,
}
