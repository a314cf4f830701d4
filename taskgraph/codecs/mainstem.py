"""``__main__`` and the jugfile's stem are one module: results of both runs fit together.

``python x.py`` defines its classes in ``__main__``; ``taskgraph execute x.py`` defines the
same ones in a module ``x``. Pickles name them ``x.Class`` in both cases, and readers look
where the jugfile is now. Names flow in, objects flow out; no pickling here.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any

_told: str | None = None


def set_main_stem(stem: str | None) -> None:
    """Tell the stem of the jugfile; ``None`` (the default) takes ``__main__``'s file."""
    global _told
    _told = stem


def main_stem() -> str:
    """Return the stem under which things of the jugfile are written."""
    if _told is not None:
        return _told
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return _stem(file) if file else "__main__"


@lru_cache(maxsize=8)
def _stem(file: str) -> str:
    from pathlib import Path

    return Path(file).stem


def is_main(module: str | None) -> bool:
    """Say whether a module's name means the jugfile."""
    return module == "__main__" or module == main_stem()


def resolve(stem: str, name: str) -> Any:
    """Return the object of the jugfile with this qualified name.

    Raises
    ------
    AttributeError
        If no module that could be the jugfile has it.
    ImportError
        If there is no such module.
    """
    for module in _candidates(stem):
        found = _walk(sys.modules.get(module), name)
        if found is not None:
            return found
    from importlib import import_module

    found = _walk(import_module(stem), name)
    if found is None:
        raise AttributeError(f"module {stem!r} has no attribute {name!r}")
    return found


def name_in_main(obj: Any) -> tuple[str, str] | None:
    """Return (stem, qualified name) when the jugfile holds ``obj`` under its own name."""
    name = getattr(obj, "__qualname__", "")
    stem = main_stem()
    if any(_walk(sys.modules.get(module), name) is obj for module in _candidates(stem)):
        return stem, name
    return None


def _candidates(stem: str) -> tuple[str, ...]:
    if stem == "__main__":
        return ("__main__",)
    if stem != main_stem():
        return (stem,)
    # Told: the file was read as a module. Not told: the running program is the jugfile.
    return (stem, "__main__") if _told is not None else ("__main__", stem)


def _walk(obj: Any, name: str) -> Any:
    for part in name.split("."):
        obj = getattr(obj, part, None)
    return obj
