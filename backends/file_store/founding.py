"""How a folder becomes a store, and how it is told from one that is not.

A path flows in; a :class:`Charter` (what ``store.json`` says) flows out, or the error that
tells what the folder is instead. The first process that opens a store for writing makes
it; several may do so at once, and one charter wins. Opening for reading makes nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import uuid
from dataclasses import asdict, dataclass
from typing import Any

from backends.file_store.filesystem import FileSystem, links_missing, store_error
from backends.file_store.layout import FOLDERS, MODES, Layout
from backends.file_store.mounts import on_network
from taskgraph.errors import StoreForeign, StoreTooNew, StoreUnreachable, UsageError

FORMAT = 1
#: Seconds of silence that make an owner stale: local, network (caches lie for 60 s there).
LEASES = (30.0, 300.0)

#: How a whole charter ends; looks at one that does not, and seconds between them.
_END = b"}"
_LOOKS, _PAUSE = 100, 0.01

_JUG_SHARD = re.compile(r"[0-9a-f]{2}$")
_JUG_RESULT = re.compile(r"[0-9a-f]{38}(\.\w+)?$")


@dataclass(frozen=True, slots=True)
class Charter:
    """What a store was founded with; every process takes it from the store."""

    format: int
    id: str
    lease_seconds: float
    network: bool  #: whether other hosts may see it through caches
    links: bool  #: whether the file system has hard links
    mode: str  #: ``private`` or ``group``
    created_by: str

    def layout(self, root: str) -> Layout:
        """Return the paths and permissions of the store at ``root``."""
        file_mode, folder_mode = MODES[self.mode]
        return Layout(root, file_mode, folder_mode, self.links)


def charter(
    fs: FileSystem,
    root: str,
    create: bool,
    mode: str = "private",
    lease_seconds: float | None = None,
) -> Charter:
    """Return the charter of the store at ``root``, founding it if asked to.

    Parameters
    ----------
    fs : FileSystem
        The disk.
    root : str
        Absolute path.
    create : bool
        Whether to found a store where there is none.
    mode : str
        Permissions of a new store: ``private`` or ``group``.
    lease_seconds : float, optional
        Lease time of a new store; by default 30 s, on a network mount 300 s.

    Raises
    ------
    StoreUnreachable
        There is no store, or it may not be read or written.
    StoreForeign
        The folder holds something else.
    StoreTooNew
        A newer version made it.
    """
    if mode not in MODES:
        raise UsageError(f"a store's mode must be one of {', '.join(MODES)}, got {mode!r}")
    try:
        found = _read(fs, root)
        if found is None and create:
            _refuse_foreign(fs, root)
            found = _found(fs, root, mode, lease_seconds)
    except NotADirectoryError as error:
        raise StoreForeign(f"a store must be a folder: give another path, got {root}") from error
    except OSError as error:
        raise store_error(error, root) from error
    if found is None:
        _refuse_foreign(fs, root)
        raise StoreUnreachable(f"there is no store yet at {root}: `taskgraph execute` makes one")
    return found


def _read(fs: FileSystem, root: str) -> Charter | None:
    try:
        text = _read_whole(fs, Layout(root).info)
    except FileNotFoundError:
        return None
    try:
        fields: dict[str, Any] = json.loads(text)
        number = int(fields["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreForeign(
            f"store.json must name a format: restore it, or remove the folder, {root}"
        ) from error
    if number > FORMAT:
        by = fields.get("created_by", "a newer version")
        raise StoreTooNew(
            f"this version reads stores up to format {FORMAT}: install {by} or newer, "
            f"got format {number} at {root}"
        )
    return Charter(**{name: fields[name] for name in Charter.__slots__})


def _refuse_foreign(fs: FileSystem, root: str) -> None:
    try:
        names = fs.names(root)
    except FileNotFoundError:
        return
    names = [n for n in names if n != "store.json" and not n.startswith(".store-")]
    if _is_jug(fs, root, names):
        raise StoreForeign(
            f"{root} is a jug directory: copy its results with "
            f"`taskgraph import-jug JUGFILE --from {root}`, and give the store another place"
        )
    # Another process may be founding right now: some of the folders may be there already.
    if "segments" not in names and not {*FOLDERS, "bell"}.issuperset(names):
        raise StoreForeign(
            f"a new store needs an empty folder: give another path, {root} holds {sorted(names)[0]!r}"
        )


def _is_jug(fs: FileSystem, root: str, names: list[str]) -> bool:
    if {"tempfiles", "locks"} <= set(names) and "segments" not in names:
        return True
    for name in names:
        if _JUG_SHARD.match(name):
            with contextlib.suppress(NotADirectoryError):
                if any(_JUG_RESULT.match(inner) for inner in fs.names(f"{root}/{name}")):
                    return True
    return False


def _found(fs: FileSystem, root: str, mode: str, lease_seconds: float | None) -> Charter | None:
    _make_folders(fs, root, MODES[mode][1])
    network = on_network(root)
    links = has_links(fs, root)
    lease = LEASES[network] if lease_seconds is None else lease_seconds
    new = Charter(FORMAT, uuid.uuid4().hex, lease, network, links, mode, f"taskgraph {_version()}")
    layout = new.layout(root)
    layout.build(fs)
    text = json.dumps(asdict(new), indent=1).encode()
    temp = f"{root}/.store-{uuid.uuid4().hex}"
    if links:
        fs.write_file(temp, text, layout.file_mode)
        with contextlib.suppress(FileExistsError):  # another process was first: its charter counts
            fs.link(temp, layout.info)
        fs.discard(temp)
    else:
        with contextlib.suppress(FileExistsError):
            fs.write_file(layout.info, text, layout.file_mode)
    fs.sync_folder(root)
    return _read(fs, root)


def _read_whole(fs: FileSystem, path: str) -> bytes:
    """Read the charter; where there are no hard links, its founder may be writing it now."""
    text = fs.read_file(path)
    for _ in range(_LOOKS):
        if text.endswith(_END):
            break
        time.sleep(_PAUSE)
        text = fs.read_file(path)
    return text


def _make_folders(fs: FileSystem, root: str, mode: int) -> None:
    parent = os.path.dirname(root)  # noqa: PTH120 -- paths are strings in this package
    with contextlib.suppress(FileExistsError):
        try:
            fs.mkdir(root, mode)
        except FileNotFoundError:
            _make_folders(fs, parent, 0o777 & ~0o022)
            fs.mkdir(root, mode)


def has_links(fs: FileSystem, root: str) -> bool:
    """Try whether files in a folder can have a second name; nothing stays behind."""
    one = f"{root}/.store-{uuid.uuid4().hex}"
    fs.write_file(one, b"", 0o600)
    try:
        fs.give(one, one + "2")
    except OSError as error:
        if links_missing(error):
            return False
        raise
    finally:
        fs.discard(one)
        fs.discard(one + "2")
    return True


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("bioimage-taskgraph")
    except PackageNotFoundError:
        return "0"
