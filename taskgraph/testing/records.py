"""Keys, records and identities for tests, made from small numbers.

Numbers and payloads flow in, values of the port flow out. Nothing here pickles: the
payloads are any bytes, as backends see them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from taskgraph.store import DIGEST_SIZE, RESULT, Identity, Key, Origin, Payload, Record


def make_key(number: int, bucket: int | None = None) -> Key:
    """Return the key of a made-up task; ``bucket`` sets its first byte."""
    key = hashlib.sha256(b"task %d" % number).digest()
    return key if bucket is None else bytes([bucket]) + key[1:]


def make_record(
    key: Key,
    payload: Payload = b"value",
    *,
    epoch: int = 0,
    kind: int = RESULT,
    inputs: Sequence[Record] = (),
    attempt: int = 1,
) -> Record:
    """Return a record as a worker would publish it; its digest is that of the payload."""
    return Record(
        key=key,
        kind=kind,
        epoch=epoch,
        digest=digest_of(payload),
        inputs=b"".join(i.key[:DIGEST_SIZE] + i.digest for i in inputs),
        origin=Origin(function="tests.work", jugfile="jugfile.py", host="here"),
        started=1_700_000_000.0,
        seconds=0.25,
        cpu=0.125,
        peak=1 << 20,
        attempt=attempt,
        payload=payload,
    )


def make_identity(pid: int = 1, *, job: str = "") -> Identity:
    """Return a worker of a host that is not this one: only its heartbeat can be judged."""
    return Identity(host="elsewhere", boot="another boot", pid=pid, birth="1", job=job)


def payload_bytes(payload: Payload) -> bytes:
    """Return a payload as one ``bytes``, whatever buffers it came in."""
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    return b"".join(bytes(part) for part in payload)


def digest_of(payload: Payload) -> bytes:
    """Return the digest that :func:`make_record` gives a payload."""
    return hashlib.sha256(payload_bytes(payload)).digest()[:DIGEST_SIZE]
