"""Encoders of numpy arrays, scalars and dtypes, by dtype ``.str``, shape and C-order data.

A million bytes or more are read at the speed of SHA-256, without the interpreter lock
and, when the array is contiguous, without a copy. Only methods of the array are used:
numpy is not imported here, but its first array brings this module in.

What the layout adds does not count: C order, Fortran order and strided views of equal
data are equal, and so are structured arrays with other bytes in their padding.
"""

from __future__ import annotations

import sys
from hashlib import sha256
from typing import Any

from taskgraph.hashing.walk import FINGERPRINTS, Walk, frame, kind

_DTYPE, _MASKED = kind("dtype"), kind("MaskedArray")
#: Bytes of a strided array that are copied at a time.
_BLOCK = 1 << 22


def dtype_code(dtype: Any) -> bytes:
    """Return the framed description of a dtype: ``.str``, or the fields when it has some.

    The registered name is added where ``.str`` says only a size (bfloat16 and its kin).
    """
    if dtype.names is not None:
        parts = [b"{%d:%d:" % (dtype.itemsize, len(dtype.names))]
        for name in dtype.names:
            inner, offset, *_ = dtype.fields[name]
            parts.append(frame(name) + b"%d:" % offset + dtype_code(inner))
        return b"".join(parts)
    if dtype.subdtype is not None:
        inner, shape = dtype.subdtype
        return b"[" + _shape_code(shape) + dtype_code(inner)
    if dtype.kind == "T":  # variable-width strings: their .str tells the size of a pointer
        return frame("T")
    if dtype.kind == "V" and dtype.type.__name__ != "void":
        return frame(f"{dtype.str}:{dtype.type.__name__}")
    return frame(dtype.str)


def _shape_code(shape: tuple[int, ...]) -> bytes:
    ndim = len(shape)
    return b"%d(" % ndim + b"%d," * ndim % shape


def encode_array(obj: Any, walk: Walk) -> Any:
    """Encode an array; a writeable one is noted as fragile."""
    dtype, flags = obj.dtype, obj.flags
    head = _shape_code(obj.shape)
    if dtype.hasobject or dtype.names is not None:
        return _encode_elements(obj, walk, head)
    data = array_digest(obj)
    walk.out.append(b"a" + dtype_code(dtype) + head + data)
    if flags.writeable:
        walk.fragile.append((obj, data))
    return obj


def _elements(obj: Any) -> list[Any]:
    """Return the fields (padding has no meaning) or the elements of an array."""
    names = obj.dtype.names
    return obj.ravel().tolist() if names is None else [obj[name] for name in names]


def _encode_elements(obj: Any, walk: Walk, head: bytes) -> Any:
    fragile = len(walk.fragile)
    walk.out.append(b"A" + dtype_code(obj.dtype) + head)
    start = len(walk.out)
    walk.fixed(obj, _elements(obj))
    if obj.dtype.names is not None:  # the fields are views of the array
        del walk.fragile[fragile:]
    if obj.flags.writeable:
        walk.fragile.append((obj, sha256(b"".join(walk.out[start:])).digest()))
    return obj


def array_digest(obj: Any) -> bytes:
    """Return the SHA-256 of an array's data in C order, 32 bytes.

    Arrays of objects or with fields give the digest of the encodings of those.
    """
    dtype = obj.dtype
    if dtype.hasobject or dtype.names is not None:
        walk = Walk()
        walk.inside = 1  # objects in it were compared with their copies by the first walk
        walk.fixed(obj, _elements(obj))
        return sha256(b"".join(walk.out)).digest()
    if dtype.char in "gG":
        return sha256(_without_padding(obj)).digest()
    if obj.size == 0 or dtype.itemsize == 0:
        return sha256().digest()
    if obj.flags.c_contiguous:
        return sha256(obj.reshape(-1).view("u1")).digest()
    return _strided_digest(obj)


def _strided_digest(obj: Any) -> bytes:
    """Return the digest of an array that is not in C order, copying a block at a time."""
    state = sha256()
    if obj.ndim == 1 or obj.nbytes <= _BLOCK:
        step = max(1, _BLOCK // obj.dtype.itemsize) if obj.ndim == 1 else len(obj)
    else:
        step = max(1, _BLOCK * len(obj) // obj.nbytes)
    for start in range(0, len(obj), step):
        state.update(obj[start : start + step].copy(order="C").reshape(-1).view("u1"))
    return state.digest()


def _without_padding(obj: Any) -> bytes:
    """Return the bytes of 80-bit floats without the unused ones, which hold anything."""
    raw = obj.reshape(-1).copy().view(obj.real.dtype).view("u1")
    words = raw.reshape(-1, obj.real.dtype.itemsize)
    used = 10 if obj.real.dtype.str[1:] in ("f16", "f12") and _is_extended(obj) else None
    data: bytes = words[:, :used].tobytes()
    return data


def _is_extended(obj: Any) -> bool:
    """Return whether long doubles here are the 80-bit floats of x86: by their machine limits."""
    return int(sys.modules["numpy"].finfo(obj.real.dtype).nmant) == 63


def encode_masked(obj: Any, walk: Walk) -> Any:
    """Encode a masked array: data (also under the mask), mask, fill value."""
    start, fragile = len(walk.out), len(walk.fragile)
    mask = sys.modules["numpy"].ma.getmaskarray(obj)
    walk.out.append(_MASKED)
    walk.fixed(obj, (obj.data, mask, obj.fill_value))
    del walk.fragile[fragile:]
    walk.fragile.append((obj, sha256(b"".join(walk.out[start:])).digest()))
    return obj


def encode_scalar(obj: Any, walk: Walk) -> Any:
    """Encode a numpy scalar: its dtype and bytes."""
    dtype = obj.dtype
    if dtype.names is not None:
        walk.out.append(b"u" + dtype_code(dtype))
        walk.fixed(obj, [obj[name] for name in dtype.names])
    elif dtype.char in "gG":
        walk.out.append(b"x" + dtype_code(dtype) + frame(_without_padding(obj.reshape(1))))
    else:
        walk.out.append(b"x" + dtype_code(dtype) + frame(obj.tobytes()))
    return obj


def encode_dtype(obj: Any, walk: Walk) -> Any:
    """Encode a dtype."""
    walk.out.append(_DTYPE + dtype_code(obj))
    return obj


for _name in ("ndarray", "memmap"):
    FINGERPRINTS[getattr(sys.modules["numpy"], _name)] = array_digest
