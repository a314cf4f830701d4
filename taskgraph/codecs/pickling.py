"""Objects that are not plain scalars -> frames: pickle protocol 5, buffers out of band.

Objects flow in; frames flow out (``unpickling`` is the way back). Three things happen.

*Data leaves the pickle.* Arrays and tensors become a call of a name in ``rebuild`` with a
buffer's number, wherever in the object they are; other types that pickle out of band
(pickle.PickleBuffer) do so too. On reading they are views into the payload.

*The tag tells what a pickle may do.* While pickling, every object that is not a builtin
container passes ``_Reducing.reducer_override``. As long as only arrays, tensors and a few
immutable C types pass, the payload is *plain*. A plain payload is read by an unpickler
that knows those names and no others, whatever it says; so a forged tag buys nothing, and
``decode(payload, allow_pickle=False)`` reads plain payloads of strangers. Anything else
is *full*: reading it can run code, as with every pickle.

*The jugfile has one name.* Its functions and classes are written under its stem, whether
it ran as ``__main__`` or was read by a worker (``mainstem``).

Lambdas, local functions and whatever else plain pickle refuses go by value, through
cloudpickle, which is imported for them alone. What that refuses too is a CodecError that
names the part (``blame``).
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

from taskgraph.codecs import arrays, mainstem, rebuild, tensors
from taskgraph.codecs.blame import blame
from taskgraph.codecs.frame import STREAM, Part, pack
from taskgraph.codecs.preview import summarize
from taskgraph.codecs.rebuild import PLAIN_TYPES, REBUILD
from taskgraph.codecs.trust import pickle_allowed, refused_to_write
from taskgraph.codecs.wire import ARRAY, FULL, PLAIN, Encoded
from taskgraph.errors import CodecError

#: A buffer below this size stays in the pickle.
_IN_BAND = 1 << 10


class _Failed(Exception):
    """The pickler at hand can't do it; the cause tells why."""


def dump(obj: Any) -> Encoded:
    """Return payload and digest of an object that is not a plain scalar."""
    if type(obj).__module__.partition(".")[0] == "numpy" and _is_numeric(obj):
        made = arrays.take_apart(obj)
        if made is not None:
            description, part = made
            return pack(ARRAY, "", description.encode(), [part])
    try:
        stream, writer = _written(_Pickler, obj)
    except _Failed:
        try:
            stream, writer = _written(_cloud_pickler(), obj)
        except _Failed as failure:
            raise _unpicklable(obj, failure.__cause__) from failure.__cause__
    if writer.full and not pickle_allowed():
        raise refused_to_write(*_strange(obj))
    tag = FULL if writer.full else PLAIN
    return pack(tag, summarize(obj), stream, writer.parts)


def _written(make: Callable[..., Any], obj: Any) -> tuple[bytes, Any]:
    """Return the pickle and its pickler.

    Raises
    ------
    _Failed
        If this pickler can't.
    CodecError
        If no pickler can: too deep.
    """
    stream = io.BytesIO()
    parts: list[Part] = []
    writer = make(stream, 5, buffer_callback=lambda buffer: _out_of_band(parts, buffer))
    writer.parts = parts
    writer.full = make is not _Pickler
    try:
        writer.dump(obj)
    except MemoryError:
        raise
    except Exception as error:
        if isinstance(error, RecursionError) or isinstance(error.__cause__, RecursionError):
            raise CodecError(
                "A result must not be nested so deeply that pickle gives up (about a thousand "
                f"levels), nor contain itself; return a flat list or table. Got {summarize(obj)}."
            ) from error
        raise _Failed from error
    return stream.getvalue(), writer


def _out_of_band(parts: list[Part], buffer: pickle.PickleBuffer) -> bool:
    """Take a buffer out of the pickle (False), or leave it there (True)."""
    data = buffer.raw()
    if len(data) < _IN_BAND:
        return True
    parts.append(Part(data, owner=STREAM))
    return False


