"""The bytes of an owner file, which are the bytes of every lock linked to it.

An identity and a worker's id flow in, bytes flow out, and back. No file is touched here.
The front has fixed width, so that a note of what runs costs one write in place::

    64 bytes  hex key of the task that runs, or blanks; then a line feed
    32 bytes  the worker's id; then a line feed
    JSON      the identity

The id is read from here, never from a name and never from an inode number: ext4 gives a
new file the number of the one just removed. (Lists of workers do take a lock's inode: there
a lock that has gone just now may be shown as another's for one list, and nothing follows.)
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from taskgraph.store import Identity, Key

#: Width of the note of what runs, and of a worker's id.
NOTE, ID = 64, 32


def pack_owner(worker: str, identity: Identity) -> bytes:
    """Return an owner file's content."""
    return f"{'':{NOTE}}\n{worker}\n{json.dumps(asdict(identity))}\n".encode()


def owner_of(content: bytes) -> str:
    """Return the worker that an owner file or lock names; "" when it is not whole."""
    worker = content[NOTE + 1 : NOTE + 1 + ID]
    whole = len(worker) == ID and content[NOTE + 1 + ID : NOTE + 2 + ID] == b"\n"
    return worker.decode("ascii", "replace") if whole else ""


def identity_of(content: bytes) -> Identity:
    """Return the identity in an owner file; one that nobody has when it is damaged."""
    try:
        fields: dict[str, Any] = json.loads(content[NOTE + ID + 2 :])
        fields["resources"] = tuple(
            (str(name), float(much)) for name, much in fields.get("resources", ())
        )
        return Identity(**fields)
    except (ValueError, TypeError):
        return Identity(host="", boot="", pid=0, birth="")


def note_of(content: bytes) -> Key:
    """Return the key that an owner file says is running; ``b""`` for none."""
    try:
        return bytes.fromhex(content[:NOTE].decode("ascii"))
    except ValueError:
        return b""
