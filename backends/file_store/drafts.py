"""Drafts: records turned into blocks that only need a place in a segment.

In come records (and references to payloads that lie in files of their own), out come
:class:`Draft` values; :func:`place` adds the offset and the checksum, so that a draft can
go to a second segment when the first one failed or was sealed. The layout is told in
``blocks.py``. Per record the work is done column by column, in C: 1 us a record.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import accumulate, groupby
from operator import attrgetter
from typing import NamedTuple
from zlib import crc32

from backends.file_store.blocks import (
    BLOB,
    CRC,
    FIELDS,
    HEADER_SIZE,
    MAGIC,
    MARK,
    REFERENCE,
    ROW,
    SOURCES,
    VERSION,
    Block,
    Context,
    Fields,
    Reference,
    Source,
)
from taskgraph.store import Buffer, Origin, Payload, Record

#: A locator has 24 bits for the row; fewer rows keep the memory of one parse small.
MAX_ROWS = 1 << 16
#: Payload ends are 32 bits wide.
MAX_PAYLOADS = 1 << 28
MAX_CONTEXTS = (1 << 16) - 1


class Draft(NamedTuple):
    """A block that has no place yet: :func:`place` gives it one."""

    keys: list[bytes]
    fields: Fields
    head: bytes  #: contexts, keys, rows, inputs
    payloads: bytes

    @property
    def size(self) -> int:
        """Bytes of the whole block."""
        return HEADER_SIZE + len(self.head) + len(self.payloads)


def drafts(
    records: Sequence[Record], references: Mapping[int, Reference] | None = None
) -> Iterator[Draft]:
    """Yield blocks of these records in their order, a new one where kind or size demands.

    Parameters
    ----------
    records : sequence of Record
        In the order of the runs.
    references : mapping of int to Reference, optional
        By position in ``records``: payloads that were written to files of their own.
    """
    found = references or {}
    start = 0
    for _, group in groupby(records, attrgetter("kind")):
        run = list(group)
        refs = {i - start: ref for i, ref in found.items() if start <= i < start + len(run)}
        start += len(run)
        for low, high in ((0, len(run)),) if _fits(run) else _cuts(run, refs):
            part = {i - low: ref for i, ref in refs.items() if low <= i < high} if refs else refs
            yield _draft(run[low:high] if high - low < len(run) else run, part)


def _fits(run: list[Record]) -> bool:
    # The common case at a glance; payloads above a few KiB are counted exactly.
    return len(run) <= MAX_CONTEXTS and max(map(_span, run)) * len(run) <= MAX_PAYLOADS


def _span(record: Record) -> int:
    payload = record.payload
    return len(payload) if type(payload) is bytes else record.size


def _cuts(run: list[Record], refs: Mapping[int, Reference]) -> Iterator[tuple[int, int]]:
    sizes = [REFERENCE.size if i in refs else _span(r) for i, r in enumerate(run)]
    low = held = 0
    seen: set[tuple[int, int]] = set()
    for i, (record, size) in enumerate(zip(run, sizes, strict=True)):
        context = (id(record.origin), record.epoch)
        over = len(seen) >= MAX_CONTEXTS and context not in seen
        if i > low and (i - low >= MAX_ROWS or held + size > MAX_PAYLOADS or over):
            yield low, i
            low, held, seen = i, 0, set()
        held += size
        seen.add(context)
    yield low, len(run)


def _draft(records: Sequence[Record], refs: Mapping[int, Reference]) -> Draft:
    keys, kinds, epochs, digests, inputs, origins, started, seconds, cpu, peaks, attempts, raw = (
        zip(*records, strict=True)  # columns: per-record work in C
    )
    payloads, crcs, flags = _payload_columns(raw, refs)
    table, numbers = _contexts(origins, epochs)
    base = min(started)
    rows = map(
        ROW.pack,
        numbers,
        attempts if max(attempts) < 256 else [min(a, 255) for a in attempts],
        flags,
        [s - base for s in started],
        seconds,
        cpu,
        [min(p >> 10, 0xFFFFFFFF) for p in peaks],
        digests,
        accumulate(map(len, payloads)),
        crcs,
        accumulate(map(len, inputs)),
    )
    named = json.dumps([[e, _to_json(o)] for e, o in table], separators=(",", ":")).encode()
    entries, stored = b"".join(inputs), b"".join(payloads)
    fields = Fields(
        MAGIC,
        VERSION,
        kinds[0],
        len(table),
        len(keys),
        len(named),
        len(entries),
        len(stored),
        base,
        0,
    )
    return Draft(list(keys), fields, b"".join((named, *keys, *rows, entries)), stored)


def _payload_columns(
    raw: Sequence[Payload], refs: Mapping[int, Reference]
) -> tuple[list[bytes], list[int], list[int]]:
    payloads: list[bytes] = [
        b"" if i in refs else p if type(p) is bytes else join(p) for i, p in enumerate(raw)
    ]
    crcs = list(map(crc32, payloads))
    flags = [0] * len(payloads)
    for i, ref in refs.items():
        payloads[i] = REFERENCE.pack(ref.token, ref.size)
        crcs[i] = ref.crc
        flags[i] = BLOB
    return payloads, crcs, flags


def buffers(payload: Payload) -> Sequence[Buffer]:
    """Return a payload as a sequence of buffers."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return (payload,)
    return payload


def join(payload: Payload) -> bytes:
    """Return a payload as one bytes object."""
    return b"".join(buffers(payload))


def _contexts(origins: Sequence[Origin], epochs: Sequence[int]) -> tuple[list[Context], list[int]]:
    table: dict[tuple[int, int], int] = {}
    # By identity: hashing an Origin costs more than all the rest of its record.
    numbers = [
        table.setdefault(pair, len(table)) for pair in zip(map(id, origins), epochs, strict=True)
    ]
    by_id = dict(zip(map(id, origins), origins, strict=True))
    return [(epoch, by_id[ident]) for ident, epoch in table], numbers


def _to_json(origin: Origin) -> dict[str, object]:
    return {name: value for name, value in asdict(origin).items() if value}


def mark(offset: int) -> bytes:
    """Return the mark that stands at ``offset``."""
    return _header(Fields(MAGIC, VERSION, MARK, 0, 0, 0, 0, 0, 0.0, offset), b"")


def sources(names: Sequence[str], offset: int) -> bytes:
    """Return a block that names the segments this one holds durable copies of."""
    text = json.dumps(list(names)).encode()
    return _header(Fields(MAGIC, VERSION, SOURCES, 0, 0, len(text), 0, 0, 0.0, offset), text) + text


def place(draft: Draft, offset: int) -> list[Buffer]:
    """Return the buffers to append where the block begins at ``offset``."""
    return [_header(draft.fields._replace(offset=offset), draft.head), draft.head, draft.payloads]


def placed(draft: Draft, offset: int, source: Source) -> Block:
    """Return the block that a draft became at ``offset``, without reading it back."""
    fields = draft.fields._replace(offset=offset)
    return Block(source, fields, draft.head[: fields.context_bytes])


def _header(fields: Fields, head: bytes) -> bytes:
    packed = FIELDS.pack(*fields)
    return packed + CRC.pack(crc32(head, crc32(packed)))
