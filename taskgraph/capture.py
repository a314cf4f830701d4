"""What tasks print: kept as a tail for failure reports and as the worker's log.

Standard output and error of a worker are replaced while it runs tasks. A line gets the
task's name in front in the log; with ``echo`` it also goes to the terminal.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import TextIO

#: Characters of a task's output that a failure report keeps.
TAIL = 8192
#: Characters of all tasks' output that a worker's log keeps.
LOG = 1 << 20


class Capture:
    """A text stream that remembers.

    Parameters
    ----------
    echo : TextIO, optional
        Where lines also go, with the task's name in front.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, echo: TextIO | None = None) -> None:
        self._echo = echo
        self._name = ""
        self._tail: list[str] = []
        self._tail_size = 0
        self._line = ""
        self._log: deque[str] = deque()
        self._log_size = 0
        self.changed = False

    def begin(self, name: str) -> None:
        """Take note that a task of this name starts; cheap, called for every task."""
        self._name = name
        if self._tail:
            self._tail = []
            self._tail_size = 0

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
        self._tail.append(text)
        self._tail_size += len(text)
        while len(self._tail) > 1 and self._tail_size - len(self._tail[0]) > TAIL:
            self._tail_size -= len(self._tail.pop(0))
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._take_line(f"[{self._name}] {line}\n")
        return len(text)

    def _take_line(self, line: str) -> None:
        self._log.append(line)
        self._log_size += len(line)
        while self._log_size > LOG:
            self._log_size -= len(self._log.popleft())
        if self._echo is not None:
            self._echo.write(line)
            self._echo.flush()

    def writelines(self, lines: list[str]) -> None:
        """Take in several texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: text is taken in at once."""

    def isatty(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the descriptor of the real standard error, for libraries that ask."""
        return 2

    def install(self) -> None:
        """Take the place of standard output and error."""
        sys.stdout = sys.stderr = self
