"""What a diagnosis asks of the host: room, mounts, settings of the kernel, user and clock.

Paths flow in, numbers flow out. A test gives other answers than this host's; nothing here
knows a store.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from backends.file_store.mounts import Mount, mount_of


class Room(NamedTuple):
    """What is left of a file system for this user; a total of 0 means it does not count."""

    bytes: int
    total_bytes: int
    inodes: int
    total_inodes: int


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The host as a store sees it.

    Parameters
    ----------
    proc : str
        Where the process table is mounted.
    """

    proc: str = "/proc"

    def room(self, path: str) -> Room:
        """Return how much room is left where a path lies."""
        seen = os.statvfs(path)
        size = seen.f_frsize
        return Room(seen.f_bavail * size, seen.f_blocks * size, seen.f_favail, seen.f_files)

    def mount(self, path: str) -> Mount | None:
        """Return the mount a path lies on; ``None`` where nobody says."""
        return mount_of(path, f"{self.proc}/mounts")

    def protected_links(self) -> bool:
        """Return whether the kernel lets nobody link to a file of another that is read-only."""
        try:
            text = Path(f"{self.proc}/sys/fs/protected_hardlinks").read_text(encoding="ascii")
        except OSError:
            return False
        return text.strip() == "1"

    def user(self) -> int:
        """Return the number of the user who asks; 0 is root."""
        return os.geteuid()

    def umask(self) -> int:
        """Return what this process takes from the permissions of files it makes."""
        mask = os.umask(0o077)
        os.umask(mask)
        return mask

    def clock(self) -> float:
        """Return seconds since 1970 on this host's clock."""
        return time.time()
