"""numpy arrays and scalars <-> a short description and one buffer.

An array flows in, ``(description, Part)`` flows out, and back as a view. The description
is JSON, ``[dtype, shape, order]``, the dtype by its ``str`` or its fields; so no name inside
numpy is ever stored and any numpy reads it. Arrays with Python objects in
them are none of its business, except their shape (``objects``).
"""

from __future__ import annotations

import json
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from taskgraph.codecs.frame import Part
from taskgraph.codecs.wire import Buffer, corrupt
from taskgraph.errors import ResultCorrupt

if TYPE_CHECKING:
    import numpy as np

#: What json and numpy raise for a description that is none.
NONSENSE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    SyntaxError,
    TypeError,
    ValueError,
)


def take_apart(obj: Any) -> tuple[str, Part] | None:
    """Return ``(description, part)`` of an array; ``None`` when numpy must do it itself.

    Parameters
    ----------
    obj : ndarray, memmap or numpy scalar
        Of exactly such a type. A C- or Fortran-contiguous array is not copied. A
        ``memmap`` comes back as a plain array.
    """
    import numpy as np

    scalar = isinstance(obj, np.generic)
    array = np.asarray(obj)
    dtype = array.dtype
    if dtype.hasobject or (descr := describe_dtype(dtype)) is None:
        return None
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    shape = None if scalar else array.shape
    part = Part(_raw(array, order), max(dtype.itemsize, 1), dtype.kind in "biu")
    sides = "null" if shape is None else list(shape)
    return f'[{descr}, {sides}, "{order}"]', part


def put_together(description: str | Buffer, data: memoryview) -> Any:
    """Return the array, a view into ``data``, or the scalar.

    Raises
    ------
    ResultCorrupt
        If the description makes no sense or asks for another number of bytes.
    """
    import numpy as np

    try:
        text = bytes(description) if isinstance(description, memoryview) else description
        descr, shape, order = json.loads(text)
        dtype = read_dtype(descr)
        sides = () if shape is None else tuple(shape)
        if (
            dtype.hasobject
            or min(sides, default=0) < 0
            or prod(sides) * dtype.itemsize != len(data)
        ):
            raise corrupt("an array's shape does not fit its bytes", description)
        array: np.ndarray[Any, Any] = np.ndarray(
            sides, dtype, data if len(data) else None, order=order
        )
    except NONSENSE as error:
        raise corrupt("the description of an array makes no sense", description) from error
    return array[()] if shape is None else array


@lru_cache(maxsize=256)
def describe_dtype(dtype: np.dtype[Any]) -> str | None:
    """Return a dtype as JSON, ``None`` when that would not be all of it."""
    text = json.dumps(_description(dtype))
    try:
        return text if parse_dtype(text) == dtype else None
    except ResultCorrupt:  # a type of another package, such as bfloat16
        return None


def _description(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return [_description(base), list(shape)]
    if dtype.names is None or dtype.fields is None:
        return dtype.str
    fields = [dtype.fields[name] for name in dtype.names]
    return {
        "names": list(dtype.names),
        "formats": [_description(field[0]) for field in fields],
        "offsets": [field[1] for field in fields],
        "itemsize": dtype.itemsize,
        "aligned": dtype.isalignedstruct,
    }


def read_dtype(descr: Any) -> np.dtype[Any]:
    """Return the dtype of what ``describe_dtype`` wrote, parsed."""
    import numpy as np

    if isinstance(descr, list):
        base, shape = descr
        return np.dtype((read_dtype(base), tuple(shape)))
    if not isinstance(descr, dict):
        return np.dtype(str(descr))
    aligned = bool(descr.pop("aligned"))
    descr["formats"] = [read_dtype(part) for part in descr["formats"]]
    made: np.dtype[Any] = np.dtype(descr, align=aligned)  # type: ignore[call-overload]
    return made


def parse_dtype(text: str) -> np.dtype[Any]:
    """Return the dtype of a JSON text.

    Raises
    ------
    ResultCorrupt
        If it makes no sense.
    """
    try:
        return read_dtype(json.loads(text))
    except NONSENSE as error:
        raise corrupt("the description of a dtype makes no sense", text) from error


def _raw(array: np.ndarray[Any, Any], order: str) -> Buffer:
    """Return the array's bytes, uncopied where they lie in one piece."""
    import numpy as np

    if not array.nbytes:
        return b""
    flat = np.ascontiguousarray(array.T if order == "F" else array).reshape(-1)
    return flat.view(np.uint8).data


def objects(shape: tuple[int, ...], items: list[Any]) -> np.ndarray[Any, Any]:
    """Return an array of Python objects."""
    import numpy as np

    if len(items) != prod(shape):
        raise corrupt("an array of objects has another number of them", len(items))
    array = np.empty(len(items), dtype=object)
    for place, item in enumerate(items):
        array[place] = item
    return array.reshape(shape)
