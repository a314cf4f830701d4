"""What others add: hashers for their classes, and the classes that are dependencies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taskgraph.errors import HashError
from taskgraph.hashing.substitution import REBUILDERS, call_value_of
from taskgraph.hashing.walk import ENCODERS, MANY, Encoder, Walk
from taskgraph.hashing.wrappers import hasher_encoder

_DEPENDENCIES: dict[type, Encoder] = {}


def register_hasher(cls: type, function: Callable[[Any], Any]) -> None:
    """``register_hasher(Image, lambda image: image.digest)``: decide what a class is.

    Parameters
    ----------
    cls : type
        Exactly this class; subclasses, which may hold more, are not meant.
    function : callable
        Maps an object to a value that is hashed instead, under the class's name.

    Raises
    ------
    HashError
        ``cls`` is a builtin type: its identity is part of every key.
    """
    if cls.__module__ == "builtins":
        raise HashError(
            "A builtin type keeps its own identity: every key depends on it. Register a class "
            f"of your own, or wrap the argument in CustomHash. Got {cls.__qualname__}."
        )
    ENCODERS[cls] = hasher_encoder(function)
    REBUILDERS[cls] = None


def register_dependency(
    cls: type, encoder: Encoder, many: Callable[[list[Any], Walk], bool] | None = None
) -> None:
    """Make a class, with its subclasses, one that stands for a value computed later.

    Parameters
    ----------
    cls : type
        The class, such as ``Task``.
    encoder : callable
        Appends ``b"K" + key`` to ``walk.out`` and the object to ``walk.deps``; returns
        the object.
    many : callable, optional
        Does the same for a list of nothing else; returns False when there is something
        else in it. A class without it is taken to stand for other dependencies.
    """
    if many is not None:
        MANY[cls] = many
    else:
        encoder = _indirect(encoder)
    _DEPENDENCIES[cls] = ENCODERS[cls] = encoder
    REBUILDERS[cls] = call_value_of


def _indirect(encoder: Encoder) -> Encoder:
    def encode(obj: Any, walk: Walk) -> Any:
        walk.indirect = True
        return encoder(obj, walk)

    return encode


def dependency_encoder(cls: type) -> Encoder | None:
    """Return the encoder registered for a class or its nearest base, if any."""
    return next((_DEPENDENCIES[base] for base in cls.__mro__ if base in _DEPENDENCIES), None)


def is_dependency(cls: type) -> bool:
    """Return whether instances of a class stand for a value computed later."""
    return dependency_encoder(cls) is not None
