"""What tasks of each function took and made, as far as this worker has run them.

Seconds and bytes flow in after each task, running means flow out. Knows no graph.
"""

from __future__ import annotations


class Timings:
    """What tasks of each function took and made, as running means."""

    def __init__(self) -> None:
        self._seconds: dict[str, list[float]] = {}

    def add(self, name: str, seconds: float, size: int, count: int = 1) -> None:
        """Take in ``count`` tasks of a function: their seconds and bytes together."""
        if not count:
            return
        entry = self._seconds.setdefault(name, [0.0, 0.0, 0.0])
        if entry[2] > 1000:  # forget slowly, so that a changed pace is noticed
            entry[:] = [value / 2 for value in entry]
        entry[0] += seconds
        entry[1] += size
        entry[2] += count

    def seconds(self, name: str) -> float | None:
        """Return the mean seconds of a function's tasks, ``None`` while untimed."""
        entry = self._seconds.get(name)
        return entry[0] / entry[2] if entry else None

    def size(self, name: str) -> float:
        """Return the mean bytes of a function's results."""
        entry = self._seconds.get(name)
        return entry[1] / entry[2] if entry else 0.0
