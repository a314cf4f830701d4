"""What jug takes a lambda in a tasklet to be: its byte code and what it holds.

A lambda flows in, the plain structure flows out that jug hashes in its place. Byte code
differs between versions of Python, so these hashes hold for one version only; our own
keys use the syntax tree instead (``taskgraph.hashing.lambdas``).
"""

from __future__ import annotations

import pickle
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from taskgraph.errors import HashError

if TYPE_CHECKING:
    from taskgraph.compat.jug_hash import JugHasher


def lambda_key(f: FunctionType, hasher: JugHasher) -> tuple[Any, ...]:
    """Return what jug hashes for a lambda."""
    closure: list[Any] = []
    for cell in f.__closure__ or ():
        try:
            closure.append(_held(cell.cell_contents, hasher))
        except ValueError:  # an empty cell
            closure.append(None)
    defaults = tuple(_held(value, hasher) for value in f.__defaults__ or ())
    named = {name: _held(value, hasher) for name, value in (f.__kwdefaults__ or {}).items()}
    return ("<lambda>", _code(f.__code__), tuple(closure), defaults, named)


def _code(code: CodeType) -> tuple[Any, ...]:
    constants = tuple(
        _code(value) if isinstance(value, CodeType) else _stable(value) for value in code.co_consts
    )
    return (code.co_code, constants, code.co_names)


def _stable(value: Any) -> Any:
    if type(value) is frozenset:
        return set(value)
    if type(value) is tuple:
        return tuple(_stable(item) for item in value)
    return value


def _held(value: Any, hasher: JugHasher) -> Any:
    """Return a value, or the name of its type where jug can't hash it."""
    try:
        hasher.one(value)
    except (pickle.PicklingError, TypeError, AttributeError, HashError):
        return ("unhashable", type(value).__module__, type(value).__qualname__)
    return _stable(value)
