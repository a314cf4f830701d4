"""Which jugfile a stem means in a store: one document per stem.

A jugfile's path and digest flow in, lines for the user flow out. Functions are known by
the jugfile's stem, so two jugfiles of one name share results where they share a store;
that is said. A project that moved just goes on: the jugfile that the store remembers is
no longer there. Also said is that a jugfile has changed while others work by an older
version of it: each goes on with the graph it has read, which harms nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from taskgraph.errors import StoreError
from taskgraph.registry import scheme_of
from taskgraph.store import Store


def jugfile_label(jugfile: Path | None, url: str) -> str:
    """Return how results name the jugfile they come from (``Origin.jugfile``).

    Relative to the store, so that a project that moves as a whole goes on being itself;
    absolute for stores that are no folder.
    """
    if jugfile is None:
        return ""
    path = jugfile.resolve()
    folder = _folder(url)
    return path.as_posix() if folder is None else _relative(path, folder)


def moved_label(label: str, before: str, after: str) -> str:
    """Return a jugfile's label in the store ``after``, from its label in the store ``before``.

    Parameters
    ----------
    label : str
        What :func:`jugfile_label` gave there; "" stays "".
    before, after : str
        URLs of the two stores.
    """
    if not label:
        return ""
    return jugfile_label(_path_of(label, before), after)


def meet(store: Store, jugfile: Path, digest: str, *, writes: bool) -> list[str]:
    """Remember a jugfile that is about to be read; return what there is to say.

    Parameters
    ----------
    store : Store
        Where it is remembered.
    jugfile : Path
        Its path.
    digest : str
        Of its text.
    writes : bool
        ``False``: the store is only looked at.
    """
    name = f"jugfile/{jugfile.stem}"
    label = jugfile_label(jugfile, store.url)
    try:
        known = _read(store.get_document(name))
        before, version = known.get("path", label), known.get("digest", digest)
        if before != label and _is_there(before, jugfile, store.url):
            return [
                f"two jugfiles are named {jugfile.name} in this store, {before} and {label}: "
                "their functions of one name share results. Give one a store or namespace of "
                "its own (--store), or its functions a name=."
            ]
        others = sum(info.alive for info in store.workers()) if version != digest else 0
        if writes and known != {"path": label, "digest": digest}:
            store.put_document(name, json.dumps({"path": label, "digest": digest}).encode())
    except StoreError as error:
        return [f"the store can't remember which jugfile {jugfile.stem} is: {error}"]
    if not others:
        return []
    return [
        f"{jugfile.name} has changed since workers of this store read it ({others} alive now): "
        "they go on with the tasks of the version they read."
    ]


def _read(document: bytes | None) -> dict[str, str]:
    """Return what is remembered; nothing when the document is damaged."""
    try:
        known = json.loads(document or b"{}")
    except ValueError:
        return {}
    whole = isinstance(known, dict) and all(isinstance(text, str) for text in known.values())
    return known if whole else {}


def _is_there(label: str, jugfile: Path, url: str) -> bool:
    """Tell whether a label names a file that is there and is another than this jugfile."""
    path = _path_of(label, url)
    try:
        return path.is_file() and not path.samefile(jugfile)
    except OSError:  # it went meanwhile, or may not be looked at
        return False


def _path_of(label: str, url: str) -> Path:
    """Return the absolute path that a label means in a store."""
    return Path(os.path.normpath((_folder(url) or Path("/")) / label))


def _folder(url: str) -> Path | None:
    """Return the folder of a store, ``None`` when it is no folder."""
    if scheme_of(url) != "file":
        return None
    return Path(url.removeprefix("file://").removeprefix("file:")).resolve()


def _relative(path: Path, folder: Path) -> str:
    """Return ``path`` as seen from ``folder``, with ``..`` where it must be."""
    for ups, parent in enumerate((folder, *folder.parents)):
        if path.is_relative_to(parent):
            return "../" * ups + path.relative_to(parent).as_posix()
    return path.as_posix()
