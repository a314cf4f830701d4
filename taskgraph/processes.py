"""What the supervisor, the template and its children need of the operating system.

Dying with one's parent, signals that only set a flag, the number of threads of array
libraries, and a fresh start of standard streams after a fork.
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

#: Variables by which array libraries are told how many threads to use.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
#: OpenBLAS's threads wait for work by spinning, for 2 to this power cycles: 26 unless told
#: otherwise, which is 40 ms of a core for each library and worker when its threads start, and
#: again after each call. 20 is half a millisecond; then they sleep.
#: (https://github.com/OpenMathLib/OpenBLAS/issues/5171)
SPIN_VARIABLE, SPIN = "OPENBLAS_THREAD_TIMEOUT", "20"
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


def quiet_threads() -> list[str]:
    """Keep array libraries at one thread while a jugfile is read.

    A library that has started threads can't be forked safely.

    Returns
    -------
    list of str
        The variables that were set, for :func:`raise_threads`.
    """
    os.environ.setdefault(SPIN_VARIABLE, SPIN)
    ours = [name for name in THREAD_VARIABLES if name not in os.environ]
    for name in ours:
        os.environ[name] = "1"
    return ours


def raise_threads(ours: Iterable[str], count: int) -> None:
    """Give a worker its share of the cores, in libraries loaded already and to come."""
    for name in ours:
        os.environ[name] = str(count)
    if not ours or count == 1:
        return
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(count)
    if "numpy" in sys.modules:
        try:
            import threadpoolctl
        except ImportError:
            return
        threadpoolctl.threadpool_limits(count)


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
