"""Collections by name: ``register`` puts a class in, ``get`` and ``names`` find it.

Every module of this package that defines a collection is read on the first look-up: adding
a collection means adding a file. Must not know any collection by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from bioimage_tasks.registry import Registry

if TYPE_CHECKING:
    from bioimage_tasks.datasets.collection import ImageCollection

_C = TypeVar("_C", bound="type[ImageCollection]")
_registered: Registry[type[ImageCollection]] = Registry(
    "bioimage_tasks.datasets", one="collection", none="no collection", fold=str.lower
)


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
    _registered.put(cls.name, cls, alias=cls.acronym)
    return cls


def names() -> tuple[str, ...]:
    """Return the names of all collections, sorted; acronyms are not repeated."""
    return _registered.names()


def get(name: str) -> type[ImageCollection]:
    """Return the class of that name or acronym, in any case: ``get("dsb2018")(root)``.

    Raises
    ------
    ValueError
        There is no such collection.
    """
    return _registered.find(name)
