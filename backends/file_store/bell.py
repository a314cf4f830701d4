"""The bell: one small file that changes after each publish, so that a poll costs one look.

Rings flow in, stamps flow out; a stamp that is unlike the last one means *there may be
news*. A bell is a hint: a publisher may die between its mark and its ring, so whoever
polls also looks at everything every now and then (:data:`LOOK_AGAIN`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout

#: Seconds after which an unrung bell is no longer trusted: local, network.
LOOK_AGAIN = (1.0, 5.0)
#: First and longest pause between two looks at the bell: local, network.
PAUSES = ((0.005, 0.05), (0.25, 0.25))

Stamp = tuple[int, int]


class Bell:
    """``bell.ring()`` after a publish; ``bell.wait(stamp, 10.0)`` until another rings.

    On a local disk a ring appends a byte: times of change have the grain of a clock tick,
    sizes have not. On a network mount appends of two clients overwrite each other and stay
    in the client's cache, while a change of times goes to the server at once.
    """

    def __init__(
        self,
        fs: FileSystem,
        layout: Layout,
        network: bool,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._fs = fs
        self._layout = layout
        self._network = network
        self._clock = clock
        self._sleep = sleep
        self._descriptor = -1
        self._looking = -1

    def ring(self) -> None:
        """Tell everyone that there may be news."""
        if self._descriptor < 0:
            self._descriptor = self._open_for_ringing()
        if self._network:
            self._fs.touch(self._descriptor)
        else:
            self._fs.append(self._descriptor, [b"\n"])

    def _open_for_ringing(self) -> int:
        try:
            return self._fs.create(self._layout.bell, self._layout.file_mode)
        except FileExistsError:
            return self._fs.open(self._layout.bell, os.O_WRONLY | os.O_APPEND)

    def stamp(self) -> Stamp:
        """Look at the bell; (0, 0) where it never rang."""
        if self._network:
            self._close_look()  # only an open asks the server
        if self._looking < 0:
            try:
                self._looking = self._open_to_look()
            except FileNotFoundError:
                return 0, 0
        found = self._fs.fstat(self._looking)
        return found.st_mtime_ns, found.st_size

    def _open_to_look(self) -> int:
        try:
            return self._fs.open(self._layout.bell)
        except FileNotFoundError:
            if not self._network:
                raise
            self._fs.names(self._layout.root)  # else a client remembers for long that it is missing
            return self._fs.open(self._layout.bell)

    def wait(self, stamp: Stamp, seconds: float) -> bool:
        """Sleep until the bell's stamp is another, at most ``seconds``; True when it is."""
        pause, longest = PAUSES[self._network]
        end = self._clock() + seconds
        while self.stamp() == stamp:
            left = end - self._clock()
            if left <= 0:
                return False
            self._sleep(min(pause, left))
            pause = min(pause * 1.5, longest)
        return True

    def close(self) -> None:
        """Close the descriptors."""
        self._close_look()
        if self._descriptor >= 0:
            self._fs.let_go(self._descriptor)
            self._descriptor = -1

    def _close_look(self) -> None:
        if self._looking >= 0:
            self._fs.let_go(self._looking)
            self._looking = -1
