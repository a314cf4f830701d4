"""Encoders of pandas and polars: names, dtypes and cells, column by column.

How a frame is stored (blocks, chunks, row groups) does not count. Columns of numbers are
arrays; what numpy has no dtype for is read cell by cell, which is slow and exact.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from taskgraph.hashing.functions import class_name
from taskgraph.hashing.walk import Walk, frame, kind

_SERIES, _FRAME, _INDEX = kind("pandas.Series"), kind("pandas.DataFrame"), kind("pandas.Index")
_POLARS_FRAME, _POLARS_SERIES = kind("polars.DataFrame"), kind("polars.Series")


def _content(tag: bytes, obj: Any, walk: Walk, parts: Any) -> Any:
    """Encode a frame's parts, which are views or copies, and note the frame as fragile."""
    start, fragile = len(walk.out), len(walk.fragile)
    walk.out.append(tag)
    walk.fixed(obj, parts)
    del walk.fragile[fragile:]
    walk.fragile.append((obj, sha256(b"".join(walk.out[start:])).digest()))
    return obj


def _column(held: Any) -> tuple[Any, ...]:
    """Return plain parts that say everything about the cells of a Series or Index."""
    dtype, array = held.dtype, held.array
    name = str(dtype)
    if hasattr(array, "categories"):
        return name, array.categories, bool(array.ordered), array.codes
    if hasattr(dtype, "newbyteorder") and dtype.kind != "O":  # a dtype of numpy
        return name, array.to_numpy()
    if hasattr(array, "asi8"):  # times with a zone: the dtype tells it
        return name, array.asi8
    if name == "str" or name.startswith("string"):
        return name, [None if missing else cell for cell, missing in _cells(array)]
    return name, list(array)


def _cells(array: Any) -> Iterator[tuple[Any, bool]]:
    return zip(array.tolist(), array.isna().tolist(), strict=True)


def encode_series(obj: Any, walk: Walk) -> Any:
    """Encode a pandas Series: name, index, cells, attrs."""
    return _content(_SERIES, obj, walk, (obj.name, obj.index, _column(obj), dict(obj.attrs)))


def encode_frame(obj: Any, walk: Walk) -> Any:
    """Encode a pandas DataFrame: column names, index, cells, attrs."""
    columns = [_column(obj.iloc[:, place]) for place in range(obj.shape[1])]
    return _content(_FRAME, obj, walk, (obj.columns, obj.index, columns, dict(obj.attrs)))


def encode_index(obj: Any, walk: Walk) -> Any:
    """Encode a pandas Index, which is immutable: class, name, cells."""
    fragile = len(walk.fragile)
    walk.out.append(_INDEX + frame(class_name(type(obj)).rpartition(".")[2]))
    if hasattr(obj, "step") and hasattr(obj, "stop"):  # a RangeIndex
        walk.fixed(obj, (obj.name, obj.start, obj.stop, obj.step))
    else:
        rule = getattr(obj, "freqstr", None)
        walk.fixed(obj, (obj.name, rule, _column(obj)))
    del walk.fragile[fragile:]
    return obj


def encode_multi_index(obj: Any, walk: Walk) -> Any:
    """Encode a pandas MultiIndex: names and the values of each level along the rows."""
    fragile = len(walk.fragile)
    walk.out.append(_INDEX + frame("MultiIndex"))
    levels = [obj.get_level_values(place) for place in range(obj.nlevels)]
    walk.fixed(obj, (list(obj.names), levels))
    del walk.fragile[fragile:]
    return obj


def _polars_column(series: Any) -> tuple[Any, ...]:
    """Return plain parts that say everything about a polars Series."""
    dtype = series.dtype
    whole = series.null_count() == 0
    if whole and (dtype.is_numeric() or str(dtype) == "Boolean") and not dtype.is_decimal():
        return series.name, str(dtype), series.to_numpy()
    if dtype.is_temporal():
        return series.name, str(dtype), series.to_physical().to_list()
    return series.name, repr(dtype), series.to_list()


def encode_polars_series(obj: Any, walk: Walk) -> Any:
    """Encode a polars Series: name, dtype, cells."""
    return _content(_POLARS_SERIES, obj, walk, _polars_column(obj))


def encode_polars_frame(obj: Any, walk: Walk) -> Any:
    """Encode a polars DataFrame: height, then name, dtype and cells of each column."""
    columns = [_polars_column(series) for series in obj.get_columns()]
    return _content(_POLARS_FRAME, obj, walk, (obj.height, columns))
