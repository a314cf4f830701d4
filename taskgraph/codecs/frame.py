"""The layout of a payload that holds a stream and buffers: ``pack`` and ``unpack``.

A stream (a pickle, or the description of one array) and the big buffers it speaks of
flow in; a payload flows out, and back. It must not know what stream and buffers mean.

All numbers are little-endian::

    offset  0  tag        1 byte    "a" array, "p" plain pickle, "P" full pickle
            1  version    1 byte    1
            2  summary    u16       bytes of a text for people ("dict of 3")
            4  buffers    u32       how many
            8  stream     u64       bytes
           16  checksum   u32       CRC-32 of all other bytes before the first buffer
           20  table      20 bytes for each buffer: stored u64, raw u64, method u8,
                          item size u8, owner u8, 0
               summary, stream
               each buffer, at the next offset divisible by 64

Stores place payloads at offsets divisible by 64, so arrays in a mapped file are aligned
for any dtype and vector unit. The checksum guards what could make a reader run wild;
the data of the buffers is guarded by the store, and by zlib where compressed. Lengths
are compared with the payload before anything is allocated.

The digest covers tag, stream and raw buffers: not the summary, nor how well zlib did.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from taskgraph.codecs import compress
from taskgraph.codecs.wire import DIGEST_SIZE, Buffer, Encoded, corrupt
from taskgraph.errors import CodecError

VERSION = 1
ALIGNMENT = 64
_HEAD = struct.Struct("<BBHIQ")
_ENTRY = struct.Struct("<QQBBBx")
_CRC_AT = _HEAD.size
_TABLE_AT = _CRC_AT + 4
#: Smaller buffers are copied behind each other: one write of the store is cheaper than many.
_COPY_BELOW = 1 << 14

#: Who takes a buffer: our own rebuilders by number, or the pickle stream in its order.
OURS, STREAM = 0, 1


class Part(NamedTuple):
    """A buffer on its way out."""

    data: Buffer
    item_size: int = 1
    integers: bool = False  #: worth a try at compression
    owner: int = OURS


class Frame(NamedTuple):
    """An unpacked payload; buffers are still as stored."""

    tag: int
    summary: str
    stream: memoryview
    entries: list[tuple[int, int, int, int, int]]
    stored: list[memoryview]

    def buffer(self, number: int) -> memoryview:
        """Return one buffer, decompressed; a view into the payload when it was not."""
        if not 0 <= number < len(self.stored):
            raise corrupt("it names a buffer that it has not", number)
        _, raw, method, item_size, _ = self.entries[number]
        return compress.restore(self.stored[number], raw, method, item_size)

    def owned(self, owner: int) -> list[int]:
        """Return the numbers of the buffers that ``owner`` takes."""
        return [number for number, entry in enumerate(self.entries) if entry[4] == owner]


def pack(tag: int, summary: str, stream: bytes, parts: Sequence[Part]) -> Encoded:
    """Lay out a payload and return it with its digest."""
    content = sha256(_HEAD.pack(tag, VERSION, 0, len(parts), len(stream)))
    content.update(stream)
    table, stored = [], []
    for part in parts:
        raw = len(part.data)
        content.update(raw.to_bytes(8, "little"))
        content.update(part.data)
        method, data = (
            compress.squeeze(part.data, part.item_size) if part.integers else (0, part.data)
        )
        table.append(_ENTRY.pack(len(data), raw, method, part.item_size, part.owner))
        stored.append(data)
    text = _clip(summary)
    head = _HEAD.pack(tag, VERSION, len(text), len(parts), len(stream))
    rest = b"".join((*table, text, stream))
    check = zlib.crc32(rest, zlib.crc32(head))
    payload = _lay_out(b"".join((head, check.to_bytes(4, "little"), rest)), stored)
    return payload, content.digest()[:DIGEST_SIZE]


def _clip(summary: str) -> bytes:
    """Return at most 200 bytes of text, cut between characters."""
    return summary.encode("utf-8", "replace")[:200].decode("utf-8", "ignore").encode()


def _lay_out(head: bytes, stored: Sequence[Buffer]) -> bytes | list[Buffer]:
    """Put the buffers at their offsets; large ones stay views, small ones are copied."""
    if not stored:
        return head
    chunks: list[Buffer] = []
    open_chunk = bytearray(head)
    at = len(head)
    for data in stored:
        gap = -at % ALIGNMENT
        open_chunk += bytes(gap)
        at += gap + len(data)
        if len(data) < _COPY_BELOW:
            open_chunk += data
            continue
        if open_chunk:
            chunks.append(bytes(open_chunk))
            open_chunk = bytearray()
        chunks.append(data)
    if open_chunk:
        chunks.append(bytes(open_chunk))
    return chunks[0] if len(chunks) == 1 and isinstance(chunks[0], bytes) else chunks


def unpack(view: memoryview) -> Frame:
    """Take a payload apart, after its lengths and its checksum.

    Raises
    ------
    ResultCorrupt
        If lengths or checksum do not fit.
    CodecError
        If a newer version wrote it.
    """
    size = len(view)
    if size < _TABLE_AT:
        raise corrupt("it is shorter than any head", f"{size} bytes")
    tag, version, text_size, count, stream_size = _HEAD.unpack_from(view)
    text_at = _TABLE_AT + count * _ENTRY.size
    stream_at = text_at + text_size
    end = stream_at + stream_size
    if end > size:
        raise corrupt("it is cut", f"{size} bytes, of {end} or more")
    check = zlib.crc32(view[_TABLE_AT:end], zlib.crc32(view[:_CRC_AT]))
    if check.to_bytes(4, "little") != view[_CRC_AT:_TABLE_AT]:
        raise corrupt("its checksum differs", f"{check:08x}")
    if version != VERSION:
        raise CodecError(
            f"A payload's version must be {VERSION} for this taskgraph; install a newer one to "
            f"read this result. Got version {version}."
        )
    entries = list(_ENTRY.iter_unpack(view[_TABLE_AT:text_at]))
    stored = _slices(view, entries, end)
    text = str(view[text_at:stream_at], "utf-8", "replace")
    return Frame(tag, text, view[stream_at:end], entries, stored)


def _slices(
    view: memoryview, entries: Sequence[tuple[int, int, int, int, int]], at: int
) -> list[memoryview]:
    """Return the stored buffers; the last must end where the payload does."""
    stored = []
    for length, *_ in entries:
        at += -at % ALIGNMENT
        stored.append(view[at : at + length])
        at += length
    if at != len(view):
        raise corrupt("its length is not the one written in it", f"{len(view)} bytes, not {at}")
    return stored
