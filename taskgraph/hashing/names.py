"""Names of functions and classes: ``module.qualname``, the same in every process.

``__main__`` counts as the stem of the jugfile, so that ``python x.py`` and a worker that
loads ``x.py`` agree. Nothing is imported or executed here.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from taskgraph.errors import HashError

_main_stem: str | None = None


def set_main_stem(stem: str | None) -> None:
    """Say what ``__main__`` is called in keys; ``None``: the stem of its file."""
    global _main_stem
    _main_stem = stem


def main_stem() -> str:
    """Return what ``__main__`` is called in keys."""
    if _main_stem is not None:
        return _main_stem
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if not path:
        return "__main__"
    name = os.path.basename(str(path))  # noqa: PTH119  one name, asked for often
    return name.rpartition(".")[0] or name


def qualified_name(obj: Any) -> str:
    """``name = qualified_name(f)``: return "module.qualname" of a function or class.

    Raises
    ------
    HashError
        The object has no name of its own (a partial, a callable instance).
    """
    name = getattr(obj, "__qualname__", None) or getattr(obj, "__name__", None)
    module = getattr(obj, "__module__", None) or _owner(obj)
    if not isinstance(name, str) or not isinstance(module, str):
        raise HashError(
            "Only functions and classes that know their module and name can be identified by "
            "them. Define it with def or class in a module, or give the task a name=. "
            f"Got a {type(obj).__qualname__}."
        )
    return f"{main_stem() if module == '__main__' else module}.{name}"


def _owner(obj: Any) -> str | None:
    """Return the module of something that does not say it: methods of builtins, ufuncs."""
    owner = getattr(obj, "__objclass__", None)
    if owner is not None:
        return str(owner.__module__)
    module = getattr(getattr(obj, "__self__", None), "__name__", None)
    if isinstance(module, str) and module in sys.modules:
        return module
    if type(obj).__name__ == "ufunc" and type(obj).__module__ == "numpy":
        return "numpy"
    return None


def is_local(name: str) -> bool:
    """Return whether a qualified name lies inside a function, or is a lambda's."""
    return "<locals>" in name or "<lambda>" in name
