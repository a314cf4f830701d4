"""What one process keeps in memory about the workers that it runs or beats for.

Filled and read by ``owners.py`` and ``locks.py``; nothing here touches a file. What another
process's worker holds is never in it: that is asked of the disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from taskgraph.store import Identity


@dataclass(slots=True)
class Own:
    """What this process keeps about one of its workers."""

    content: bytes  #: of the owner file, as it was written
    source: str  #: the file that the next lock is linked to
    rotations: int = 0
    notes: int = -1  #: descriptor that writes what runs
    held: dict[str, str] = field(default_factory=dict)  #: lock name -> name that was linked
    left: set[str] = field(default_factory=set)  #: files that an error may have left linked
    sure: bool = True  #: False after an error: there may be locks that ``held`` misses


@dataclass(slots=True)
class Heart:
    """An owner file opened once, to be beaten for its worker."""

    descriptor: int
    identity: Identity
