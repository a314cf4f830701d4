"""Segmentation methods by name: ``register`` puts one in, ``get`` and ``methods`` find it.

A method is a function ``image -> labels`` whose parameters are keyword-only, typed and
with defaults, so that a sweep can be written as names and values. Every module of this
package is read on the first look-up: adding a method means adding a file.

Must not know any method by name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bioimage_tasks.checks import Labels
from bioimage_tasks.registry import Registry, check_signature, defaults

Method = Callable[..., Labels]
_M = TypeVar("_M", bound=Method)

#: What ``segment`` uses when no method is named.
DEFAULT_METHOD = "root-contrast"

_registered: Registry[Method] = Registry(
    "bioimage_tasks.segmentation", one="method", none="no segmentation method"
)


def register(name: str) -> Callable[[_M], _M]:
    """Register a method: ``@register("watershed")`` above its definition.

    Parameters
    ----------
    name : str
        Lower case, words joined by hyphens.

    Raises
    ------
    ValueError
        Another function has the name, or the signature is not
        ``(image, *, parameter: type = default, ...)``.
    """

    def put(function: _M) -> _M:
        check_signature(name, function, leading=1)
        _registered.put(name, function)
        return function

    return put


def methods() -> tuple[str, ...]:
    """Return the names of all methods, sorted."""
    return _registered.names()


def get(name: str) -> Method:
    """Return the method of that name: ``get("watershed")(image, markers="intensity")``.

    Raises
    ------
    ValueError
        There is no such method.
    """
    return _registered.find(name)


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
        Shape (height, width).
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
