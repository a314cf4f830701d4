"""The scripts that the server runs, by name: Lua text flows out.

Each file is one script, atomic on the server; ``common.lua`` stands before each. What
they share:

* Every key that a script touches is one of its KEYS; ``KEYS[1]`` is always ``meta``.
* ``ARGV[1]`` is the server's run id as the client knows it. A script that finds another
  one in ``meta`` changes nothing and answers ``RESTARTED``: the server may have lost its
  last second, and the client must first say hello again and look at what is left.
* ``ARGV[2]`` is a number of milliseconds added to the server's clock (0 but in tests).
* Many keys come as one string of 32 bytes each, many numbers as one of 8 bytes each, big
  end first: an argument of its own would cost each of them a microsecond twice.
* One that frees room, or must not fail for want of it, says so in its first line.
* No call works on more than 10,000 keys: a script stops all other clients meanwhile.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

_NAMES = (
    "beat", "bury", "census", "claim", "enter", "forget", "gather", "hello", "leave",
    "look", "present", "prune", "publish", "quarantine", "reconcile", "release", "sweep",
)  # fmt: skip


@cache
def scripts() -> dict[str, str]:
    """Return the text of every script by its name."""
    folder = files(__name__)
    common = folder.joinpath("common.lua").read_text("utf-8")
    texts = {name: folder.joinpath(f"{name}.lua").read_text("utf-8") for name in _NAMES}
    return {name: _whole(text, common) for name, text in texts.items()}


def _whole(text: str, common: str) -> str:
    """Put what is common before a script, behind its line of flags."""
    flags, _, rest = text.partition("\n") if text.startswith("#!") else ("", "", text)
    return f"{flags}\n{common}\n{rest}" if flags else f"{common}\n{text}"
