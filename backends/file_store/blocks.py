"""Blocks: how the records of one publish lie in a segment, and how they are read back.

In come the bytes of a :class:`Source`, out comes a :class:`Block` that knows where
everything is and parses a row only when asked (``drafts.py`` is the way in). Nothing here
opens a file or decides which record counts.

One block holds records of one kind, column by column, so that a reader that only wants
keys copies 32 bytes a record and builds no object for the rest::

    header    52 bytes: magic, version, kind, lengths, base time, own offset, checksum
    contexts  JSON: [[epoch, {origin without its empty fields}], ...]
    keys      32 bytes a record
    rows      40 bytes a record, see ROW
    inputs    16 bytes an input, all records in a row
    payloads  all records in a row

The header's checksum covers everything up to the payloads; each row holds its payload's
own, so that opening a store need not read payloads. A row says where its payload and its
inputs *end*; they begin where those of the row before end. The header repeats the block's
offset in its file: stale bytes of another place are no block here. A payload in a file of
its own is stored as a reference (token and size) with the row's ``BLOB`` flag.

A mark is a block without records: what stands before it in its segment was durable when
it was written. Seconds are kept as 32-bit floats (7 digits), memory in KiB.
"""

from __future__ import annotations

import errno
import json
import struct
from typing import NamedTuple, Protocol
from zlib import crc32

from taskgraph.store import KEY_SIZE, Head, Origin, Payload, Record

MAGIC = b"TGB1"
VERSION = 1
#: Kinds of blocks beside the kinds of records (1 to 3).
MARK, SOURCES = 0, 16
#: magic, version, kind, contexts' count, rows, bytes of contexts, inputs, payloads, base, offset
FIELDS = struct.Struct("<4sBBHIIQQdQ")
CRC = struct.Struct("<I")
HEADER_SIZE = FIELDS.size + CRC.size
#: context, attempt, flags, started, seconds, cpu, peak KiB, digest, payload end, crc, inputs end
ROW = struct.Struct("<HBBfffI8sIII")
_ENDS = struct.Struct("<IxxxxI")
_ENDS_AT = ROW.size - _ENDS.size
REFERENCE = struct.Struct("<16sQ")
BLOB = 1
#: The most bytes of one block that are read ahead.
AHEAD = 1 << 25

Context = tuple[int, Origin]


class Source(Protocol):
    """What a block reads from."""

    name: str

    def pread(self, size: int, offset: int) -> bytes:
        """Return up to ``size`` bytes at ``offset``."""
        ...

    def hold(self, start: int, end: int) -> None:
        """Read this range at once and answer from it until the next one."""
        ...


class Reference(NamedTuple):
    """A payload that lies in a file of its own."""

    token: bytes  #: 16 random bytes, part of the file's name
    size: int
    crc: int


class Fields(NamedTuple):
    """A header without its checksum."""

    magic: bytes
    version: int
    kind: int
    contexts: int
    n: int
    context_bytes: int
    input_bytes: int
    payload_bytes: int
    base: float  #: seconds since 1970; rows count from here
    offset: int  #: of the block in its file


class Row(NamedTuple):
    """One row, unpacked."""

    context: int
    attempt: int
    flags: int
    started: float
    seconds: float
    cpu: float
    peak: int
    digest: bytes
    end: int
    crc: int
    inputs_end: int


