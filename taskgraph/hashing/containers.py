"""Encoders of the builtin containers: list, tuple, dict, set, frozenset.

They write a count, then the items; sets and dicts in the order of the items' bytes, so
that neither insertion nor the hash seed shows. The copy is a new container with the
copies of the items; a tuple or frozenset whose items are kept as they are is kept too.
The loops dispatch in place, without ``walk.take``: this is where graphs are made.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from operator import itemgetter
from typing import Any

from taskgraph.hashing.walk import ENCODERS as _ALL
from taskgraph.hashing.walk import MANY, MAX_DEPTH, Encoder, Walk, too_deep


def _list(obj: list[Any], walk: Walk) -> list[Any]:
    walk.depth += 1
    if walk.depth > MAX_DEPTH:
        raise too_deep(obj)
    walk.out.append(b"l%d:" % len(obj))
    many = MANY.get(type(obj[0])) if obj else None
    if many is not None and many(obj, walk):
        walk.depth -= 1
        return obj.copy()
    copy = [_ALL[type(item)](item, walk) for item in obj]
    walk.depth -= 1
    return copy


def _tuple(obj: tuple[Any, ...], walk: Walk) -> tuple[Any, ...]:
    walk.depth += 1
    if walk.depth > MAX_DEPTH:
        raise too_deep(obj)
    walk.out.append(b"t%d:" % len(obj))
    copy = [_ALL[type(item)](item, walk) for item in obj]
    walk.depth -= 1
    for old, new in zip(obj, copy, strict=True):
        if old is not new:
            return tuple(copy)
    return obj


@lru_cache(4096)
def _text(key: str) -> bytes:
    """Return the encoding of a key: the same few names come again and again."""
    raw = key.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(raw), raw)


def _dict(obj: dict[Any, Any], walk: Walk) -> dict[Any, Any]:
    for key in obj:
        if type(key) is not str:
            return _any_dict(obj, walk)
    walk.depth += 1
    if walk.depth > MAX_DEPTH:
        raise too_deep(obj)
    out = walk.out
    out.append(b"d%d:" % len(obj))
    copy = obj.copy()
    for key in sorted(obj):
        out.append(_text(key))
        value = obj[key]
        copy[key] = _ALL[type(value)](value, walk)
    walk.depth -= 1
    return copy


def _any_dict(obj: dict[Any, Any], walk: Walk) -> dict[Any, Any]:
    """Encode a dict of which not all keys are strings: by the bytes of the keys."""
    walk.deeper(obj)
    copy = {}
    pairs = []
    for key, value in obj.items():
        key_bytes, key_deps, key_copy = walk.apart(key)
        value_bytes, value_deps, copy[key_copy] = walk.apart(value)
        pairs.append((key_bytes, value_bytes, key_deps + value_deps))
    walk.depth -= 1
    pairs.sort(key=itemgetter(0, 1))
    walk.out.append(b"d%d:" % len(pairs))
    for key_bytes, value_bytes, deps in pairs:
        walk.out += (key_bytes, value_bytes)
        walk.deps += deps
    return copy


def unordered(tag: bytes, obj: Iterable[Any], walk: Walk) -> list[Any]:
    """Encode items whose order does not count; return their copies, in the order met."""
    walk.deeper(obj)
    parts = [walk.apart(item) for item in obj]
    walk.depth -= 1
    walk.out.append(b"%b%d:" % (tag, len(parts)))
    for raw, deps, _ in sorted(parts, key=itemgetter(0)):
        walk.out.append(raw)
        walk.deps += deps
    return [copy for _, _, copy in parts]


def _set(obj: set[Any], walk: Walk) -> set[Any]:
    return set(unordered(b"S", obj, walk))


def _frozenset(obj: frozenset[Any], walk: Walk) -> frozenset[Any]:
    copy = unordered(b"Z", obj, walk)
    same = all(old is new for old, new in zip(obj, copy, strict=True))
    return obj if same else frozenset(copy)


ENCODERS: dict[type, Encoder] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    set: _set,
    frozenset: _frozenset,
}
