"""What a payload holds, in a few words, without loading it.

A payload flows in, a text for people flows out. No code of the result is run: full
pickles are described by the summary that their writer left in the frame.
"""

from __future__ import annotations

from typing import Any

from taskgraph.codecs.formats import decode
from taskgraph.codecs.wire import ARRAY, PLAIN, Payload, as_view, corrupt, without_signature

#: Payloads up to this size are loaded for a preview.
_LOADED = 1 << 22


def describe(payload: Payload) -> str:
    """Return type, shape and dtype of what a payload holds.

    Raises
    ------
    ResultCorrupt
        If the bytes are damaged.
    """
    view = as_view(without_signature(payload))
    if not len(view) or view[0] not in _FRAMED:
        obj = decode(view)
        size = f" of length {len(obj)}" if isinstance(obj, str | bytes) else ""
        return f"{type(obj).__name__}{size}"
    from taskgraph.codecs.frame import unpack

    frame = unpack(view)
    if frame.tag != ARRAY:
        text = frame.summary or "a pickle"
        arrays = f", {len(frame.stored)} buffers" if frame.stored else ""
        return f"{text} ({len(view)} bytes{arrays})"
    if len(frame.entries) != 1:
        raise corrupt("an array has one buffer", len(frame.entries))
    _, raw, method, *_ = frame.entries[0]
    squeezed = f", compressed {raw / max(len(frame.stored[0]), 1):.1f} times" if method else ""
    return _array_text(bytes(frame.stream)) + squeezed


def preview(payload: Payload, width: int = 300) -> str:
    """Return the description and, where that is safe and cheap, the beginning of the value.

    Parameters
    ----------
    payload : bytes or memoryview
        What to look at.
    width : int
        Greatest number of characters of the value.
    """
    view = as_view(without_signature(payload))
    text = describe(view)
    if view[0] in _FRAMED and (view[0] not in (ARRAY, PLAIN) or len(view) > _LOADED):
        return text
    obj = decode(view, allow_pickle=False)
    try:
        value = repr(obj)
    except Exception:  # noqa: BLE001  # many digits, a deep list, an array of texts that are none
        return text
    return f"{text}: {value if len(value) <= width else value[: width - 3] + '...'}"


_FRAMED = frozenset(b"apP")


def _array_text(description: bytes) -> str:
    import json

    from taskgraph.codecs.arrays import NONSENSE, read_dtype

    try:
        descr, shape, _ = json.loads(description)
        name = str(read_dtype(descr))
        sides = () if shape is None else tuple(shape)
    except NONSENSE as error:
        raise corrupt("the description of an array makes no sense", description[:99]) from error
    return f"numpy scalar {name}" if shape is None else f"array {name} {sides}"


def summarize(obj: Any) -> str:
    """Return a few words about an object: written into the frames of pickles."""
    cls = type(obj)
    module = cls.__module__
    name = cls.__qualname__ if module == "builtins" else f"{module}.{cls.__qualname__}"
    if cls in (list, tuple, dict, set, frozenset):
        return f"{name} of {len(obj)}"
    if module.partition(".")[0] not in ("numpy", "torch", "pandas", "polars", "scipy"):
        return name
    words = ("dtype", "shape", "device") if module.startswith("torch") else ("dtype", "shape")
    details = [str(getattr(obj, word)) for word in words if hasattr(obj, word)]
    return " ".join([name, *details])
