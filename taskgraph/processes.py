"""What the supervisor, the template and its children need of the operating system.

Dying with one's parent, signals that only set a flag, and a fresh start of standard
streams after a fork.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, TypeVar

from taskgraph.errors import UsageError

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
#: This process is a command and not a guest in somebody's Python: it reads a jugfile and ends.
IS_PROGRAM = False


def check_platform(platform: str = sys.platform) -> None:
    """Raise UsageError where the operating system can't fork and lock as stores need it."""
    if platform in ("win32", "cygwin"):
        raise UsageError(
            "taskgraph runs on Linux and macOS. On Windows install WSL2 (`wsl --install`) and "
            f"run Python and taskgraph inside it; this Python says {platform!r}."
        )


def keep_loaded() -> None:
    """Tell the garbage collector that what a program has loaded so far is no garbage.

    Looking through it takes a fifth of a short command: while it loads, which is why it
    starts with the collector off, and once more when Python ends.
    """
    if IS_PROGRAM:
        gc.freeze()
        gc.enable()


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when its parent ends (Linux), and end if it has."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(3)


def on_signals(numbers: Iterable[int], handler: Callable[[int], None]) -> None:
    """Call ``handler(number)`` on each of these signals; system calls are resumed."""

    def handle(number: int, frame: FrameType | None) -> None:
        handler(number)

    for number in numbers:
        signal.signal(number, handle)


def kill_group(leader: int) -> None:
    """Kill what is left of a process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def close_input() -> None:
    """Let reads of standard input find its end: no task may wait for a person."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if null:
        os.close(null)


def ignore_interrupts() -> None:
    """Leave Ctrl-C to the supervisor; programs that a task starts still get it."""
    on_signals((signal.SIGINT,), lambda number: None)


def reseed() -> None:
    """Give a forked child random numbers of its own; numpy seeds itself where it is asked to."""
    import random

    random.seed()  # noqa: TID251  # from the system's entropy: the opposite of a fixed seed


def show_crash() -> None:
    """Write the traceback of a defect of our own to the real standard error."""
    import traceback

    os.write(2, traceback.format_exc().encode("utf-8", "replace"))


def flush_streams() -> None:
    """Write out what is buffered, so that no child writes it a second time."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):  # a stream that was closed
                stream.flush()


def current_folder() -> str:
    """Return the current folder, empty when it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109  # asked after every few tasks
    except OSError:
        return ""


def return_to(folder: str) -> None:
    """Go back to a folder: a task that went elsewhere must not take the next ones along."""
    if folder and current_folder() != folder:
        with contextlib.suppress(OSError):
            os.chdir(folder)


def readable(things: Iterable[T], seconds: float) -> list[T]:
    """``ready = readable(sockets, 0.5)``: those of them that can be read, or have ended.

    By ``poll``: ``select`` refuses descriptors above 1,023, and a program that calls
    ``taskgraph.ops`` may have more than that open.
    """
    poll, of = select.poll(), dict[int, Any]()
    for thing in things:
        number = thing if isinstance(thing, int) else thing.fileno()  # type: ignore[attr-defined]
        of[number] = thing
        poll.register(number, select.POLLIN)
    return [of[number] for number, _ in poll.poll(max(0.0, seconds) * 1000)]
