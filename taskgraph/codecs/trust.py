"""Whether pickle may be used at all in this process: ``set_pickle(False)`` forbids it.

One setting flows in and out. It counts for writing and for reading, and children of a fork
inherit it. Plain payloads (numbers, texts, arrays and containers of them) are not touched:
what reads them runs no code.
"""

from __future__ import annotations

import os

from taskgraph.errors import CodecError

VARIABLE = "TASKGRAPH_NO_PICKLE"
_OFF = frozenset(("", "0", "false", "no", "n", "off", "f"))

_told: bool | None = None


def set_pickle(allowed: bool | None) -> None:
    """Allow or forbid pickle; ``None`` (the default) asks the environment."""
    global _told
    _told = allowed


def pickle_allowed() -> bool:
    """Tell whether objects that need pickle may be written and read."""
    if _told is not None:
        return _told
    return os.environ.get(VARIABLE, "").strip().lower() in _OFF


def refused_to_write(path: str, cls: type) -> CodecError:
    """Return the error for a result that needs pickle."""
    return CodecError(
        "With --no-pickle a result is made of numbers, texts, arrays, tensors and containers of "
        "them; return such a value, or allow pickle where you trust all who write to the store. "
        f"Got {cls.__module__}.{cls.__qualname__} at result{path}."
    )


def refused_to_read(what: str) -> CodecError:
    """Return the error for a stored pickle."""
    return CodecError(
        "Results of other types than numbers, texts, arrays and containers of them can run "
        "code when loaded, which was not allowed here; allow it for stores you trust, or "
        f"invalidate the result. Got {what}."
    )
