"""Encoders of functions, classes and methods: by name, never by code.

A name is an identity only when it leads back to the object, so that lambdas, functions
made inside functions and decorated twins that kept their original's name are refused.
"""

from __future__ import annotations

import sys
import types
from typing import Any

from taskgraph.errors import HashError
from taskgraph.hashing.names import is_local, qualified_name
from taskgraph.hashing.walk import Encoder, Walk, frame, shorten


def name_bytes(name: str) -> bytes:
    """Return the encoding of something that is identified by a global name."""
    return b"G" + frame(name)


def _named(obj: Any, walk: Walk) -> Any:
    walk.out.append(name_bytes(qualified_name(obj)))
    return obj


def class_name(cls: type) -> str:
    """Return the qualified name of a class.

    Raises
    ------
    HashError
        The class was made inside a function: others of that name may be made.
    """
    name = qualified_name(cls)
    if is_local(name):
        raise HashError(
            "A class made inside a function has no stable name. Define it at the top level of "
            f"its module, or give it a __taskgraph_hash__ method. Got {name}."
        )
    return name


def encode_class(obj: type, walk: Walk) -> type:
    """Encode a class by its name."""
    walk.out.append(name_bytes(class_name(obj)))
    return obj


def encode_function(obj: Any, walk: Walk) -> Any:
    """Encode a function by its name, or by the hash that was set on it."""
    own = obj.__dict__.get("__taskgraph_hash__") or obj.__dict__.get("__jug_hash__")
    if own is not None:
        walk.out.append(b"H" + frame("function"))
        walk.fixed(obj, (own(),))
        return obj
    name = qualified_name(obj)
    if "<lambda>" in name:
        raise HashError(
            "A lambda has no stable identity. Define the function with def at the top level "
            f"of its module. Got {shorten(obj)}."
        )
    if is_local(name):
        raise HashError(
            "A function made inside a function has no stable identity. Move it to the top "
            "level of its module, or make it a class with a __taskgraph_hash__ method. "
            f"Got {name}."
        )
    if not _leads_back(obj):
        raise HashError(
            "A function is identified by its name, and this name means another function in "
            "its module (a decorator copied it, or it was defined again). Give it a name of "
            f"its own (__qualname__), or decorate with @. Got {name}."
        )
    walk.out.append(name_bytes(name))
    return obj


def _leads_back(function: types.FunctionType) -> bool:
    """Return whether the function's name, if bound, leads to it or to its decorated self."""
    first, *rest = function.__qualname__.split(".")
    found = function.__globals__.get(first, function)
    for part in rest:
        found = getattr(found, part, function)
    seen = 0
    while found is not None and seen < 20:
        if found is function or getattr(found, "__func__", None) is function:
            return True
        # a decorator that follows functools.wraps, or a task generator
        found = getattr(found, "__wrapped__", None) or getattr(found, "f", None)
        seen += 1
    return False


def _method(obj: Any, walk: Walk) -> Any:
    walk.out.append(b"M" + frame(obj.__name__))
    walk.fixed(obj, (obj.__self__,))
    return obj


def _builtin(obj: Any, walk: Walk) -> Any:
    owner: object = obj.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return _named(obj, walk)
    return _method(obj, walk)


ENCODERS: dict[type, Encoder] = {
    types.FunctionType: encode_function,
    types.BuiltinFunctionType: _builtin,
    types.MethodType: _method,
    types.MethodWrapperType: _method,
    types.MethodDescriptorType: _named,
    types.WrapperDescriptorType: _named,
    types.ClassMethodDescriptorType: _named,
    type: encode_class,
}


def encode_dispatched(obj: Any, walk: Walk) -> Any:
    """Encode a numpy function that is not a Python function: like one, by its name."""
    return _named(obj, walk)


def encode_ufunc(obj: Any, walk: Walk) -> Any:
    """Encode a universal function of numpy or scipy by its name."""
    name: str = obj.__name__
    for module in ("numpy", "scipy.special"):
        if getattr(sys.modules.get(module), name, None) is obj:
            walk.out.append(name_bytes(f"{module}.{name}"))
            return obj
    raise HashError(
        "Only universal functions of numpy and scipy.special have a stable name. Pass the "
        f"Python function it was made of. Got {shorten(obj)}."
    )
