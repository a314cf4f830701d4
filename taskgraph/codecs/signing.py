"""Signatures over stored bytes: ``sealed = ring.seal(PURPOSE, facts, payload)`` and back.

Bytes and the facts that they belong to flow in; the same bytes behind a head of 64 flow
out, and only if nobody changed either, the bytes flow back. This room knows keys and
HMAC-SHA256 (RFC 2104, FIPS 198-1), not records, stores or objects.

The head::

    offset  0  tag        1 byte    "S"
            1  version    1 byte    1
            2  zeros      6 bytes
            8  key        8 bytes   which key signed: a digest of it, no secret
           16  zeros     16 bytes
           32  signature 32 bytes   HMAC-SHA256(key, purpose, facts, head up to here, payload)

It is 64 bytes long so that arrays behind it stay aligned. Purpose and facts carry their
lengths, so no two different frames give the HMAC one text.

A key file holds one key of 32 random bytes and more as they are, or any number of them as
hexadecimal digits, one a line: the first signs, all verify, which is how keys are changed.

What a signature does not say: that the frame is the newest that was signed for its place.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from taskgraph.codecs.wire import SIGNED, SIGNED_HEAD, SIGNED_VERSION, Payload
from taskgraph.errors import ConfigError, ResultCorrupt

VARIABLE = "TASKGRAPH_KEY_FILE"
KEY_ID_SIZE = 8
#: Bytes of the shortest key: as many as the hash gives.
SHORTEST = 32
#: A key with fewer different bytes was not drawn by chance.
_DIFFERENT = 8
#: Smaller payloads are copied behind their head, and out from behind it.
_SMALL = 1 << 12

_told: Path | None = None


class SignatureRefused(ResultCorrupt):
    """Bytes that no key at hand has signed for this place.

    Not in ``taskgraph.errors``: whoever reads a store sees :class:`ResultCorrupt`.
    """


class Keyring:
    """``ring = Keyring([key])``: keys by which frames are signed and judged.

    Parameters
    ----------
    keys : sequence of bytes
        At least one; the first signs, all verify.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        # The pads of HMAC are hashed once; a copy of the state costs less than a new one.
        self._macs = {key_id(key): hmac.new(key, digestmod="sha256") for key in reversed(keys)}
        self._id = key_id(keys[0])

    def seal(self, purpose: bytes, facts: bytes, payload: Payload) -> Payload:
        """Return the payload behind a head that signs it; large buffers are not copied.

        Parameters
        ----------
        purpose : bytes
            What kind of thing is signed: one kind never passes for another.
        facts : bytes
            What the payload belongs to; needed again to open it.
        payload : bytes or list of buffers
            What is signed.
        """
        head = bytes((SIGNED, SIGNED_VERSION)) + bytes(6) + self._id + bytes(16)
        whole = isinstance(payload, bytes | bytearray | memoryview)
        parts: Sequence[Any] = [payload] if whole else list(payload)
        head += self._sign(self._id, purpose, facts, head, parts)
        small = type(payload) is bytes and len(payload) < _SMALL
        return b"".join((head, *parts)) if small else [head, *parts]

    def open(self, purpose: bytes, facts: bytes, sealed: Payload) -> bytes | memoryview:
        """Return the payload that was signed with these facts.

        The bytes are copied first unless they are ``bytes`` already: another process that
        can write the file below a map must not change them after they were judged.

        Raises
        ------
        SignatureRefused
            If they were not signed, or not by a key at hand, or for another purpose or
            other facts, or were changed since.
        """
        data = sealed if isinstance(sealed, bytes) else bytearray().join(_parts(sealed))
        if len(data) < SIGNED_HEAD or data[0] != SIGNED:
            raise _refused("it is not signed", f"{len(data)} bytes")
        name = bytes(data[8 : 8 + KEY_ID_SIZE])
        if name not in self._macs:
            raise _refused("it is signed by a key that is not in the key file", name.hex())
        view = memoryview(data)
        made = self._sign(name, purpose, facts, view[:32], [view[SIGNED_HEAD:]])
        if not hmac.compare_digest(made, view[32:SIGNED_HEAD]):
            raise _refused("its signature is wrong: changed, or moved from elsewhere", name.hex())
        small = isinstance(data, bytes) and len(data) < _SMALL
        return bytes(view[SIGNED_HEAD:]) if small else view[SIGNED_HEAD:]

    def _sign(
        self, name: bytes, purpose: bytes, facts: bytes, head: Any, parts: Sequence[Any]
    ) -> bytes:
        mac = self._macs[name].copy()
        lengths = len(purpose).to_bytes(8, "little") + len(facts).to_bytes(8, "little")
        mac.update(b"".join((lengths, purpose, facts, head)))
        for part in parts:
            mac.update(part)
        return mac.digest()


def key_id(key: bytes) -> bytes:
    """Return 8 bytes that name a key without telling it."""
    return sha256(b"taskgraph key id\0" + key).digest()[:KEY_ID_SIZE]


# -- keys ---------------------------------------------------------------------------
def set_key_file(path: str | Path | None) -> None:
    """Name the key file of this process; ``None`` (the default) asks the environment."""
    global _told
    _told = None if path is None else Path(path).expanduser().absolute()


def keyring() -> Keyring | None:
    """Return the keys of this process; ``None`` when results are not signed.

    Raises
    ------
    ConfigError
        If a key file is named and can't be used: never unsigned by mistake.
    """
    path = _told
    if path is None:
        named = os.environ.get(VARIABLE)
        if named is None:
            return None
        path = Path(named).expanduser()
    try:
        facts = path.stat()
        _check_mode(path, facts.st_mode)
        return _read(path, facts.st_mtime_ns, facts.st_size)
    except OSError as error:
        raise ConfigError(
            f"{VARIABLE} must name a file with a key that this user may read; without it results "
            f"would go unsigned. Got {str(path)!r}: {error.strerror}."
        ) from error


def _check_mode(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode) or mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise ConfigError(
            "A key file must be a plain file that others can't read and the group can't change: "
            f"chmod 600 {path} (640 shares the key with a group). Got {stat.filemode(mode)}."
        )


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> Keyring:
    return Keyring(parse_keys(path.read_bytes(), str(path)))


def parse_keys(data: bytes, name: str = "the key file") -> list[bytes]:
    """Return the keys in the bytes of a key file.

    Raises
    ------
    ConfigError
        If there is none, one is too short, or a line of text is not hexadecimal.
    """
    text = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data)
    try:
        keys = [bytes.fromhex(line) for line in data.decode().split()] if text else [data]
    except ValueError as error:
        raise ConfigError(
            "A key file holds random bytes, or keys of 64 hexadecimal digits, one a line: "
            f"`openssl rand -hex 32` writes one. {name} is other text."
        ) from error
    short = [key for key in keys if len(key) < SHORTEST or len(set(key)) < _DIFFERENT]
    if short or not keys:
        raise ConfigError(
            f"A key must be {SHORTEST} random bytes or more: `openssl rand -hex 32` writes one. "
            f"{name} has {len(keys)} keys, {len(short)} of them too short or not random."
        )
    return keys


def _parts(payload: Payload) -> Sequence[Any]:
    return [payload] if isinstance(payload, bytearray | memoryview) else payload


def _refused(what: str, got: object) -> SignatureRefused:
    return SignatureRefused(
        f"With a key, the bytes of a store must be signed for their place, but {what}: {got}. "
        "Compute the result again, or add the key that signed it to the key file."
    )


__all__ = ["VARIABLE", "Keyring", "SignatureRefused", "keyring", "set_key_file"]
