"""The words that all codecs share: payload types, tags, digests, the error for damage.

Flat values and pure functions; knows no format.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2s, sha256

from taskgraph.errors import ResultCorrupt

#: Anything with the buffer protocol, one byte an item.
Buffer = bytes | bytearray | memoryview
#: One buffer, or several that follow each other.
Payload = Buffer | Sequence[Buffer]
Encoded = tuple[Payload, bytes]

DIGEST_SIZE = 8
#: Tags of payloads with buffers; see ``frame``.
ARRAY, PLAIN, FULL = 0x61, 0x70, 0x50  # "a", "p", "P"
#: Tag of a head that signs the payload behind it; see ``signing``.
SIGNED = 0x53  # "S"
SIGNED_VERSION, SIGNED_HEAD = 1, 64
#: OpenSSL's sha256 is the faster from about here (1.1 against 0.9 GB/s), blake2s below.
_SMALL_DIGEST = 1 << 10


def digest_of(data: Buffer) -> bytes:
    """Return the 8-byte digest of some bytes."""
    if len(data) <= _SMALL_DIGEST:
        return blake2s(data, digest_size=DIGEST_SIZE).digest()
    return sha256(data).digest()[:DIGEST_SIZE]


def as_view(payload: Payload) -> memoryview:
    """Return a payload as one flat view of bytes."""
    if isinstance(payload, bytes | bytearray | memoryview):
        view = memoryview(payload)
    else:
        view = memoryview(b"".join(payload))
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def corrupt(what: str, got: object) -> ResultCorrupt:
    """Return the error for damaged bytes."""
    return ResultCorrupt(f"The bytes of a result must be as they were written, but {what}: {got}")


def without_signature(payload: Payload) -> Payload:
    """Return what is behind a signature, unverified: for readers without a key."""
    view = as_view(payload)
    if not len(view) or view[0] != SIGNED:
        return payload
    if len(view) < SIGNED_HEAD or view[1] != SIGNED_VERSION:
        raise corrupt("the head of its signature makes no sense", f"{len(view)} bytes")
    return view[SIGNED_HEAD:]
