"""Is a worker alive? Two witnesses: its host's process table, and its heartbeat's value.

An :class:`~taskgraph.store.Identity` or a heartbeat value flows in, a verdict flows out.
:class:`Processes` answers at once, but only for workers of this boot and pid namespace;
:class:`Pulses` needs patience and no clock but the observer's own. Nothing here knows
locks, and nothing compares two hosts' clocks.
"""

# ruff: noqa: PTH115  -- /proc is read a lot: a Path object costs more than the call it wraps.
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from taskgraph.store import Identity

#: What a sign of life changes: times of a file in ns, compared with themselves only.
Value = tuple[int, int]
#: A heartbeat must look the same this often before it counts as silent.
LOOKS = 3
#: Bytes that hold any line of the process table.
_ENOUGH = 4096
#: Process states that never run again.
_DEAD = frozenset("ZXx")
#: Process states in which a worker's heart must stand still; ``t`` (traced) is not one.
_STILL = _DEAD | {"T"}


class Processes:
    """``Processes().gone(identity)``: what this host's process table proves.

    Parameters
    ----------
    proc : str
        Where the process table is mounted; a test gives a folder of its own.
    kill : callable
        ``os.kill``: signal 0 asks whether a process is there.
    """

    def __init__(self, proc: str = "/proc", kill: Callable[[int, int], None] = os.kill) -> None:
        self._proc = proc
        self._kill = kill
        self._here: tuple[str, str] | None = None

    def local(self, identity: Identity) -> bool:
        """Return whether a worker's pid means something here: same boot, same pid namespace.

        The host's name is not asked: containers share names, and hosts get renamed.
        """
        if self._here is None:
            self._here = (self._text("sys/kernel/random/boot_id"), self._namespace())
        return all(part and part in identity.boot for part in self._here)

    def gone(self, identity: Identity) -> bool:
        """Return whether the worker's process has ended for certain."""
        if not self.local(identity):
            return False
        found = self._status(identity.pid)
        if found is None:
            return self._missing(identity.pid)
        return found[0] in _DEAD or not _same_birth(identity.birth, found[1])

    def may_beat(self, identity: Identity) -> bool:
        """Return whether the worker's process can be working: neither stopped nor gone.

        Without this look a supervisor's beats would let a suspended worker hold its locks
        for ever.
        """
        if not self.local(identity):
            return True
        found = self._status(identity.pid)
        if found is None:
            return not self._missing(identity.pid)
        return found[0] not in _STILL and _same_birth(identity.birth, found[1])

    def _status(self, pid: int) -> tuple[str, str] | None:
        text = self._text(f"{pid}/stat")
        # The command in parentheses may hold anything, parentheses too.
        fields = text.rpartition(")")[2].split()
        return (fields[0], fields[19]) if len(fields) > 19 else None

    def _missing(self, pid: int) -> bool:
        # A process table mounted with hidepid does not show other users' processes.
        try:
            self._kill(pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    def _namespace(self) -> str:
        try:
            link = os.readlink(f"{self._proc}/self/ns/pid")
        except OSError:
            return ""
        return "".join(letter for letter in link if letter.isdigit())

    def _text(self, name: str) -> str:
        try:
            descriptor = os.open(f"{self._proc}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ""
        try:  # no file object: it costs three times the two calls
            return os.read(descriptor, _ENOUGH).decode("utf-8", "replace").strip()
        except OSError:
            return ""
        finally:
            os.close(descriptor)


def _same_birth(claimed: str, found: str) -> bool:
    # A birth from elsewhere than this process table (no /proc then) can't be compared.
    return claimed == found or not claimed.isdigit()


@dataclass(slots=True)
class Pulse:
    """One heartbeat as it was seen: its value, how often, and for how many seconds."""

    value: Value
    at: float
    looks: int = 1
    silent: float = 0.0


class Pulses:
    """``pulses.look(name, value)``: for how many seconds a heartbeat has not changed.

    Each look adds the observer's own elapsed time, but never more than ``poll_seconds``:
    an observer that was stopped itself, or together with the worker, must not count its
    own sleep as the other's silence.

    Parameters
    ----------
    lease_seconds : float
        Silence that makes a worker stale.
    clock : callable
        Seconds, never going back.
    poll_seconds : float, optional
        The most that one look may add; a sixth of the lease by default.
    """

    def __init__(
        self,
        lease_seconds: float,
        clock: Callable[[], float],
        poll_seconds: float | None = None,
    ) -> None:
        self._lease = lease_seconds
        self._clock = clock
        self._poll = lease_seconds / 6 if poll_seconds is None else poll_seconds
        self._seen: dict[str, Pulse] = {}

    def moved(self, name: str, value: Value) -> bool:
        """Return whether a heartbeat has changed since the last look, for which nothing is noted."""
        pulse = self._seen.get(name)
        return pulse is not None and pulse.value != value

    def look(self, name: str, value: Value) -> float:
        """Note a heartbeat's value and return the seconds it has been silent."""
        now = self._clock()
        pulse = self._seen.get(name)
        if pulse is None or pulse.value != value:
            self._seen[name] = Pulse(value, now)
            return 0.0
        pulse.silent += min(now - pulse.at, self._poll)
        pulse.at = now
        pulse.looks += 1
        return pulse.silent

    def stale(self, name: str, value: Value, leases: float = 1.0) -> bool:
        """Note a value and return whether it has been silent for so many lease times."""
        silent = self.look(name, value)
        return self._seen[name].looks >= LOOKS and silent >= leases * self._lease

    def forget(self, name: str) -> None:
        """Drop what was seen of one heartbeat."""
        self._seen.pop(name, None)
