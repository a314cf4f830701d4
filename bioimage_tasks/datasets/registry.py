"""Collections by name: ``register`` puts a class in, ``get`` and ``names`` find it.

Every module of this package that defines a collection is read on the first look-up: adding
a collection means adding a file. Must not know any collection by name.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from bioimage_tasks.datasets.collection import ImageCollection

_C = TypeVar("_C", bound="type[ImageCollection]")
_registered: dict[str, type[ImageCollection]] = {}


def register(cls: _C) -> _C:
    """Register a class under its ``name`` and, when it has one, its ``acronym``.

    Raises
    ------
    ValueError
        Another class has the name, or one of name, licence, citation and layout is empty.
    """
    for attribute in ("name", "licence", "citation", "layout"):
        if not getattr(cls, attribute):
            raise ValueError(f"register: a collection must have a {attribute}; got {cls.__name__}")
    for name in filter(None, (cls.name, cls.acronym)):
        known = _registered.get(name.lower())
        if known is not None and _address(known) != _address(cls):
            raise ValueError(
                f"register: each collection needs a name of its own; {name!r} is already "
                f"{'.'.join(_address(known))}; got {'.'.join(_address(cls))}"
            )
        _registered[name.lower()] = cls
    return cls


def _address(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _load_all() -> None:
    from pkgutil import iter_modules

    package = import_module("bioimage_tasks.datasets")
    for module in iter_modules(package.__path__):
        if not module.ispkg:
            import_module(f"{package.__name__}.{module.name}")


def names() -> tuple[str, ...]:
    """Return the names of all collections, sorted; acronyms are not repeated."""
    _load_all()
    return tuple(sorted({cls.name for cls in _registered.values()}))


def get(name: str) -> type[ImageCollection]:
    """Return the class of that name or acronym, in any case: ``get("dsb2018")(root)``.

    Raises
    ------
    ValueError
        There is no such collection.
    """
    if name.lower() not in _registered:
        _load_all()
    if name.lower() not in _registered:
        raise ValueError(
            f"get: no collection has this name; there are {', '.join(names())}; got {name!r}"
        )
    return _registered[name.lower()]
