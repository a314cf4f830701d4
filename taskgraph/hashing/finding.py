"""Which encoder a type gets that was never met before.

A type is known by the names of itself or of its bases ("numpy.ndarray"), so that no
library is imported to ask. The tables give the place of an encoder as "module:function"
within this package; the module is imported when the first value of its kind is met.

The order is the contract: who decides for itself comes first, then exact names, then
records, then families, and the reduce walk takes what is left. A subclass of a builtin
never gets its parent's encoder: it may hold more than its parent knows of.
"""

from __future__ import annotations

import types
from importlib import import_module
from typing import cast

from taskgraph.hashing import functions, objects, wrappers
from taskgraph.hashing.records import record_encoder
from taskgraph.hashing.registering import dependency_encoder
from taskgraph.hashing.walk import Encoder

#: Exactly these types.
EXACT = {
    "datetime.datetime": "standard:encode_datetime",
    "datetime.date": "standard:encode_date",
    "datetime.time": "standard:encode_time",
    "datetime.timedelta": "standard:encode_timedelta",
    "datetime.timezone": "standard:encode_timezone",
    "zoneinfo.ZoneInfo": "standard:encode_zoneinfo",
    "decimal.Decimal": "standard:encode_decimal",
    "fractions.Fraction": "standard:encode_fraction",
    "uuid.UUID": "standard:encode_uuid",
    "re.Pattern": "standard:encode_pattern",
    "pathlib.PosixPath": "standard:encode_path",
    "pathlib.PurePosixPath": "standard:encode_path",
    "pathlib.WindowsPath": "standard:encode_windows_path",
    "pathlib.PureWindowsPath": "standard:encode_windows_path",
    "functools.partial": "collected:encode_partial",
    "collections.OrderedDict": "collected:encode_ordered_dict",
    "collections.defaultdict": "collected:encode_defaultdict",
    "collections.Counter": "collected:encode_counter",
    "collections.deque": "collected:encode_deque",
    "types.SimpleNamespace": "collected:encode_namespace",
    "numpy.ndarray": "arrays:encode_array",
    "numpy.memmap": "arrays:encode_array",
    "numpy.ma.MaskedArray": "arrays:encode_masked",
    "numpy.ufunc": "functions:encode_ufunc",
    "numpy._ArrayFunctionDispatcher": "functions:encode_dispatched",
    "torch.Tensor": "libraries:encode_tensor",
    "torch.nn.parameter.Parameter": "libraries:encode_tensor",
    "torch.dtype": "libraries:encode_torch_dtype",
    "pandas.Series": "frames:encode_series",
    "pandas.DataFrame": "frames:encode_frame",
    "pandas.MultiIndex": "frames:encode_multi_index",
    "polars.dataframe.frame.DataFrame": "frames:encode_polars_frame",
    "polars.series.series.Series": "frames:encode_polars_series",
    "polars.lazyframe.frame.LazyFrame": "objects:refuse",
    "taskgraph.hashing.files.File": "files:encode_file",
    "taskgraph.hashing.wrappers.NoHash": "wrappers:encode_nohash",
    "taskgraph.hashing.wrappers.CustomHash": "wrappers:encode_customhash",
}

#: These types and all that derive from them.
FAMILIES = {
    "numpy.generic": "arrays:encode_scalar",
    "numpy.dtype": "arrays:encode_dtype",
    "pandas.Index": "frames:encode_index",
    "scipy.sparse._base._spbase": "libraries:encode_sparse",
    "scipy.sparse._base.spmatrix": "libraries:encode_sparse",
    "sklearn.base.BaseEstimator": "libraries:encode_estimator",
}

#: Where a library's type moved between its versions, and the name it has above.
_MOVED = {
    "pathlib._local.": "pathlib.",
    "pandas.core.frame.": "pandas.",
    "pandas.core.series.": "pandas.",
    "pandas.core.indexes.base.": "pandas.",
    "pandas.core.indexes.multi.": "pandas.",
    "numpy.core.memmap.": "numpy.",
    "numpy.ma.core.": "numpy.ma.",
    "scipy.sparse.base.": "scipy.sparse._base.",
}

#: Iterators of these modules are used up by reading.
_ITERATORS = ("builtins", "itertools")


def type_name(cls: type) -> str:
    """Return the name under which the tables know a type."""
    name = f"{cls.__module__}.{cls.__qualname__}"
    for moved, home in _MOVED.items():
        if name.startswith(moved):
            return home + name[len(moved) :]
    return name


def find_encoder(cls: type) -> Encoder:
    """Return the encoder of a type; never fails, the encoder may."""
    encoder = dependency_encoder(cls)
    if encoder is not None:
        return encoder
    if wrappers.has_hook(cls, "hash"):
        encoder = wrappers.encode_decided
    else:
        encoder = _find_known(cls) or objects.encode_object
    return wrappers.with_value(encoder) if wrappers.has_hook(cls, "value") else encoder


def _find_known(cls: type) -> Encoder | None:
    place = EXACT.get(type_name(cls))
    if place is not None:
        return _load(place)
    if issubclass(cls, type):
        return functions.encode_class
    if cls in functions.ENCODERS:
        return functions.ENCODERS[cls]
    if issubclass(cls, types.ModuleType):
        return objects.refuse
    if hasattr(cls, "__next__") and cls.__module__ in _ITERATORS:
        return objects.refuse_iterator
    return record_encoder(cls) or _find_family(cls)


def _find_family(cls: type) -> Encoder | None:
    for base in cls.__mro__:
        place = FAMILIES.get(type_name(base))
        if place is not None:
            return _load(place)
    return None


def _load(place: str) -> Encoder:
    module, _, function = place.partition(":")
    return cast("Encoder", getattr(import_module(f"taskgraph.hashing.{module}"), function))