class Block:
    """A block in its place: small, with its rows read when first asked for."""

    __slots__ = (
        "_contexts",
        "_rows",
        "base",
        "context_text",
        "end",
        "handed",
        "inputs_at",
        "kind",
        "n",
        "offset",
        "payload_at",
        "rows_at",
        "source",
    )

    def __init__(self, source: Source, fields: Fields, context_text: bytes) -> None:
        self.source = source
        self.kind = fields.kind
        self.n = fields.n
        self.base = fields.base
        self.offset = fields.offset
        self.rows_at = fields.offset + HEADER_SIZE + fields.context_bytes + fields.n * KEY_SIZE
        self.inputs_at = self.rows_at + fields.n * ROW.size
        self.payload_at = self.inputs_at + fields.input_bytes
        self.end = self.payload_at + fields.payload_bytes
        self.context_text = context_text
        self._contexts: list[Context] | None = None
        self._rows: bytes | None = None
        self.handed: bytearray | None = None  #: one bit a row, once one was handed out

    @property
    def contexts(self) -> list[Context]:
        """Epoch and origin by a row's context number."""
        if self._contexts is None:
            self._contexts = read_contexts(self.context_text)
        return self._contexts

    @property
    def rows(self) -> bytes:
        """The packed rows, kept once read."""
        if self._rows is None:
            rows = self.source.pread(self.n * ROW.size, self.rows_at)
            if len(rows) < self.n * ROW.size:
                raise FileNotFoundError(errno.ENOENT, "became shorter", self.source.name)
            self._rows = rows
        return self._rows

    def head(self, key: bytes, i: int) -> Head:
        """Return the head of the i-th row: the one path that a million keys take at once."""
        rows = self._rows or self.rows
        at = i * ROW.size
        context, _, flags, started, seconds, _, _, digest, end, _, _ = ROW.unpack_from(rows, at)
        epoch, origin = (self._contexts or self.contexts)[context]
        if flags & BLOB:
            size = self.reference(i, self.row(i)).size
        else:
            size = end - (_ENDS.unpack_from(rows, at - _ENDS.size)[0] if i else 0)
        return Head(key, epoch, digest, size, seconds, self.base + started, origin)

    def row(self, i: int) -> Row:
        """Return the i-th row."""
        return Row._make(ROW.unpack_from(self.rows, i * ROW.size))

    def rank(self, i: int) -> tuple[int, bytes]:
        """Return (epoch, digest): among records of one key the greatest counts."""
        row = self.row(i)
        return self.contexts[row.context][0], row.digest

    def _starts(self, i: int) -> tuple[int, int]:
        if not i:
            return 0, 0
        start, inputs = _ENDS.unpack_from(self.rows, i * ROW.size - _ENDS.size)
        return start, inputs

    def extent(self, i: int, row: Row) -> tuple[int, int]:
        """Return where the i-th row's stored payload lies: (offset, bytes)."""
        start = self._starts(i)[0]
        return self.payload_at + start, row.end - start

    def hold(self) -> None:
        """Read ahead what follows the rows, where many rows are about to be read whole."""
        if self.end - self.inputs_at <= AHEAD:
            self.source.hold(self.inputs_at, self.end)

    def reference(self, i: int, row: Row) -> Reference:
        """Return the reference to a payload in a file of its own."""
        offset, size = self.extent(i, row)
        token, length = REFERENCE.unpack(self.source.pread(size, offset))
        return Reference(token, length, row.crc)

    def stored(self, i: int, row: Row) -> bytes | None:
        """Return the payload bytes that lie in the block, or ``None`` where damaged."""
        offset, size = self.extent(i, row)
        data = self.source.pread(size, offset)
        if len(data) != size or (not row.flags & BLOB and crc32(data) != row.crc):
            return None
        return data

    def record(self, key: bytes, i: int, row: Row, payload: Payload) -> Record:
        """Return the i-th row as a record with this payload."""
        start = self._starts(i)[1]
        inputs = self.source.pread(row.inputs_end - start, self.inputs_at + start)
        epoch, origin = self.contexts[row.context]
        return Record(
            key,
            self.kind,
            epoch,
            row.digest,
            inputs,
            origin,
            self.base + row.started,
            row.seconds,
            row.cpu,
            row.peak << 10,
            row.attempt,
            payload,
        )

    def keys(self) -> list[bytes]:
        """Read the keys of all rows."""
        return split_keys(self.source.pread(self.n * KEY_SIZE, self.rows_at - self.n * KEY_SIZE))


def split_keys(packed: bytes) -> list[bytes]:
    """Cut a key column into keys."""
    return [packed[i : i + KEY_SIZE] for i in range(0, len(packed), KEY_SIZE)]


def parse(source: Source, offset: int, size: int) -> tuple[Block, bytes] | None:
    """Return the block at ``offset`` and its packed keys, or ``None`` where none is whole.

    Parameters
    ----------
    source : Source
        The file.
    offset : int
        Where the block should begin.
    size : int
        Bytes of the file that count.
    """
    header = source.pread(HEADER_SIZE, offset)
    if len(header) < HEADER_SIZE or header[:4] != MAGIC:
        return None
    fields = Fields._make(FIELDS.unpack_from(header))
    _, version, _, _, n, context_bytes, input_bytes, payload_bytes, _, at = fields
    if version != VERSION or at != offset:
        return None
    keys_end = context_bytes + n * KEY_SIZE
    length = keys_end + n * ROW.size + input_bytes
    if offset + HEADER_SIZE + length + payload_bytes > size:
        return None
    head = source.pread(length, offset + HEADER_SIZE)
    (crc,) = CRC.unpack_from(header, FIELDS.size)
    if len(head) != length or crc32(head, crc32(header[: FIELDS.size])) != crc:
        return None
    return Block(source, fields, head[:context_bytes]), head[context_bytes:keys_end]


_known: dict[bytes, list[Context]] = {}


def read_contexts(text: bytes) -> list[Context]:
    """Parse a table of contexts. A worker repeats its tables, so the latest are kept."""
    found = _known.get(text)
    if found is None:
        if len(_known) > 512:
            _known.clear()
        found = _known[text] = [
            (epoch, _origin_from_json(origin)) for epoch, origin in json.loads(text)
        ]
    return found


def read_sources(block: Block) -> list[str]:
    """Return the segment names in a block of kind ``SOURCES``."""
    names = json.loads(block.context_text)
    return [str(name) for name in names]


def _origin_from_json(found: dict[str, object]) -> Origin:
    known = {
        n: _tuples(v) if isinstance(v, list) else v
        for n, v in found.items()
        if n in Origin.__slots__
    }
    return Origin(**known)  # type: ignore[arg-type]


def _tuples(pairs: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(pair) for pair in pairs)
