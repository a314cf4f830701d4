"""Segmentation methods by name: ``register`` puts one in, ``get`` and ``methods`` find it.

A method is a function ``image -> labels`` whose parameters are keyword-only, typed and
with defaults, so that a sweep can be written as names and values. It is for planes unless it
says otherwise. Every module of this package is read on the first look-up: adding a method
means adding a file.

Must not know any method by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bioimage_tasks.checks import Labels
from bioimage_tasks.registry import Registry, check_signature, defaults

Method = Callable[..., Labels]
_M = TypeVar("_M", bound=Method)

#: What ``segment`` uses when no method is named.
DEFAULT_METHOD = "root-contrast"


@dataclass(frozen=True)
class _Entry:
    function: Method
    dimensions: tuple[int, ...]


_registered: Registry[_Entry] = Registry(
    "bioimage_tasks.segmentation", one="method", none="no segmentation method"
)


def register(name: str, *, dimensions: tuple[int, ...] = (2,)) -> Callable[[_M], _M]:
    """Register a method: ``@register("watershed")`` above its definition.

    Parameters
    ----------
    name : str
        Lower case, words joined by hyphens.
    dimensions : tuple of int
        Of the images that it takes.

    Raises
    ------
    ValueError
        Another function has the name, or the signature is not
        ``(image, *, parameter: type = default, ...)``.
    """

    def put(function: _M) -> _M:
        check_signature(name, function, leading=1)
        _registered.put(name, _Entry(function, dimensions), by=function)
        return function

    return put


def methods(dimensions: int = 2) -> tuple[str, ...]:
    """Return the names of all methods for planes, or ``methods(3)`` for volumes, sorted."""
    names = _registered.names()
    return tuple(name for name in names if dimensions in _registered.find(name).dimensions)


def get(name: str) -> Method:
    """Return the method of that name: ``get("watershed")(image, markers="intensity")``.

    Raises
    ------
    ValueError
        There is no such method.
    """
    return _registered.find(name).function


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a method with their defaults.

    Raises
    ------
    ValueError
        There is no such method.
    """
    return defaults(get(name), leading=1)


def segment(image: Any, method: str = DEFAULT_METHOD, **params: Any) -> Labels:
    """Segment with a method by name: ``segment(image, "watershed", markers="intensity")``.

    Parameters
    ----------
    image : array_like
        Shape (height, width); (depth, height, width) for a method that takes volumes.
    method : str
        One of :func:`methods`.
    **params
        Parameters of the method; :func:`parameters` lists them.

    Returns
    -------
    numpy.ndarray of int32
        Labels, 0 background, 1..N objects.

    Raises
    ------
    ValueError
        Unknown method or parameter, or an image or value that the method refuses.
    """
    known = parameters(method)
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise ValueError(
            f"segment: {method!r} takes {', '.join(known)}; got unknown {', '.join(unknown)}"
        )
    return get(method)(image, **params)
