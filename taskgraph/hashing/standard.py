"""Encoders of the standard library's immutable values: time, numbers, ids, paths.

Each is a named tag and plain parts. Equal instants in different zones, and ``1.0`` and
``1.00`` as decimals, are different values: what a task prints of them differs.
"""

from __future__ import annotations

import os
from typing import Any

from taskgraph.errors import HashError
from taskgraph.hashing.walk import Walk, frame, kind, shorten

_DATETIME, _DATE, _TIME = kind("datetime"), kind("date"), kind("time")
_TIMEDELTA, _TIMEZONE, _ZONEINFO = kind("timedelta"), kind("timezone"), kind("ZoneInfo")
_DECIMAL, _FRACTION, _UUID = kind("Decimal"), kind("Fraction"), kind("UUID")
_PATTERN, _WINDOWS_PATH = kind("Pattern"), kind("WindowsPath")


def _tagged(tag: bytes, obj: Any, walk: Walk, *parts: Any) -> Any:
    walk.out.append(tag)
    walk.fixed(obj, parts)
    return obj


def encode_datetime(obj: Any, walk: Walk) -> Any:
    """Encode a datetime: fields, fold, zone."""
    stamp = obj.replace(tzinfo=None, fold=0).isoformat()
    return _tagged(_DATETIME, obj, walk, stamp, obj.fold, obj.tzinfo)


def encode_date(obj: Any, walk: Walk) -> Any:
    """Encode a date."""
    walk.out.append(_DATE + frame(obj.isoformat()))
    return obj


def encode_time(obj: Any, walk: Walk) -> Any:
    """Encode a time of day: fields, fold, zone."""
    stamp = obj.replace(tzinfo=None, fold=0).isoformat()
    return _tagged(_TIME, obj, walk, stamp, obj.fold, obj.tzinfo)


def encode_timedelta(obj: Any, walk: Walk) -> Any:
    """Encode a time difference: days, seconds, microseconds."""
    walk.out.append(_TIMEDELTA + b"%d,%d,%d;" % (obj.days, obj.seconds, obj.microseconds))
    return obj


def encode_timezone(obj: Any, walk: Walk) -> Any:
    """Encode a fixed zone: its offset and name."""
    return _tagged(_TIMEZONE, obj, walk, obj.utcoffset(None), obj.tzname(None))


def encode_zoneinfo(obj: Any, walk: Walk) -> Any:
    """Encode a zone of the zone database by its key."""
    if obj.key is None:
        raise HashError(
            "A ZoneInfo read from a file has no stable identity without a key. Use "
            f"ZoneInfo(name), or ZoneInfo.from_file(file, key=name). Got {shorten(obj)}."
        )
    walk.out.append(_ZONEINFO + frame(obj.key))
    return obj


def encode_decimal(obj: Any, walk: Walk) -> Any:
    """Encode a decimal number with its trailing zeros."""
    walk.out.append(_DECIMAL + frame(str(obj)))
    return obj


def encode_fraction(obj: Any, walk: Walk) -> Any:
    """Encode a fraction."""
    return _tagged(_FRACTION, obj, walk, obj.numerator, obj.denominator)


def encode_uuid(obj: Any, walk: Walk) -> Any:
    """Encode a UUID: its 16 bytes."""
    walk.out.append(_UUID + obj.bytes)
    return obj


def encode_pattern(obj: Any, walk: Walk) -> Any:
    """Encode a compiled regular expression: its text and flags."""
    return _tagged(_PATTERN, obj, walk, obj.pattern, obj.flags)


def encode_path(obj: Any, walk: Walk) -> Any:
    """Encode a path by its text; pure and concrete paths are equal, as Python says."""
    raw = str(obj).encode("utf-8", "surrogatepass")  # what fspath returns, a call later
    walk.out.append(b"p%d:%b" % (len(raw), raw))
    return obj


def encode_windows_path(obj: Any, walk: Walk) -> Any:
    """Encode a Windows path by its text."""
    walk.out.append(_WINDOWS_PATH + frame(os.fspath(obj)))
    return obj