class _Reducing:
    """What both picklers do before they do anything else."""

    parts: list[Part]
    full: bool

    def reduce(self, obj: Any) -> Any:
        """Return a reduction of ours, or NotImplemented."""
        cls = type(obj)
        module = cls.__module__.partition(".")[0]
        if module == "numpy" or module == "torch":
            made = _numeric(self.parts, obj)
            if made is not None:
                return made
        elif isinstance(obj, type | FunctionType):
            return self._named(obj)
        if not self.full and not _is_plain(cls):
            self.full = True
        return NotImplemented

    def _named(self, obj: Any) -> Any:
        module = obj.__module__
        if module == REBUILD or (isinstance(obj, type) and _is_plain(obj)):
            return NotImplemented
        self.full = True
        if mainstem.is_main(module) and (found := mainstem.name_in_main(obj)):
            return rebuild.main, found
        return NotImplemented


class _Pickler(_Reducing, pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        made = self.reduce(obj)
        named = isinstance(obj, type | FunctionType) and obj.__module__ == "__main__"
        if made is NotImplemented and named:
            # Found in __main__ here, it would be looked for in another __main__ there.
            raise pickle.PicklingError(f"{obj!r} is not in the jugfile under its name")
        return made


@cache
def _cloud_pickler() -> type[Any]:
    import cloudpickle

    class CloudPickler(_Reducing, cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: Any) -> Any:
            made = self.reduce(obj)
            return super().reducer_override(obj) if made is NotImplemented else made

    return CloudPickler


def _is_plain(cls: type) -> bool:
    name = cls.__module__, cls.__qualname__
    return name in PLAIN_TYPES and getattr(sys.modules.get(name[0]), name[1], None) is cls


def _is_numeric(obj: Any) -> bool:
    import numpy as np

    cls = type(obj)
    return cls is np.ndarray or cls is np.memmap or issubclass(cls, np.generic)


def _numeric(parts: list[Part], obj: Any) -> Any:
    """Return the reduction of an array, dtype or tensor; ``None`` for anything else."""
    cls = type(obj)
    if cls.__module__.startswith("torch"):
        return _tensor(parts, obj) if cls.__name__ in ("Tensor", "Parameter") else None
    import numpy as np

    if isinstance(obj, np.dtype):
        descr = arrays.describe_dtype(obj)
        return None if descr is None else (rebuild.dtype, (descr,))
    if not _is_numeric(obj):
        return None
    if cls is np.ndarray and obj.dtype == object and obj.dtype.metadata is None:
        return rebuild.objects, (obj.shape, obj.reshape(-1).tolist())
    return _numbered(parts, rebuild.array, arrays.take_apart(obj))


def _tensor(parts: list[Part], obj: Any) -> Any:
    torch = sys.modules["torch"]
    if type(obj) not in (torch.Tensor, torch.nn.Parameter):
        return None
    return _numbered(parts, rebuild.tensor, tensors.take_apart(obj))


def _numbered(parts: list[Part], function: Any, made: tuple[Any, Part] | None) -> Any:
    if made is None:
        return None
    description, part = made
    parts.append(part)
    return function, (description, len(parts) - 1)


def _unpicklable(obj: Any, error: BaseException | None) -> CodecError:
    """Return the error that names the part which can't be pickled."""

    def works(part: Any) -> bool:
        try:
            _written(_cloud_pickler(), part)
        except (_Failed, CodecError):
            return False
        return True

    path, part = blame(obj, works)
    cls = type(part)
    return CodecError(
        "A result must be picklable: return plain data, or give the class a __reduce__ or "
        f"__getstate__ that leaves out what can't be kept. Got {cls.__module__}.{cls.__qualname__} "
        f"at result{path}: {error}"
    )


def _strange(obj: Any) -> tuple[str, type]:
    """Return the way to, and the type of, the smallest part that needs pickle."""

    def plain(part: Any) -> bool:
        try:
            return not _written(_Pickler, part)[1].full
        except (_Failed, CodecError):
            return False

    path, part = blame(obj, plain, attributes=False)
    return path, type(part)
