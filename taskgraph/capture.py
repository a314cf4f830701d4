"""What tasks print: kept as a tail for failure reports and as the worker's log.

Standard output and error of a worker are replaced while it runs tasks. A line gets the
task's name in front in the log; with ``echo`` it also goes to the terminal. Bytes that
a task writes past Python, to the descriptors themselves, are not seen here.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections import deque
from typing import Any, TextIO

#: Characters of a task's output that a failure report keeps.
TAIL = 8192
#: Characters of all tasks' output that a worker's log keeps.
LOG = 1 << 20
#: A line that gets longer is cut: a progress bar may never end its line.
LONGEST_LINE = 4096


class Capture(io.TextIOBase):
    """A text stream that remembers.

    Parameters
    ----------
    echo : TextIO, optional
        Where lines also go, with the task's name in front.
    """

    encoding = "utf-8"
    errors = "replace"
    name = "<task output>"

    def __init__(self, echo: TextIO | None = None) -> None:
        self._echo = echo
        self._name = ""
        self._tail: list[str] = []
        self._tail_size = 0
        self._line = ""
        self._log: deque[str] = deque()
        self._log_size = 0
        self._installed = False
        self.buffer = _Bytes(self)
        self.changed = False

    def begin(self, name: str) -> None:
        """Take note that a task of this name starts; cheap, called for every task."""
        if self._tail:
            if self._line:  # the task before ended without a newline
                self._take_line(self._line)
                self._line = ""
            self._tail = []
            self._tail_size = 0
        self._name = name
        if self._installed and sys.stdout is not self:  # the task before put another there
            self.install()

    def tail(self) -> str:
        """Return the last that the present task printed."""
        return "".join(self._tail)[-TAIL:]

    def log(self) -> bytes:
        """Return the worker's log."""
        self.changed = False
        return "".join(self._log).encode("utf-8", "replace")

    # -- the stream ------------------------------------------------------------------
    def write(self, text: str) -> int:
        """Take in text."""
        self.changed = True
        self._tail.append(text[-TAIL:])
        self._tail_size += len(self._tail[-1])
        while self._tail_size - len(self._tail[0]) > TAIL:
            self._tail_size -= len(self._tail.pop(0))
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._take_line(line)
        if len(self._line) > LONGEST_LINE:
            self._take_line(self._line)
            self._line = ""
        return len(text)

    def _take_line(self, line: str) -> None:
        line = f"[{self._name}] {line[-LONGEST_LINE:]}\n"
        self._log.append(line)
        self._log_size += len(line)
        while self._log_size > LOG:
            self._log_size -= len(self._log.popleft())
        if self._echo is not None:
            with contextlib.suppress(OSError):  # a terminal that went away harms no task
                self._echo.write(line)
                self._echo.flush()

    def writable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Do nothing: a task that closes its standard output closes nobody else's."""

    def fileno(self) -> int:
        """Return the descriptor of the real standard error, for libraries that ask."""
        return 2

    def install(self) -> None:
        """Take the place of standard output and error."""
        self._installed = True
        sys.stdout = sys.stderr = self


class _Bytes(io.RawIOBase):
    """The capture as a stream of bytes: ``sys.stdout.buffer``."""

    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Any) -> int:
        """Take in bytes."""
        self._capture.write(bytes(data).decode("utf-8", "replace"))
        return memoryview(data).nbytes

    def close(self) -> None:
        """Do nothing."""


__all__ = ["LOG", "LONGEST_LINE", "TAIL", "Capture"]
