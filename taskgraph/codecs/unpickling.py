"""Frames -> objects: the only unpickler of the project.

A payload with a frame flows in, an object flows out, its arrays as views into the
payload. A plain payload is read by an unpickler that knows arrays, tensors and a few
immutable types, whatever the pickle says; only full ones may name anything importable.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from taskgraph.codecs import arrays, mainstem, tensors
from taskgraph.codecs.frame import STREAM, Frame, unpack
from taskgraph.codecs.nesting import check_depth
from taskgraph.codecs.opcodes import check
from taskgraph.codecs.rebuild import PLAIN_TYPES, REBUILD
from taskgraph.codecs.trust import refused_to_read
from taskgraph.codecs.wire import ARRAY, PLAIN, corrupt
from taskgraph.errors import CodecError, ResultCorrupt

#: Returns a buffer by its number.
Buffers = Callable[[int], memoryview]


def load(view: memoryview, allow_pickle: bool) -> Any:
    """Return the object of a payload with a frame."""
    frame = unpack(view)
    if frame.tag == ARRAY:
        if len(frame.stored) != 1:
            raise corrupt("an array has one buffer", len(frame.stored))
        return arrays.put_together(frame.stream, frame.buffer(0))
    if frame.tag == PLAIN:
        return _read_plain(frame)
    if not allow_pickle:
        raise refused_to_read(frame.summary or "a pickle")
    return _read_full(frame)


class _Unpickler(pickle.Unpickler):
    """Reads full pickles: our names, the jugfile's, then any importable one."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(io.BytesIO(frame.stream), buffers=_buffers(frame) if frame.entries else ())
        self._frame = frame
        self._given: set[int] = set()

    def find_class(self, module: str, name: str) -> Any:
        if module == REBUILD and name in _REBUILDERS:
            return self._rebuilder(name)
        if mainstem.is_main(module):
            return mainstem.resolve(module, name)
        return super().find_class(module, name)

    def _rebuilder(self, name: str) -> Callable[..., Any]:
        return partial(_REBUILDERS[name], self.buffer)

    def buffer(self, number: int) -> memoryview:
        """Return a buffer, once: a small frame must not be decompressed a thousand times."""
        if number in self._given:
            raise corrupt("it uses a buffer twice", number)
        self._given.add(number)
        return self._frame.buffer(number)


class _PlainUnpickler(_Unpickler):
    """Reads plain pickles: arrays, tensors and a few immutable types, nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if module == REBUILD and name in _REBUILDERS and name != "main":
            return _Sealed(self._rebuilder(name))
        if (module, name) in PLAIN_TYPES:
            return getattr(import_module(module), name)
        raise corrupt("a plain payload names what only full ones may", f"{module}.{name}")


def _array(buffer: Buffers, description: str, number: int) -> Any:
    return arrays.put_together(description, buffer(number))


def _tensor_again(buffer: Buffers, description: tensors.Description, number: int) -> Any:
    return tensors.put_together(description, buffer(number))


#: What is called for each name of ``rebuild``, with the frame's buffers before its arguments.
_REBUILDERS: dict[str, Callable[..., Any]] = {
    "array": _array,
    "dtype": lambda _, description: arrays.parse_dtype(description),
    "objects": lambda _, shape, items: arrays.objects(shape, items),
    "tensor": _tensor_again,
    "main": lambda _, stem, name: mainstem.resolve(stem, name),
}


class _Sealed:
    """A function without attributes: a pickle can call it, and nothing more."""

    __slots__ = ("__call",)

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_Sealed__call", function)

    def __call__(self, *args: Any) -> Any:
        return self.__call(*args)  # type: ignore[attr-defined]

    def __setattr__(self, name: str, value: object) -> None:
        raise corrupt("a plain payload sets an attribute of a function", name)


def _buffers(frame: Frame) -> Iterator[memoryview]:
    return (frame.buffer(number) for number in frame.owned(STREAM))


def _read_plain(frame: Frame) -> Any:
    check(frame.stream)
    check_depth(frame.stream)
    try:
        return _PlainUnpickler(frame).load()
    except (ResultCorrupt, MemoryError):
        raise
    except Exception as error:
        raise corrupt("its pickle makes no sense", repr(error)) from error


def _read_full(frame: Frame) -> Any:
    try:
        return _Unpickler(frame).load()
    except (ResultCorrupt, CodecError, MemoryError):
        raise
    except Exception as error:
        # The checksum was right, so the bytes are as written: the code around has changed.
        raise CodecError(
            "A result must find the modules and classes it was made with; install them, load the "
            "jugfile it came from, or invalidate it. "
            f"Got {type(error).__name__} for {frame.summary or 'a pickle'}: {error}"
        ) from error
