"""An entry: the bytes of one record on the server, 72 and its inputs and its payload.

Records flow in, entries flow out and back, checked. Numbers are big end first.

=====  ======================================================================
bytes  what
=====  ======================================================================
8      epoch
8      size of the payload in bytes
8      digest
8 x 3  started, seconds, cpu (IEEE doubles)
8      peak memory in bytes
2      attempt
1      kind of record
1      where the payload is: :data:`INLINE`, :data:`CHUNKS` or :data:`DISK`
8      digest of the origin, which is in a hash of its own
4      number of inputs, 16 bytes each, which follow
...    the payload, or 24 bytes of :class:`Pointer`
4      CRC-32 over the key and all before
=====  ======================================================================

The scripts read epoch, size, digest and "where" by their place; nothing else of an entry
is known on the server. Where a payload is kept that is not inline is not known here.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from hashlib import blake2b
from struct import Struct, error
from typing import NamedTuple
from zlib import crc32

from taskgraph.errors import ResultCorrupt
from taskgraph.store import INPUT_SIZE, Head, Key, Origin, Payload, Record, payload_size

INLINE, CHUNKS, DISK = 0, 1, 2
#: Payloads up to so many bytes are in the entry.
LARGEST_INLINE = 512

_FIXED = Struct(">QQ8sdddQHBB8sI")
_POINTER = Struct(">16sII")
_CRC = Struct(">I")
_LENGTH = Struct(">I")
#: One item of the news: kind, key, epoch.
ITEM = Struct(">B32sQ")
WHERE = 59  #: of that byte in an entry


class Pointer(NamedTuple):
    """Where a payload is that is not inline."""

    token: bytes  #: 16 bytes, never used twice
    chunks: int  #: 0 on a disk
    crc: int  #: CRC-32 of the payload


#: Where a payload is, and its pointer.
Place = tuple[int, Pointer]


class Entry(NamedTuple):
    """An entry taken apart, verified, the payload apart."""

    head: tuple[int, int, bytes, float, float, float, int, int, int, int, bytes, int]
    inputs: bytes
    payload: memoryview  #: what is inline
    pointer: Pointer | None

    @property
    def epoch(self) -> int:
        """Epoch of the record."""
        return self.head[0]

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return self.head[1]

    @property
    def where(self) -> int:
        """Where the payload is."""
        return self.head[9]

    @property
    def origin(self) -> bytes:
        """Digest of the origin."""
        return self.head[10]

    def to_record(self, key: Key, origin: Origin, payload: Payload) -> Record:
        """Return the record, given what is kept elsewhere."""
        h = self.head
        return Record(
            key, h[8], h[0], h[2], self.inputs, origin, h[3], h[4], h[5], h[6], h[7], payload
        )  # fmt: skip


def write(record: Record, origin: bytes, place: Place | None) -> bytes:
    """Return the entry of a record; ``place`` is ``None`` for inline."""
    payload = record.payload
    if place is not None:
        where, tail = place[0], _POINTER.pack(*place[1])
    else:
        where, tail = INLINE, payload if type(payload) is bytes else joined(payload)
    inputs = record.inputs
    body = (
        _FIXED.pack(
            record.epoch,
            payload_size(payload) if place is not None else len(tail),
            record.digest,
            record.started,
            record.seconds,
            record.cpu,
            record.peak,
            min(record.attempt, 0xFFFF),
            record.kind,
            where,
            origin,
            len(inputs) // INPUT_SIZE,
        )
        + inputs
        + tail
    )
    return body + _CRC.pack(crc32(body, crc32(record.key)))


def read(key: Key, data: bytes) -> Entry:
    """Return an entry taken apart.

    Raises
    ------
    ResultCorrupt
        The bytes are not what was written for this key.
    """
    view = memoryview(data)
    try:
        head = _FIXED.unpack_from(view)
        (crc,) = _CRC.unpack_from(view, max(_FIXED.size, len(view) - _CRC.size))
        start = _FIXED.size + INPUT_SIZE * head[11]
        tail = view[start : -_CRC.size]
        pointer = None if head[9] == INLINE else Pointer(*_POINTER.unpack(tail))
    except error as short:
        raise _damaged(key) from short
    if crc32(view[: -_CRC.size], crc32(key)) != crc:
        raise _damaged(key)
    if pointer is None and head[1] != len(tail):
        raise _damaged(key)
    return Entry(head, bytes(view[_FIXED.size : start]), tail[:0] if pointer else tail, pointer)


def read_head(key: Key, data: bytes, origins: dict[bytes, Origin]) -> Head:
    """Return the head of a record from its entry, unverified as any head is.

    Raises
    ------
    ResultCorrupt
        It is shorter than any entry.
    """
    if len(data) < _FIXED.size + _CRC.size:
        raise _damaged(key)
    epoch, size, digest, started, seconds, *_, origin, _ = _FIXED.unpack_from(data)
    return Head(key, epoch, digest, size, seconds, started, origins.get(origin, _UNKNOWN))


def origin_of(data: bytes) -> bytes:
    """Return the digest of an entry's origin."""
    return bytes(data[60:68])


def inputs_of(data: bytes) -> bytes:
    """Return the packed inputs of an entry that was read."""
    (count,) = _LENGTH.unpack_from(data, 68)
    return bytes(data[_FIXED.size : _FIXED.size + INPUT_SIZE * count])


def frames(data: bytes) -> list[bytes]:
    """Return the entries of a field of failures, each behind its length."""
    found, at = [], 0
    while at + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        found.append(bytes(data[at : at + length]))
        at += length
    return found


def joined(payload: Payload) -> bytes:
    """Return a payload as one ``bytes``."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    return b"".join(payload)


# -- origins -----------------------------------------------------------------------
_UNKNOWN = Origin()


def write_origin(origin: Origin) -> tuple[bytes, bytes]:
    """Return the digest of an origin and its bytes."""
    data = json.dumps(asdict(origin), separators=(",", ":"), ensure_ascii=False).encode()
    return blake2b(data, digest_size=8).digest(), data


def read_origin(data: bytes) -> Origin:
    """Return an origin from its bytes; what a newer version added is left out.

    Damaged bytes are an unknown origin: they say nothing about a result that is sound.
    """
    try:
        fields = json.loads(bytes(data))
        for name in ("versions", "extra"):
            fields[name] = tuple((str(a), str(b)) for a, b in fields.get(name, ()))
        return Origin(**{name: fields[name] for name in Origin.__slots__ if name in fields})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return _UNKNOWN


def _damaged(key: Key) -> ResultCorrupt:
    return ResultCorrupt(f"an entry must match its checksum: recompute it; key {key.hex()}")
