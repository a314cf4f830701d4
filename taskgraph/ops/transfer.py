"""``export`` and ``import``: a task and all it was computed from, as one file.

Nodes and a path flow in, a file flows out; elsewhere the file flows in and its records
are published. The whole file is verified before the first record is taken.

Layout, integers little-endian::

    8 bytes    magic "TGEXPRT1"
    4 + n      length and JSON header: store id, roots, number of records, and the old
               code of these records that was blessed (older files lack it)
    per record:
      4 + 8 + 4  length of its JSON, length of its payload, CRC-32 of both
      JSON       everything but the payload
      payload
    32 bytes   SHA-256 of all before
    64 bytes   signature of that sum, where the header says "signed"

With a key, an export is signed and only a signed one is taken; its records are verified
when they are loaded here, and signed for the store that they come to.

Epochs count the invalidates of one store. Back in the store it came from, a record keeps
its own, so what was invalidated there since stays dead; in another store it gets the
present one, since a person has just decided to bring it in.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from taskgraph.codecs import signing
from taskgraph.codecs.wire import SIGNED_HEAD, as_view, without_signature
from taskgraph.errors import ResultCorrupt, UsageError
from taskgraph.ops import code
from taskgraph.ops.context import visitor
from taskgraph.ops.stale import heads_of
from taskgraph.session import Session
from taskgraph.store import RESULT, Key, Origin, Record

MAGIC, PURPOSE = b"TGEXPRT1", b"taskgraph export 1"
_LENGTH = struct.Struct("<I")
_FRAME = struct.Struct("<IQI")
#: Records loaded or published at a time, and the bytes of payload that end a batch early.
BATCH, BATCH_BYTES = 200, 64 << 20


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    path: Path
    results: int
    bytes: int  #: of the file
    missing: tuple[str, ...]  #: "function hash" of tasks in the closure without a result


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read."""

    path: Path
    new: int
    already: int  #: had a live result before
    bytes: int  #: of the payloads that are new
    roots: tuple[str, ...]  #: hashes of the tasks that were asked for at the export


def export_tasks(session: Session, nodes: Sequence[int], path: Path) -> Exported:
    """``done = export_tasks(session, [node], Path("result.tgx"))``: write tasks and closure.

    Parameters
    ----------
    session : Session
        A jugfile that has been read.
    nodes : sequence of int
        What to export; all they depend on comes along.
    path : Path
        A file that does not exist yet.

    Raises
    ------
    UsageError
        If the file exists, or one of the nodes has no result.
    """
    session.look()
    closure = [node for node, hit in enumerate(session.graph.upstream(nodes)) if hit]
    there = dict(zip(closure, session.present(closure), strict=True))
    _check_export(session, nodes, there, path)
    have = [node for node in closure if there[node]]
    tasks = session.graph.tasks
    written = 0
    temporary = path.with_name(path.name + ".part")
    try:
        with temporary.open("wb") as file:
            out = _Summed(file)
            roots = [tasks[node].hash() for node in nodes]
            ring = signing.keyring()
            header = {
                "store": session.store.id,
                "signed": ring is not None,
                "roots": roots,
                "records": len(have),
                "accepted": _accepted(session, have),
            }
            text = json.dumps(header).encode()
            out.write(MAGIC + _LENGTH.pack(len(text)) + text)
            for record in _records(session, have):
                _write(out, record)
                written += 1
            file.write(out.digest())
            if ring is not None:
                file.write(as_view(ring.seal(PURPOSE, out.digest(), b"")))
        if written != len(have):
            raise ResultCorrupt(
                f"Results vanished or were found damaged while they were exported: {written} of "
                f"{len(have)} are left. Run `taskgraph execute` and export again."
            )
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    names = [
        f"{tasks[node].shape.name} {tasks[node].hash()}" for node in closure if not there[node]
    ]
    return Exported(path, written, path.stat().st_size, tuple(names))


def import_tasks(session: Session, path: Path) -> Imported:
    """``done = import_tasks(session, Path("result.tgx"))``: publish what the file holds.

    The session's graph may be empty: keys say what results are. Results that are there
    already stay. Old code that was accepted where they come from is accepted here.

    Raises
    ------
    UsageError
        If there is no such file, or it is no export.
    ResultCorrupt
        If it is damaged, or there is a key that did not sign it; nothing was taken from it.
    """
    header = _verified(path)
    session.look()
    epoch = session.store.tombstones().epoch
    home = header["store"] == session.store.id
    new = size = 0
    # Before the results: none is stale for a moment, and an interrupted import lacks nothing.
    code.accept(session.store, header.get("accepted", ()))
    with visitor(session.store) as worker, path.open("rb") as file:
        for batch in _batches(_read(file, path)):
            absent = _absent(session, [record.key for record in batch])
            fresh = [
                record if home else record._replace(epoch=epoch)
                for record in batch
                if record.key in absent
            ]
            session.store.publish(worker, fresh)
            new += len(fresh)
            size += sum(record.size for record in fresh)
    return Imported(path, new, header["records"] - new, size, tuple(header["roots"]))


