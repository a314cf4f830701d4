"""A clock that moves when it is told to.

Seconds flow in by :meth:`FakeClock.advance` or ``sleep``, the present flows out. It
stands in wherever a clock or a sleep is a parameter, and knows nothing else.
"""

from __future__ import annotations


class FakeClock:
    """``clock = FakeClock(); clock.advance(30); clock()``.

    Parameters
    ----------
    now : float
        Seconds at the start.
    """

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        """Return the present, in seconds."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Pass the time at once; to be handed over as a ``sleep``."""
        self.now += max(0.0, seconds)
