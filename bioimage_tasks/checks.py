"""What may come in: the shared look at images and label images before any work.

Arrays come in, the same arrays go out as plain numpy views; a bad one is a ``ValueError``
that names the function, the rule and the value got. Knows no method and no file format.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
#: Labels: 0 is background, objects are 1..N.
Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]


#: How the axes of an image of so many dimensions are called.
_AXES = {2: "(height, width)", 3: "(depth, height, width)"}


def check_image(function: str, image: npt.ArrayLike, dimensions: tuple[int, ...] = (2,)) -> Array:
    """Return ``image`` as an array that a method can work on.

    Parameters
    ----------
    function : str
        Name of the caller, put in front of every message.
    image : array_like
        Shape (height, width), or (depth, height, width) where told so; any real dtype.
    dimensions : tuple of int
        How many the method takes: 2, 3 or both.

    Returns
    -------
    numpy.ndarray
        The same data, not copied; booleans become uint8.

    Raises
    ------
    ValueError
        The image has other dimensions, is empty, is not numeric or holds NaN or infinity.
    """
    array = np.asarray(image)
    if array.ndim not in dimensions:
        axes = " or ".join(f"{count} dimensions {_AXES[count]}" for count in dimensions)
        raise ValueError(
            f"{function}: the image must have {axes}; choose a channel or "
            f"a plane first; got shape {array.shape}"
        )
    if array.size == 0:
        raise ValueError(f"{function}: the image must hold pixels; got shape {array.shape}")
    if array.dtype.kind not in "buif":
        raise ValueError(f"{function}: the image must hold real numbers; got dtype {array.dtype}")
    check_finite(function, array)
    return array.view(np.uint8) if array.dtype.kind == "b" else array


def check_finite(function: str, pixels: Array) -> Array:
    """Return ``pixels`` when none is NaN or infinite.

    Raises
    ------
    ValueError
        Some are.
    """
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        bad = int(np.count_nonzero(~np.isfinite(pixels)))
        raise ValueError(
            f"{function}: every pixel must be finite; replace NaN and infinity first; "
            f"got {bad} such pixels"
        )
    return pixels


def check_varied(function: str, image: Array) -> Array:
    """Return ``image`` when its pixels differ; a constant image has nothing to threshold.

    Raises
    ------
    ValueError
        All pixels have one value.
    """
    low, high = image.min(), image.max()
    if low == high:
        raise ValueError(
            f"{function}: the image must not be constant, there is nothing to tell apart; "
            f"got {low} in every pixel"
        )
    return image


def check_labels(function: str, name: str, labels: npt.ArrayLike) -> Array:
    """Return ``labels`` as an integer array without negative values.

    Raises
    ------
    ValueError
        The labels are empty, not integers, or hold a negative value.
    """
    array = np.asarray(labels)
    if array.size == 0:
        raise ValueError(f"{function}: {name} must hold pixels; got shape {array.shape}")
    if array.dtype.kind not in "bui":
        raise ValueError(
            f"{function}: {name} must be integers, 0 for background and 1..N for objects; "
            f"got dtype {array.dtype}"
        )
    if array.dtype.kind == "i" and array.min() < 0:
        raise ValueError(
            f"{function}: {name} must not be negative, 0 is background; got {array.min()}"
        )
    return array


def check_same_shape(function: str, labels: Array, gold: Array) -> None:
    """Raise ``ValueError`` unless both label images have one shape."""
    if labels.shape != gold.shape:
        raise ValueError(
            f"{function}: labels and gold must have the same shape, were they paired rightly? "
            f"got {labels.shape} and {gold.shape}"
        )


def check_range(function: str, name: str, value: float, low: float, high: float) -> float:
    """Return ``value`` when it lies within [low, high].

    Raises
    ------
    ValueError
        It does not, or is NaN.
    """
    if not low <= value <= high:
        raise ValueError(f"{function}: {name} must lie in [{low:g}, {high:g}]; got {value!r}")
    return value


def check_numbers(function: str, name: str, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return ``values`` as floats; they may be missing (NaN), but not words.

    Raises
    ------
    ValueError
        Some are not numbers, as classes are not.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        try:
            return array.astype(np.float64)
        except (TypeError, ValueError):
            odd = next(one for one in array.ravel().tolist() if not isinstance(one, int | float))
            raise ValueError(
                f"{function}: {name} must be numbers; classes have scores and figures of their "
                f"own; got {odd!r}"
            ) from None
    return array.astype(np.float64)


def check_choice(function: str, name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return ``value`` when it is one of ``choices``.

    Raises
    ------
    ValueError
        It is none of them.
    """
    if value not in choices:
        raise ValueError(f"{function}: {name} must be one of {', '.join(choices)}; got {value!r}")
    return value


def sequential(labels: npt.ArrayLike) -> Labels:
    """Renumber labels to 1..N in the order of their values: ``sequential([0, 7, 3])``.

    Parameters
    ----------
    labels : array_like of int
        Any shape; 0 is background and stays 0.

    Returns
    -------
    numpy.ndarray of int32
        A new array, even when the labels were sequential already.

    Raises
    ------
    ValueError
        See :func:`check_labels`.

    Examples
    --------
    >>> sequential([0, 7, 3, 7]).tolist()
    [0, 2, 1, 2]
    """
    array = check_labels("sequential", "labels", labels)
    top = int(array.max())
    if top > 4 * array.size + 1024:  # a lookup table would outweigh the image: sort instead
        values, inverse = np.unique(array, return_inverse=True)
        shift = 0 if values[0] == 0 else 1
        return (inverse.reshape(array.shape) + shift).astype(np.int32)
    present = np.bincount(array.ravel(), minlength=1) > 0
    present[0] = False
    table = np.where(present, np.cumsum(present), 0).astype(np.int32)
    renumbered: Labels = table[array]
    return renumbered
