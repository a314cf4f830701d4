"""Reads a jug directory: jug's file store, version 2, with its pack.

The path of a directory flows in; values flow out by jug's hash. Each file is read with
suspicion: a stream that ends early or goes on behind its end is damaged, never a value.
An empty file is what jug writes for ``None``, and what is left of a file that was cut
off: :attr:`Found.empty` says so, and the caller decides.

Values are unpickled, which can run any code: read only directories that you trust as
you did under jug. Nothing in the directory is changed.
"""

from __future__ import annotations

import io
import pickle
import zlib
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from taskgraph.codecs import pickle_allowed
from taskgraph.codecs.trust import refused_to_read
from taskgraph.errors import CodecError, ResultCorrupt, StoreForeign, UsageError

_NPY, _PARQUET = b"\x93NUMPY", b"PAR1"


class Found(NamedTuple):
    """A value as jug stored it."""

    value: Any
    empty: bool  #: the file is empty: jug's None, or a file that was cut off
    modified: float  #: seconds since 1970 when it was written, 0.0 when unknown


class JugStore:
    """``store = JugStore(Path("primes.jugdata"))``: the results of a jug directory.

    Raises
    ------
    UsageError
        There is no such directory, or it is the address of a Redis server.
    StoreForeign
        It is no jug directory.
    """

    def __init__(self, folder: Path) -> None:
        if str(folder).startswith(("redis:", "dict_store")):
            raise UsageError(
                "Only jug's file store can be imported: give the directory that jug wrote; "
                f"got {folder}."
            )
        if not folder.is_dir():
            raise UsageError(
                f"A jug directory is a folder such as jugfile.jugdata; there is none at {folder}."
            )
        self.folder = folder
        self.names = _result_names(folder)
        self.packed: dict[bytes, Any] = {}
        pack = folder / "packs" / "jugpack"
        if pack.is_file():
            self.packed = _read_pack(pack)
        known = any((folder / part).is_dir() for part in ("tempfiles", "locks", "packs"))
        if not known and not self.names and any(folder.iterdir()):
            raise StoreForeign(
                "A jug directory has folders such as tempfiles and 3f, with results in them; "
                f"{folder} holds something else. Name the directory given to jug as --jugdir."
            )

    def __contains__(self, name: object) -> bool:
        return name in self.names or name in self.packed

    def all_names(self) -> set[bytes]:
        """Return every hash with a result."""
        return self.names | self.packed.keys()

    def load(self, name: bytes) -> Found:
        """Return the value stored under a hash.

        A file counts before the pack: jug may have written it later.

        Raises
        ------
        ResultCorrupt
            The file is damaged, or can't be read.
        KeyError
            There is none.
        """
        if name not in self.names:
            return Found(self.packed[name], False, 0.0)
        text = name.decode()
        path = self.folder / text[:2] / text[2:]
        try:
            data = path.read_bytes()
            modified = path.stat().st_mtime
        except OSError as error:
            raise ResultCorrupt(f"A result of jug can't be read: {path}: {error}.") from error
        return Found(decode(data, path), not data, modified)


def _result_names(folder: Path) -> set[bytes]:
    letters = set("0123456789abcdef")
    shards = [one for one in folder.iterdir() if len(one.name) == 2 and set(one.name) <= letters]
    names = (shard.name + file.name for shard in shards for file in shard.iterdir())
    return {name.encode() for name in names if len(name) == 40 and set(name) <= letters}


def _read_pack(path: Path) -> dict[bytes, Any]:
    """Return jug's pack: small results in one dict."""
    values = decode(path.read_bytes(), path)
    if not isinstance(values, dict):
        raise ResultCorrupt(f"jug's pack must hold a dict; {path} holds {type(values).__name__}.")
    return {key if isinstance(key, bytes) else str(key).encode(): values[key] for key in values}


def decode(data: bytes, path: Path) -> Any:
    """``value = decode(data, path)``: the value in the bytes of one of jug's files.

    Raises
    ------
    ResultCorrupt
        The bytes are not those of one whole value.
    CodecError
        They are a pickle, and pickle is not allowed.
    """
    if not data:
        return None
    try:
        if data.startswith(_NPY):
            return _array(data)
        if data.startswith(_PARQUET):
            return _frame(data)
        return _stream(data)
    except (CodecError, MemoryError):
        raise
    except Exception as error:  # unpickling may raise anything
        raise ResultCorrupt(
            "A result of jug must be one whole value that can be loaded here (its modules "
            f"importable): {path} is not. {type(error).__name__}: {error}"
        ) from error


def _array(data: bytes) -> Any:
    stream = io.BytesIO(data)
    array = import_module("numpy.lib.format").read_array(stream)
    if stream.read(1):
        raise ValueError("bytes behind the end of the array")
    return array


def _frame(data: bytes) -> Any:
    return import_module("polars").read_parquet(io.BytesIO(data))


def _stream(data: bytes) -> Any:
    """Return the value of jug's own encoding: zlib of a letter and a pickle or array."""
    inflater = zlib.decompressobj()
    raw = inflater.decompress(data)
    if not inflater.eof or inflater.unused_data:
        raise ValueError("the compressed stream ends too early or too late")
    kind, rest = raw[:1], raw[1:]
    if kind == b"N":
        return _array(rest)
    if kind != b"P":
        raise ValueError(f"unknown kind {kind!r}")
    if not pickle_allowed():
        raise refused_to_read("a pickle of jug's")
    return pickle.loads(rest)  # noqa: S301  the user's own results, as jug would load them
