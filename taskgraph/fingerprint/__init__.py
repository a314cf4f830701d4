"""Fingerprints of functions: they tell whether code has changed since a result was made.

A function and the project's root folder flow in; a hex digest, or the parts it is made
of, flow out. Fingerprints tell *stale* results; they never enter a key. No store here.

A part is the function itself, the default value of a parameter, a plain constant that
the code reads, or a function or class of the project that it calls, directly or not.
What lies outside of the project (the standard library, installed packages) is not
followed: package versions are in the provenance.

Two ways lead to a name. What a module imports or defines at its top is looked up in the
live module, so that constants count by value and functions of notebook cells are found.
What a function imports *inside* its body is looked up in the text of that module, and
never in ``sys.modules``: whether another task has imported it already must not matter.

Code is compared by its syntax tree, written out by ``dump``: without docstrings,
comments, positions and empty fields, hence alike in Python 3.11 to 3.14. Decorators of
this framework (retries, timeouts) don't change what a function computes, so they are
left out; others count.

What it does not see: methods called on objects whose class the function does not name,
names built at run time (``getattr``), data files, and packages outside of the project.

Rooms: ``lookup`` (what a name leads to), ``syntax`` (trees of files, ``dump``, names in them).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

from taskgraph.fingerprint.lookup import defaults, mentioned, of_function, unwrap
from taskgraph.fingerprint.syntax import constant, digest

__all__ = ["explain", "fingerprint", "fingerprint_as", "parts", "project_root"]

_MARKS = (".git", "setup.cfg", "pyproject.toml")

_known: WeakKeyDictionary[Any, dict[Path, dict[str, str]]] = WeakKeyDictionary()


def fingerprint(function: Any, root: Path) -> str:
    """``code = fingerprint(function, root)``: digest of a function's code.

    Parameters
    ----------
    function : callable
        A function, or a wrapper with the function in ``.f`` or ``.__wrapped__``.
    root : Path
        Folder of the project: helpers below it are part of the fingerprint.

    Returns
    -------
    str
        32 hex digits; ``""`` for lambdas, builtins and functions without source text.
    """
    found = parts(function, root)
    return digest(repr(sorted(found.items()))) if found else ""


def fingerprint_as(function: Any, root: Path, name: str) -> str:
    """Return the fingerprint that the same code has when the function is called ``name``.

    A function's own name is part of its code. Where the code mentions it once more (a
    recursion), that is another text.

    Parameters
    ----------
    function, root
        As for :func:`fingerprint`.
    name : str
        Another full name; as many of its last words count as the function's own has.
    """
    found = parts(function, root)
    function = unwrap(function)
    own = of_function(function, root, "", own=True) if found else None
    if own is None:
        return ""
    words = name.split(".")[-len(function.__qualname__.split(".")) :]
    text = own.text.replace(f"name={function.__name__!r};", f"name={words[-1]!r};", 1)
    del found[function.__qualname__]
    found[".".join(words)] = digest(text)
    return digest(repr(sorted(found.items())))


def parts(function: Any, root: Path) -> dict[str, str]:
    """Return what the fingerprint is made of: ``{"segment": hex, "constant SIGMA": hex}``.

    Parameters
    ----------
    function, root
        As for :func:`fingerprint`.
    """
    function = unwrap(function)
    if not isinstance(function, FunctionType):
        return {}
    cached = _known.setdefault(function, {})
    if root not in cached:
        cached[root] = _collect(function, root)
    return dict(cached[root])


def explain(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """Return one line for each difference: ``~`` changed, ``-`` gone, ``+`` new.

    Parameters
    ----------
    old, new : mapping
        What :func:`parts` returned then and now.
    """
    lines = []
    for name in sorted({*old, *new}):
        if name not in new:
            lines.append(f"- {name} is no longer used")
        elif name not in old:
            lines.append(f"+ {name} is used now")
        elif old[name] != new[name]:
            lines.append(f"~ {name} changed")
    return lines


@lru_cache(maxsize=64)
def project_root(jugfile: Path) -> Path:
    """Return the folder whose code belongs to a jugfile.

    The nearest folder from the jugfile's upwards with ``.git``, ``setup.cfg`` or
    ``pyproject.toml``, else the jugfile's own.
    """
    folder = jugfile.resolve().parent
    for place in (folder, *folder.parents):
        if any((place / mark).exists() for mark in _MARKS):
            return place
    return folder


def _collect(function: FunctionType, root: Path) -> dict[str, str]:
    found = of_function(function, root, function.__qualname__, own=True)
    if found is None or function.__name__ == "<lambda>":
        return {}
    own = f"{function.__module__}."
    made = {found.part: digest(found.text)}
    for name, value in defaults(function):
        if (text := constant(value)) is not None:
            made[f"default {name}"] = digest(text)
    todo = [found]
    while todo:
        _, _, node, scope = todo.pop()
        if node is None or scope is None:
            continue
        for one in mentioned(node, scope, root):
            # Without its own module, a part has one name under `python x.py` and a worker.
            part = one.part.replace(f" {own}", " ", 1)
            if part not in made and one.node is not found.node:
                made[part] = digest(one.text)
                todo.append(one)
    return made
