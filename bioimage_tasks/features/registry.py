"""Sets of features by name: ``register`` puts one in, ``compute`` runs some of them.

A set is a function ``(image, labels, *, parameter: type = default, ...) -> FeatureTable``
with one row an object. ``labels`` is ``None`` for a whole image, else int32 1..N, and every
pixel of it belongs to its object and no other: a *region* (tile, superpixel) is an object
too. Every module of this package is read on the first look-up.

Must not know any set by name, but the few that :func:`compute` takes by default.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bioimage_tasks.checks import Array, Labels, check_image, check_labels, sequential
from bioimage_tasks.features.table import FeatureTable, join
from bioimage_tasks.registry import Registry, check_signature, defaults

FeatureSet = Callable[..., FeatureTable]
_F = TypeVar("_F", bound=FeatureSet)

#: What ``compute`` uses when no set is named: for images, and what objects add.
FOR_IMAGES = ("intensity", "haralick", "lbp")
FOR_OBJECTS = ("shape",)


@dataclass(frozen=True)
class _Entry:
    function: FeatureSet
    dimensions: tuple[int, ...]
    objects: bool


_registered: Registry[_Entry] = Registry(
    "bioimage_tasks.features", one="set of features", none="no set of features", asked="compute"
)


def register(
    name: str, *, dimensions: tuple[int, ...] = (2,), objects: bool = False
) -> Callable[[_F], _F]:
    """Register a set of features: ``@register("haralick")`` above its function.

    Parameters
    ----------
    name : str
        Lower case; put in front of the columns' names.
    dimensions : tuple of int
        Of the images that it takes.
    objects : bool
        Whether it needs labels, as shape does.

    Raises
    ------
    ValueError
        Another function has the name, or the signature is not
        ``(image, labels, *, parameter: type = default, ...)``.
    """

    def put(function: _F) -> _F:
        check_signature(name, function, leading=2)
        _registered.put(name, _Entry(function, dimensions, objects), by=function)
        return function

    return put


def feature_sets() -> tuple[str, ...]:
    """Return the names of all sets, sorted."""
    return _registered.names()


def _entry(name: str) -> _Entry:
    return _registered.find(name)


def get(name: str) -> FeatureSet:
    """Return the function of a set: ``get("haralick")(image, None, levels=32)``.

    Raises
    ------
    ValueError
        There is no such set.
    """
    return _entry(name).function


def parameters(name: str) -> dict[str, Any]:
    """Return the parameters of a set with their defaults.

    Raises
    ------
    ValueError
        There is no such set.
    """
    return defaults(get(name), leading=2)


def compute(
    image: npt.ArrayLike,
    labels: npt.ArrayLike | None = None,
    sets: Sequence[str] | None = None,
    *,
    pixel_size: float | Mapping[str, float] | None = None,
    **params: Any,
) -> FeatureTable:
    """Compute sets of features by name: ``compute(image, labels, ("shape", "haralick"))``.

    Parameters
    ----------
    image : array_like
        Shape (height, width); some sets take (depth, height, width) too. Any real dtype.
    labels : array_like of int, optional
        Of the image's shape, 0 background. Without them the image is one object.
    sets : sequence of str, optional
        Some of :func:`feature_sets`; by default :data:`FOR_IMAGES`, and with labels
        :data:`FOR_OBJECTS` too.
    pixel_size : float or mapping of str to float, optional
        Micrometres a pixel, or along the axes: lengths are then in micrometres. Of axes that
        the image has not, nothing is taken. Parameters stay in pixels.
    **params
        A parameter goes to every set that has it; ``haralick={"levels": 32}`` goes to one.

    Returns
    -------
    FeatureTable
        One row an object in the order of the labels, which are its index; ``("image",)``
        without labels. Names begin with the set's.

    Raises
    ------
    ValueError
        Unknown set or parameter; or image, labels or a value that a set refuses; or a size
        that :meth:`FeatureTable.in_micrometres` refuses.
    """
    if sets is None:
        sets = FOR_IMAGES if labels is None else (*FOR_IMAGES, *FOR_OBJECTS)
    if isinstance(sets, str) or not sets:
        raise ValueError(f"compute: sets must be one or more names in a tuple; got {sets!r}")
    chosen = _route(sets, params)
    pixels = check_image("compute", image, dimensions=(2, 3))
    numbers, index = _numbered(pixels, labels)
    tables = [_one(name, pixels, numbers, chosen[name]) for name in sets]
    table = replace(join(tables), index=index)
    if pixel_size is None:
        return table
    return table.in_micrometres(_along(pixel_size, pixels.ndim))


def _along(pixel_size: float | Mapping[str, float], dimensions: int) -> float | Mapping[str, float]:
    """Return the sizes along the axes of the image, all of which must be known."""
    if not isinstance(pixel_size, Mapping):
        return pixel_size
    axes = "ZYX"[-dimensions:]
    if not set(axes) <= set(pixel_size):
        raise ValueError(
            f"compute: pixel_size must have a size along each of {', '.join(axes)}; the file may "
            f"not tell it: give it in micrometres; got {dict(pixel_size)}"
        )
    return {axis: pixel_size[axis] for axis in axes}


def _one(name: str, pixels: Array, labels: Labels | None, params: dict[str, Any]) -> FeatureTable:
    entry = _entry(name)
    if pixels.ndim not in entry.dimensions:
        raise ValueError(
            f"compute: {name!r} takes images of {' or '.join(map(str, entry.dimensions))} "
            f"dimensions; choose a channel or a plane first; got shape {pixels.shape}"
        )
    if entry.objects and labels is None:
        raise ValueError(
            f"compute: {name!r} is about objects and needs labels; segment the image first, "
            f"or leave {name!r} out; got labels=None"
        )
    return entry.function(pixels, labels, **params).prefixed(name.replace("-", "_"))


def _route(sets: Sequence[str], params: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Deal the parameters out to the sets that have them."""
    known = {name: parameters(name) for name in sets}
    shared = {name: value for name, value in params.items() if name not in known}
    unknown = sorted(set(shared) - {name for each in known.values() for name in each})
    for name in known:
        unknown += [f"{name}={{{own!r}}}" for own in params.get(name, {}) if own not in known[name]]
    if unknown:
        takes = "; ".join(f"{name!r} takes {', '.join(each)}" for name, each in known.items())
        raise ValueError(f"compute: {takes}; got unknown {', '.join(unknown)}")
    return {
        name: {key: value for key, value in shared.items() if key in each} | params.get(name, {})
        for name, each in known.items()
    }


def _numbered(
    pixels: Array, labels: npt.ArrayLike | None
) -> tuple[Labels | None, tuple[Hashable, ...]]:
    if labels is None:
        return None, ("image",)
    numbers = check_labels("compute", "labels", labels)
    if numbers.shape != pixels.shape:
        raise ValueError(
            f"compute: image and labels must have the same shape, were they paired rightly? "
            f"got {pixels.shape} and {numbers.shape}"
        )
    dense = sequential(numbers)
    count = int(dense.max())
    own = np.zeros(count + 1, dtype=np.int64)
    own[dense.ravel()] = numbers.ravel()
    return dense, tuple(int(number) for number in own[1:])
