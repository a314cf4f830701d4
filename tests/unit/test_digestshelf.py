"""The document that keeps digests: any path fits, and the lock of one comes late in line."""

from __future__ import annotations

from taskgraph.digestshelf import Entry, lock_of, pack, unpack


def test_any_path_can_be_kept():
    entries = {"/ä/\udcff b": Entry(1, 2, 3, -4, b"\0" * 32)}
    assert unpack(pack(entries)) == entries
    assert lock_of("/ä/\udcff b")[:1] == b"\xff"
