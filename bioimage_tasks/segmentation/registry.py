"""Segmentation methods by name: ``register`` puts one in, ``get`` and ``methods`` find it.

A method is a function ``image -> labels`` whose parameters are keyword-only, typed and
with defaults, so that a sweep can be written as names and values. Every module of this
package is read on the first look-up: adding a method means adding a file.

Must not know any method by name.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from bioimage_tasks.checks import Labels

Method = Callable[..., Labels]
_M = TypeVar("_M", bound=Method)

#: What ``segment`` uses when no method is named.
DEFAULT_METHOD = "root-contrast"

_registered: dict[str, Method] = {}


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
        known = _registered.get(name)
        if known is not None and _address(known) != _address(function):
            raise ValueError(
                f"register: each method needs a name of its own; {name!r} is already "
                f"{'.'.join(_address(known))}; got {'.'.join(_address(function))}"
            )
        _check_signature(name, function)
        _registered[name] = function
        return function

    return put


def _address(function: Method) -> tuple[str, str]:
    return function.__module__, function.__qualname__


def _check_signature(name: str, function: Method) -> None:
    from inspect import Parameter, signature

    image, *rest = signature(function).parameters.values()
    for parameter in rest:
        if (
            parameter.kind is not Parameter.KEYWORD_ONLY
            or parameter.default is Parameter.empty
            or parameter.annotation is Parameter.empty
        ):
            raise ValueError(
                f"register: parameters of {name!r} after {image.name!r} must be keyword-only, "
                f"typed and have a default; got {str(parameter)!r}"
            )


def _load_all() -> None:
    from pkgutil import iter_modules

    package = import_module("bioimage_tasks.segmentation")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")


def methods() -> tuple[str, ...]:
    """Return the names of all methods, sorted."""
    _load_all()
    return tuple(sorted(_registered))


def get(name: str) -> Method:
    """Return the method of that name: ``get("watershed")(image, markers="intensity")``.

    Raises
    ------
    ValueError
        There is no such method.
    """
    if name not in _registered:
        _load_all()
    if name not in _registered:
        raise ValueError(
            f"get: no segmentation method has this name; there are {', '.join(methods())}; "
            f"got {name!r}"
        )
    return _registered[name]


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a method with their defaults.

    Raises
    ------
    ValueError
        There is no such method.
    """
    from inspect import signature

    _, *rest = signature(get(name)).parameters.values()
    return {parameter.name: parameter.default for parameter in rest}


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
