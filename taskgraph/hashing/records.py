"""Encoders of namedtuples, dataclasses and enum members: made once for each class.

Namedtuples and dataclasses may hold tasks: they can be taken apart and put together
again, without their ``__new__``, ``__init__`` or ``__post_init__``, which ran once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, cached_property
from typing import Any

from taskgraph.hashing.functions import class_name
from taskgraph.hashing.objects import encode_object
from taskgraph.hashing.walk import ENCODERS, Encoder, Walk, frame


def is_namedtuple(cls: type) -> bool:
    """Return whether a class was made by ``namedtuple`` or derives from one."""
    fields = getattr(cls, "_fields", None)
    if not (issubclass(cls, tuple) and isinstance(fields, tuple)):
        return False
    return hasattr(cls, "_make") and hasattr(cls, "_replace")


def is_dataclass(cls: type) -> bool:
    """Return whether instances of a dataclass can be rebuilt from their attributes."""
    if not hasattr(cls, "__dataclass_fields__"):
        return False
    try:
        object.__new__(cls)
    except TypeError:  # it derives from a builtin with a layout of its own
        return False
    return True


def encode_namedtuple(obj: Any, walk: Walk) -> Any:
    """Encode a namedtuple: class, field names, items."""
    if getattr(obj, "__dict__", None):  # a subclass with attributes beside the items
        return encode_object(obj, walk)
    cls = type(obj)
    walk.deeper(obj)
    names = ",".join(cls._fields)
    walk.out.append(b"n" + frame(class_name(cls)) + frame(names) + b"%d:" % len(obj))
    copy = [ENCODERS[type(item)](item, walk) for item in obj]
    walk.depth -= 1
    if all(old is new for old, new in zip(obj, copy, strict=True)):
        return obj
    return tuple.__new__(cls, copy)


@cache
def _plan(mro: tuple[type, ...]) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names of fields and slots, and those of cached properties."""
    import copyreg
    import dataclasses

    cls: Any = mro[0]
    slots: list[str] = copyreg._slotnames(cls)  # type: ignore[attr-defined]
    names = [field.name for field in dataclasses.fields(cls)]
    cached = [name for name in dir(cls) if isinstance(getattr(cls, name, None), cached_property)]
    return tuple(dict.fromkeys(names + sorted(slots))), frozenset(cached)


def attributes(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a dataclass instance holds: its fields, and what was set beside them.

    Values that a ``cached_property`` left behind are not part of it.
    """
    names, cached = _plan(type(obj).__mro__)
    for name in names:
        try:
            yield name, getattr(obj, name)
        except AttributeError:  # a field that is not set
            continue
    held = getattr(obj, "__dict__", {})
    if len(held) > len(names) or not held.keys() <= set(names):
        yield from ((name, held[name]) for name in sorted(held.keys() - cached - set(names)))


def rebuild_dataclass(obj: Any, values: dict[str, Any]) -> Any:
    """Return a new instance with these attributes; no method of the class is run."""
    new = object.__new__(type(obj))
    for name, value in values.items():
        object.__setattr__(new, name, value)
    return new


def encode_dataclass(obj: Any, walk: Walk) -> Any:
    """Encode a dataclass instance: class, then name and value of each attribute."""
    walk.deeper(obj)
    held = dict(attributes(obj))
    walk.out.append(b"D" + frame(class_name(type(obj))) + b"%d:" % len(held))
    copy = {}
    for name, value in held.items():
        walk.out.append(frame(name))
        copy[name] = ENCODERS[type(value)](value, walk)
    walk.depth -= 1
    if all(copy[name] is value for name, value in held.items()):
        return obj
    return rebuild_dataclass(obj, copy)


def encode_enum(obj: Any, walk: Walk) -> Any:
    """Encode an enum member by its name."""
    walk.out.append(b"e" + frame(class_name(type(obj))) + frame(obj.name))
    return obj


def encode_flag(obj: Any, walk: Walk) -> Any:
    """Encode a flag by its value: combinations have no name."""
    walk.out.append(b"e" + frame(class_name(type(obj))) + b"#%d;" % obj.value)
    return obj


def record_encoder(cls: type) -> Encoder | None:
    """Return the encoder of a namedtuple, dataclass or enum class, else ``None``."""
    import enum

    if issubclass(cls, enum.Flag):
        return encode_flag
    if issubclass(cls, enum.Enum):
        return encode_enum
    if is_namedtuple(cls):
        return encode_namedtuple
    if is_dataclass(cls):
        return encode_dataclass
    return None