# -- writing ------------------------------------------------------------------------
class _Summed:
    """A file that adds up what goes into it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._sum = sha256()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._sum.update(data)
        self._file.write(data)

    def digest(self) -> bytes:
        return self._sum.digest()


def _check_export(
    session: Session, nodes: Sequence[int], there: dict[int, int], path: Path
) -> None:
    if path.exists():
        raise UsageError(
            f"An export never overwrites: remove the file or name another; got {path}."
        )
    absent = [node for node in nodes if not there[node]]
    if absent:
        task = session.graph.tasks[absent[0]]
        raise UsageError(
            f"Only what has been computed can be exported: {len(absent)} of {len(nodes)} tasks have "
            f"no result, the first is {task!r}. Run `taskgraph execute` first."
        )


def _accepted(session: Session, nodes: Sequence[int]) -> list[tuple[str, str, str]]:
    """Return what was blessed of the code that made these results: (function, old, new)."""
    table = code.accepted(session.store)
    name = session.graph.name
    judged = [node for node in nodes if name(node) in table] if table else []
    made = {(name(node), head.origin.fingerprint) for node, head in heads_of(session, judged)}
    return [(n, old, new) for n in table for old, new in table[n] if (n, old) in made]


def _records(session: Session, nodes: Sequence[int]) -> Iterator[Record]:
    tasks = session.graph.tasks
    for start in range(0, len(nodes), BATCH):
        for record in session.load([tasks[node] for node in nodes[start : start + BATCH]]):
            if record is not None:
                yield record


def _write(out: _Summed, record: Record) -> None:
    payload = as_view(without_signature(record.payload))
    facts = record._asdict()
    del facts["payload"]
    for name in ("key", "digest", "inputs"):
        facts[name] = bytes(facts[name]).hex()
    facts["origin"] = asdict(record.origin)
    text = json.dumps(facts).encode()
    out.write(_FRAME.pack(len(text), payload.nbytes, zlib.crc32(payload, zlib.crc32(text))))
    out.write(text)
    out.write(payload)


# -- reading ------------------------------------------------------------------------
def _verified(path: Path) -> dict[str, Any]:
    """Return the header of a file whose checksum is right."""
    if not path.is_file():
        raise UsageError(
            f"An import reads a file that `taskgraph export` wrote; none is at {path}."
        )
    total = sha256()
    with path.open("rb") as file:
        if file.read(8) != MAGIC:
            raise UsageError(
                f"An import reads a file that `taskgraph export` wrote; {path} is not."
            )
        header = _header(file, path)
        seal_size = SIGNED_HEAD if header.get("signed") else 0
        left = path.stat().st_size - 32 - seal_size
        file.seek(0)
        while left > 0:
            data = file.read(min(left, 1 << 20))
            if not data:
                break
            total.update(data)
            left -= len(data)
        if file.read(32) != total.digest():
            raise _damaged(path, "its checksum is wrong")
        seal, ring = file.read(seal_size), signing.keyring()
        if ring is not None:
            ring.open(PURPOSE, total.digest(), seal)
        if file.read(1):
            raise _damaged(path, "there is more behind its end")
    return header


def _header(file: IO[bytes], path: Path) -> dict[str, Any]:
    """Return the header, which nothing vouches for yet."""
    try:
        header = json.loads(file.read(*_LENGTH.unpack(file.read(4))))
    except (ValueError, struct.error) as error:
        raise _damaged(path, "its checksum is wrong, its header makes no sense") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its checksum is wrong, its header makes no sense")
    return header


def _read(file: IO[bytes], path: Path) -> Iterator[Record]:
    """Give the records of a verified file."""
    file.seek(8)
    header = json.loads(file.read(*_LENGTH.unpack(file.read(4))))
    for _ in range(header["records"]):
        size, payload_size, crc = _FRAME.unpack(file.read(_FRAME.size))
        text, payload = file.read(size), file.read(payload_size)
        if zlib.crc32(payload, zlib.crc32(text)) != crc:
            raise _damaged(path, "it changed while it was read")
        yield _record(json.loads(text), payload)


def _record(facts: dict[str, Any], payload: bytes) -> Record:
    origin = facts["origin"]
    for name in ("versions", "extra"):
        origin[name] = tuple(tuple(pair) for pair in origin[name])
    facts.update(origin=Origin(**origin), payload=payload, kind=RESULT)
    for name in ("key", "digest", "inputs"):
        facts[name] = bytes.fromhex(facts[name])
    return Record(**facts)


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    batch: list[Record] = []
    size = 0
    for record in records:
        batch.append(record)
        size += record.size
        if len(batch) == BATCH or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _absent(session: Session, keys: Sequence[Key]) -> set[Key]:
    """Return the keys without a live result, as far as this graph knows their ancestors."""
    floors = session.floors()
    index = session.graph.index
    killed = session.store.tombstones().results
    own = [
        max(killed.get(key, 0), floors[index[key]] if floors is not None and key in index else 0)
        for key in keys
    ]
    present = session.store.present(keys, own)
    return {key for key, there in zip(keys, present, strict=True) if not there}


def _damaged(path: Path, what: str) -> ResultCorrupt:
    return ResultCorrupt(
        f"An export must arrive as it was written: {what} ({path}). Nothing more was taken from it; "
        "copy the file again."
    )
