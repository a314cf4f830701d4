"""Encoders of the standard library's other containers, and of partial.

Their copies are new containers with copies of the items, so that a later change of the
original does not reach the task. A task in them is an error: they are not rebuilt.
"""

from __future__ import annotations

from typing import Any

from taskgraph.hashing.objects import encode_object
from taskgraph.hashing.walk import Walk, kind

_PARTIAL, _NAMESPACE, _DEQUE = kind("partial"), kind("SimpleNamespace"), kind("deque")
_ORDERED, _DEFAULT, _COUNTER = kind("OrderedDict"), kind("defaultdict"), kind("Counter")


def encode_partial(obj: Any, walk: Walk) -> Any:
    """Encode a partial: function, arguments, keywords, attributes."""
    walk.out.append(_PARTIAL)
    walk.fixed(obj, (obj.func, obj.args, dict(obj.keywords), dict(vars(obj))))
    return obj


def encode_namespace(obj: Any, walk: Walk) -> Any:
    """Encode a SimpleNamespace: its attributes."""
    walk.out.append(_NAMESPACE)
    (held,) = walk.fixed(obj, (vars(obj),))
    return type(obj)(**held)


def encode_ordered_dict(obj: Any, walk: Walk) -> Any:
    """Encode an OrderedDict: its pairs, in order."""
    if vars(obj):
        return encode_object(obj, walk)
    walk.out.append(_ORDERED)
    (pairs,) = walk.fixed(obj, (list(obj.items()),))
    return type(obj)(pairs)


def encode_defaultdict(obj: Any, walk: Walk) -> Any:
    """Encode a defaultdict: its factory and its pairs, in any order."""
    walk.out.append(_DEFAULT)
    factory, pairs = walk.fixed(obj, (obj.default_factory, dict(obj)))
    return type(obj)(factory, pairs)


def encode_counter(obj: Any, walk: Walk) -> Any:
    """Encode a Counter: its counts, in any order."""
    if vars(obj):
        return encode_object(obj, walk)
    walk.out.append(_COUNTER)
    (counts,) = walk.fixed(obj, (dict(obj),))
    return type(obj)(counts)


def encode_deque(obj: Any, walk: Walk) -> Any:
    """Encode a deque: its greatest length and its items."""
    walk.out.append(_DEQUE)
    maxlen, items = walk.fixed(obj, (obj.maxlen, list(obj)))
    return type(obj)(items, maxlen)
