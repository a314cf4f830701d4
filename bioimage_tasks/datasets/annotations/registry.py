"""Decoders of annotations by name: ``register`` puts one in, ``decode`` uses it.

A decoder is a function from a :class:`Source` to an integer image whose values are object
numbers, 0 background; its further parameters are keyword-only, typed and with defaults.
Every module of this package is read on the first look-up: a new form means a new file.

Must not know any form by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from bioimage_tasks.checks import Array, Labels, sequential
from bioimage_tasks.registry import Registry, check_signature, defaults


@dataclass(frozen=True, slots=True)
class Source:
    """Where an annotation lies.

    Attributes
    ----------
    paths : tuple of str
        The file, or the files of an annotation that has one for every object.
    select : str
        Which image of a file that annotates several: an identifier or file name.
    like : str
        An image of the same size, for forms that don't say how large theirs is.
    level, resolution : int, float
        Of label images in an OME-Zarr.
    """

    paths: tuple[str, ...]
    select: str = ""
    like: str = ""
    level: int = 0
    resolution: float = 0.0

    @property
    def path(self) -> str:
        """The first file."""
        return self.paths[0]

    def shape(self, function: str) -> tuple[int, int]:
        """Return (height, width) of the image that is annotated.

        Raises
        ------
        ValueError
            The form does not say it and no image was named.
        """
        if not self.like:
            raise ValueError(
                f"{function}: the annotation does not say how large its image is; name one "
                f"with like=PATH; got {self.path} alone"
            )
        from bioimage_tasks.io import plane_shape

        return plane_shape(self.like)


Decoder = Callable[..., Array]
_D = TypeVar("_D", bound=Decoder)
_registered: Registry[Decoder] = Registry(
    "bioimage_tasks.datasets.annotations",
    one="kind of annotation",
    none="no decoder of annotations",
)


def register(kind: str) -> Callable[[_D], _D]:
    """Register a decoder: ``@register("outlines")`` above its definition.

    Raises
    ------
    ValueError
        Another function has the name, or the signature is not
        ``(source, *, parameter: type = default, ...)``.
    """

    def put(function: _D) -> _D:
        check_signature(kind, function, leading=1)
        _registered.put(kind, function)
        return function

    return put


def kinds() -> tuple[str, ...]:
    """Return the names of all decoders, sorted."""
    return _registered.names()


def get(kind: str) -> Decoder:
    """Return the decoder of that name.

    Raises
    ------
    ValueError
        There is no such decoder.
    """
    return _registered.find(kind)


def decode(source: Source, kind: str = "instances", **how: Any) -> Labels:
    """Turn an annotation into labels: ``decode(Source(("edges.png",)), "outlines")``.

    Parameters
    ----------
    source : Source
    kind : str
        One of :func:`kinds`.
    **how
        Parameters of the decoder.

    Returns
    -------
    numpy.ndarray of int32
        Sequential labels 1..N, shape (height, width).

    Raises
    ------
    FileNotFoundError, ValueError
        A file is missing or not what the kind says; or the kind or a parameter is unknown.
    """
    decoder = get(kind)
    rest = defaults(decoder, leading=1)
    unknown = sorted(set(how) - set(rest))
    if unknown:
        raise ValueError(
            f"decode: {kind!r} takes {', '.join(rest) or 'nothing'}; "
            f"got unknown {', '.join(unknown)}"
        )
    return sequential(decoder(source, **how))
