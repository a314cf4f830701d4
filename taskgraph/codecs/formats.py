"""The two doors: ``payload, digest = encode(obj)`` and ``obj = decode(payload)``.

Objects flow in, payloads and digests flow out, and back. The first byte of a payload is
its tag; a reader exists for every tag ever written (tests/golden/payloads). Plain scalars
are done by ``scalars``; all else by ``pickling`` and ``unpickling``, imported on first use.
"""

from __future__ import annotations

from typing import Any

from taskgraph.codecs.scalars import MAKERS, READERS
from taskgraph.codecs.wire import (
    ARRAY,
    FULL,
    PLAIN,
    SIGNED,
    Encoded,
    Payload,
    as_view,
    corrupt,
    without_signature,
)


def encode(obj: Any) -> Encoded:
    """``payload, digest = encode(obj)``: turn a result into bytes.

    Parameters
    ----------
    obj : object
        Anything picklable; numpy arrays and torch tensors inside it are not copied when
        they are contiguous and large.

    Returns
    -------
    payload : bytes or list of buffers
        Large buffers are views of ``obj``: use them up before it changes.
    digest : bytes
        8 bytes over the content, before any compression.

    Raises
    ------
    CodecError
        If a part of the object can't be pickled, or pickle is not allowed; the message
        says which.
    """
    make = MAKERS.get(type(obj))
    return _encode_object(obj) if make is None else make(obj)


def decode(payload: Payload, *, allow_pickle: bool | None = None) -> Any:
    """``obj = decode(payload)``: turn bytes back into a result.

    A signature before the payload is skipped: whoever has a key has verified it before.

    Parameters
    ----------
    payload : bytes or memoryview
        Arrays become views into it, writable when it is writable.
    allow_pickle : bool, optional
        False refuses payloads whose loading could run code; default: as ``set_pickle`` says.

    Raises
    ------
    ResultCorrupt
        If the bytes are damaged.
    CodecError
        If they are sound, but what they need is missing or not allowed.
    """
    try:
        read = READERS.get(payload[0])  # type: ignore[arg-type]
    except (IndexError, TypeError, ValueError):  # empty, or several buffers
        read = None
    return read(payload) if read is not None else _decode_object(payload, allow_pickle)


def _encode_object(obj: Any) -> Encoded:
    from taskgraph.codecs.pickling import dump

    return dump(obj)


def _decode_object(payload: Payload, allow_pickle: bool | None) -> Any:
    view = as_view(payload)
    if len(view) and view[0] == SIGNED:
        view = as_view(without_signature(view))
    if not len(view):
        raise corrupt("it is empty", "0 bytes")
    if view[0] in READERS:
        return READERS[view[0]](view)
    if view[0] not in (ARRAY, PLAIN, FULL):
        raise corrupt("its format is unknown", f"first byte {view[0]:#04x}")
    from taskgraph.codecs.trust import pickle_allowed
    from taskgraph.codecs.unpickling import load

    return load(view, pickle_allowed() if allow_pickle is None else allow_pickle)
