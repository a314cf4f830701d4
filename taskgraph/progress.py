"""Progress for a person: a live bar on a terminal, a line now and then in a log file.

Counts flow in as often as the caller likes, text flows out to one stream. The clock, the
width and whether the stream is a terminal are arguments; nothing here sleeps, starts a
thread or knows a task.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from taskgraph.units import format_duration

#: Seconds between two pictures of the bar.
REDRAW = 0.1
#: Seconds over which the speed is measured.
WINDOW = 30.0
#: Seconds to the first line in a log; each next interval is longer, up to the last.
FIRST, GROWTH, LONGEST = 5.0, 1.5, 600.0

_BLOCKS = " ▏▎▍▌▋▊▉█"


def terminal_width() -> int:
    """Return the columns of the terminal."""
    return shutil.get_terminal_size().columns


class Progress:
    """``progress = Progress(1000, sys.stderr)``: how far a run has come.

    Parameters
    ----------
    total : int
        Tasks there are; 0 while unknown.
    stream : TextIO
        Where to show it.
    clock : callable
        Monotonic seconds.
    live : bool, optional
        Draw a bar; default: when the stream is a terminal.
    width : callable
        Columns of the terminal.
    colour : bool, optional
        Default: unless the variable ``NO_COLOR`` is set.
    """

    def __init__(
        self,
        total: int,
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
        *,
        live: bool | None = None,
        width: Callable[[], int] = terminal_width,
        colour: bool | None = None,
    ) -> None:
        self.total, self._stream, self._clock, self._width = total, stream, clock, width
        self._live = stream.isatty() if live is None else live
        self._colour = not os.environ.get("NO_COLOR") if colour is None else colour
        self._done = self._running = self._failed = 0
        self._seen = False
        self._points: deque[tuple[float, int]] = deque()
        self._start = clock()
        self._next = self._start + (0.0 if self._live else FIRST)
        self._interval = FIRST
        self._drawn = False

    # -- what the supervisor tells ---------------------------------------------------
    def set_total(self, total: int) -> None:
        """Learn how many tasks there are; more may come behind a barrier."""
        self.total = max(self.total, total)

    def update(self, done: int, running: int, failed: int) -> None:
        """Show how far it is, if it is time to."""
        self._done, self._running, self._failed = done, running, failed
        self._seen = True
        now = self._clock()
        if not self._points or now - self._points[-1][0] >= REDRAW:
            self._measure(now, done + failed)
        if now < self._next:
            return
        if self._live:
            self._next = now + REDRAW
            self._draw(self.bar(self._width()))
        else:
            self._interval = min(LONGEST, self._interval * GROWTH)
            self._next = now + self._interval
            self._write(self.words() + "\n")

    def line(self, text: str) -> None:
        """Show a line that stays."""
        self._wipe()
        self._write(text + "\n")

    def close(self) -> None:
        """Show the last state and let it stay."""
        if not self._seen:
            return
        self._measure(self._clock(), self._done + self._failed)
        if self._live:
            self._draw(self.bar(self._width()))
            self._write("\n")
            self._drawn = False
        elif self._interval > FIRST:  # a line was shown: the last one must tell the end
            self._write(self.words() + "\n")
        self._seen = False

    # -- pictures --------------------------------------------------------------------
    def speed(self) -> float:
        """Return tasks per second over the last half minute, 0 when unknown."""
        if len(self._points) < 2:
            return 0.0
        (before, less), (after, more) = self._points[0], self._points[-1]
        return (more - less) / (after - before) if after > before else 0.0

    def eta(self) -> float | None:
        """Return the seconds left at this speed, ``None`` when unknown."""
        left = self.total - self._done - self._failed
        speed = self.speed()
        return left / speed if speed > 0 and left > 0 else None

    def words(self) -> str:
        """Return the state as a line for a log."""
        elapsed = format_duration(self._clock() - self._start)
        return f"[{elapsed}] {', '.join(self._facts())}"

    def bar(self, width: int) -> str:
        """Return the state as a bar with numbers, at most ``width - 1`` columns."""
        facts = self._facts()
        room = width - 1
        while len(facts) > 1 and len(" ".join(facts)) + 4 > room:
            facts.pop()
        text = "  ".join(facts)
        size = min(40, room - len(text) - 4)
        if size < 4:
            return text[:room]
        return f"{self._blocks(size)}  {text}"

    def _facts(self) -> list[str]:
        facts = [f"{self._done}/{self.total or '?'} done"]
        if self._failed:
            facts.append(f"{self._failed} failed")
        facts.append(f"{self._running} running")
        speed = self.speed()
        if speed > 0:
            facts.append(f"{speed:.3g} tasks/s" if speed < 1000 else f"{speed:.0f} tasks/s")
        left = self.eta()
        if left is not None:
            facts.append(f"ETA {format_duration(left)}")
        return facts

    def _blocks(self, size: int) -> str:
        share = (self._done + self._failed) / self.total if self.total else 0.0
        eighths = int(min(1.0, share) * size * 8)
        filled = _BLOCKS[-1] * (eighths // 8)
        if len(filled) < size:
            filled += _BLOCKS[eighths % 8]
        bar = filled.ljust(size)
        if not self._colour:
            return f"|{bar}|"
        return f"|\033[{31 if self._failed else 32}m{bar}\033[0m|"

    # -- writing ---------------------------------------------------------------------
    def _measure(self, now: float, count: int) -> None:
        self._points.append((now, count))
        while len(self._points) > 2 and now - self._points[0][0] > WINDOW:
            self._points.popleft()

    def _draw(self, text: str) -> None:
        self._write(f"\r\033[K{text}")
        self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            self._write("\r\033[K")
            self._drawn = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
