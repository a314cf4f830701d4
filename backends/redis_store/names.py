"""What a project's keys on the server are called: a project's name flows in, key names out.

All begin with ``taskgraph:{project}:``; the braces make one slot of a cluster of them.
"""

from __future__ import annotations

from taskgraph.store import Key


class Names:
    """``names = Names("cells"); names.heads``: the keys of one project.

    Parameters
    ----------
    project : str
        Letters, digits, dots, underscores and hyphens.
    """

    def __init__(self, project: str) -> None:
        self.prefix = prefix = f"taskgraph:{{{project}}}:"
        self.meta = prefix + "meta"  #: id, format, lease, run of the server, since when
        self.heads = prefix + "heads"  #: key -> entry of its result
        self.fails = prefix + "fails"  #: key -> entries of its failures
        self.locks = prefix + "locks"  #: key -> owner (16 bytes) and acquisition (8)
        self.owners = prefix + "owners"  #: owner -> deadline (8 bytes) and identity
        self.running = prefix + "running"  #: owner -> key
        self.tombs = prefix + "tombs"  #: root -> number of the last invalidate
        self.ftombs = prefix + "ftombs"  #: the same of failures
        self.epoch = prefix + "epoch"  #: number of the last closed invalidate
        self.opening = prefix + "opening"  #: number and time of one in the making
        self.news = prefix + "news"  #: stream of what was published and invalidated
        self.origins = prefix + "origins"  #: digest -> origin
        self.docs = prefix + "docs"
        self.quarantine = prefix + "quarantine"  #: key -> entry found damaged
        self.sizes = prefix + "sizes"  #: bytes of payloads, number of news ever told

    def chunk(self, key: Key, token: bytes, number: int) -> str:
        """Return the name of one chunk of a payload."""
        return f"{self.prefix}b:{key.hex()}:{token.hex()}:{number}"

    def chunks(self, key: Key, token: bytes, count: int) -> list[str]:
        """Return the names of all chunks of a payload."""
        return [self.chunk(key, token, number) for number in range(count)]

    def parse_chunk(self, name: str) -> tuple[Key, bytes, int] | None:
        """Return key, token and number of a chunk by its name; ``None`` for another name."""
        parts = name.removeprefix(self.prefix).split(":")
        if len(parts) != 4 or parts[0] != "b":
            return None
        try:
            return bytes.fromhex(parts[1]), bytes.fromhex(parts[2]), int(parts[3])
        except ValueError:
            return None
