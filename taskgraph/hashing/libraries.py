"""Encoders of torch tensors, scipy sparse matrices and scikit-learn estimators.

Nothing is imported: an instance brings its library with it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from taskgraph.hashing.functions import class_name, name_bytes
from taskgraph.hashing.objects import encode_object
from taskgraph.hashing.walk import Walk, frame, kind

_TENSOR, _SPARSE, _ESTIMATOR = kind("tensor"), kind("sparse"), kind("estimator")


def encode_tensor(obj: Any, walk: Walk) -> Any:
    """Encode a tensor: dtype, shape, whether it takes gradients, data in C order.

    The device does not count. Sparse and quantized tensors go through reduce.
    """
    if str(obj.layout) != "torch.strided" or obj.is_quantized:
        return encode_object(obj, walk)
    start = len(walk.out)
    plain = obj.detach().resolve_conj().resolve_neg().cpu().contiguous()
    data = plain.reshape(-1).view(_byte_type()).numpy() if obj.numel() else b""
    shape = ",".join(map(str, obj.shape))
    head = frame(type(obj).__name__) + frame(str(obj.dtype)) + frame(shape)
    takes = b"T" if obj.requires_grad else b"F"
    walk.out.append(_TENSOR + head + takes + sha256(data).digest())
    walk.fragile.append((obj, sha256(b"".join(walk.out[start:])).digest()))
    return obj


def _byte_type() -> Any:
    import sys

    return sys.modules["torch"].uint8


def encode_torch_dtype(obj: Any, walk: Walk) -> Any:
    """Encode a torch dtype by its name."""
    walk.out.append(name_bytes(str(obj)))
    return obj


def encode_sparse(obj: Any, walk: Walk) -> Any:
    """Encode a sparse matrix or array: class, shape, entries with duplicates summed up."""
    start = len(walk.out)
    if len(obj.shape) == 2:
        rows = obj.tocsr(copy=True)
        rows.sum_duplicates()
        parts = (rows.data, rows.indices.astype("<i8"), rows.indptr.astype("<i8"))
    else:
        entries = obj.tocoo(copy=True)
        entries.sum_duplicates()
        parts = (entries.data, *(axis.astype("<i8") for axis in entries.coords))
    walk.out.append(_SPARSE + frame(type(obj).__name__))
    _without_fragile(obj, walk, (tuple(obj.shape), *parts))
    walk.fragile.append((obj, sha256(b"".join(walk.out[start:])).digest()))
    return obj


def _without_fragile(obj: Any, walk: Walk, parts: Any) -> None:
    """Encode parts that are copies, so that nobody needs to look at them again."""
    fragile = len(walk.fragile)
    walk.fixed(obj, parts)
    del walk.fragile[fragile:]


def encode_estimator(obj: Any, walk: Walk) -> Any:
    """Encode an estimator: class and parameters, or, once fitted, by reduce."""
    fitted = any(name.endswith("_") and not name.startswith("_") for name in vars(obj))
    if fitted or not hasattr(obj, "get_params"):
        return encode_object(obj, walk)
    walk.out.append(_ESTIMATOR + frame(class_name(type(obj))))
    walk.fixed(obj, (obj.get_params(deep=False),))
    return obj
