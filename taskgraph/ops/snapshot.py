"""The graph snapshot: what ``status --quick`` knows of a jugfile without running it.

A session flows in and becomes one document of the store (names, keys, edges); the
document flows back out as a session whose tasks have no functions: it can be counted
and compared with the store, never run.

Layout: 8 bytes of magic, the CRC-32 of all that follows it and the length of a JSON
header (4 bytes each; the length is not in the sum), the header, the function of each
node and the edges (zlib, since they repeat), then the keys as they are (hashes don't
compress). All integers are little-endian.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskgraph.errors import StoreError, UsageError
from taskgraph.ops.code import Unloaded, fingerprints, shapes
from taskgraph.ops.context import now
from taskgraph.session import Session
from taskgraph.signature import CallShape, Options
from taskgraph.store import KEY_SIZE
from taskgraph.task import Task

MAGIC = b"TGGRAPH1"
_HEAD = struct.Struct("<II")


def document_name(jugfile: Path | None) -> str:
    """Return the name of a jugfile's snapshot in its store."""
    return f"graph/{jugfile.stem if jugfile else 'session'}"


def write_snapshot(session: Session, clock: Callable[[], float] = now) -> None:
    """Write the present graph of a session into its store."""
    graph = session.graph
    known, code = shapes(session), fingerprints(session)
    number = {name: place for place, name in enumerate(known)}
    ends, edges = graph.edges()
    functions = array("I", [number[task.shape.name] for task in graph.tasks])
    body = zlib.compress(b"".join(map(_little, (functions, ends, edges))), 1)
    header = json.dumps(
        {
            "written": clock(),
            "stopped": session.stopped,
            "functions": [
                [name, shape.options.retries, code.get(name, "")] for name, shape in known.items()
            ],
            "nodes": len(graph),
            "edges": len(edges),
            "body": len(body),
            "opaque": session.opaque,
        }
    ).encode()
    rest = b"".join([header, body, *graph.keys()])
    data = MAGIC + _HEAD.pack(zlib.crc32(rest), len(header)) + rest
    session.store.put_document(document_name(session.jugfile), data)


def read_snapshot(session: Session) -> tuple[Session, float]:
    """Return a session with the snapshot's graph, and when that was written (1970 seconds).

    ``session`` names the jugfile and the store; its own graph stays as it is.

    Raises
    ------
    UsageError
        If there is no snapshot.
    StoreError
        If it is damaged.
    """
    name = document_name(session.jugfile)
    data = session.store.get_document(name)
    if data is None:
        raise UsageError(
            "A quick look needs the graph snapshot that the first worker writes. Run `taskgraph "
            f"execute` once, or ask without --quick; the store {session.store.url} has no "
            f"document {name!r}."
        )
    try:
        header, parts, keys = _parse(data)
    except (ValueError, struct.error, zlib.error) as error:
        raise StoreError(
            f"A graph snapshot must be whole; {name!r} in {session.store.url} is damaged "
            f"({error}). Ask without --quick; the next `taskgraph execute` writes a new one."
        ) from error
    found = Session(session.store)
    found.jugfile = session.jugfile
    found.stopped = bool(header["stopped"])
    found.opaque = list(header["opaque"])
    _fill(found, header["functions"], parts, keys)
    return found, float(header["written"])


def _parse(data: bytes) -> tuple[dict[str, Any], list[array[int]], bytes]:
    """Take a snapshot apart; ValueError when it is damaged."""
    if data[:8] != MAGIC:
        raise ValueError(f"it begins with {data[:8]!r}")
    crc, size = _HEAD.unpack_from(data, 8)
    rest = data[8 + _HEAD.size :]
    if zlib.crc32(rest) != crc:
        raise ValueError("its checksum is wrong")
    header = json.loads(rest[:size])
    start = size + header["body"]
    body = zlib.decompress(rest[size:start])
    keys = rest[start:]
    nodes = header["nodes"]
    cut = (0, 4 * nodes, 12 * nodes, len(body))
    codes = ("I", "q", "i")
    return (
        header,
        [_from_little(c, body[a:b]) for c, a, b in zip(codes, cut, cut[1:], strict=False)],
        keys,
    )


def _fill(session: Session, functions: Any, parts: list[array[int]], keys: bytes) -> None:
    """Record a task without a function for each node."""
    kinds = [_shape(*facts) for facts in functions]
    numbers, ends, edges = parts
    graph, new = session.graph, Task.__new__
    start = 0
    for node, (number, end) in enumerate(zip(numbers, ends, strict=True)):
        task = new(Task)
        task.shape = kinds[number]
        task.kept = ()
        task.key = keys[KEY_SIZE * node : KEY_SIZE * (node + 1)]
        graph.record(task, [graph.tasks[source] for source in edges[start:end]])
        start = end


def _shape(name: str, retries: int, fingerprint: str) -> CallShape:
    return CallShape(
        f=Unloaded(fingerprint),
        name=name,
        options=Options(retries=retries),
        prefix=b"",
        positional=(),
        keywords=(),
        straight=True,
        arrange=None,
    )


def _little(numbers: array[int]) -> bytes:
    if sys.byteorder == "big":
        numbers = numbers[:]
        numbers.byteswap()
    return numbers.tobytes()


def _from_little(code: str, data: bytes) -> array[int]:
    numbers = array(code, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
