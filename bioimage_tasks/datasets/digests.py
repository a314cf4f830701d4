"""What a file's content is, as a digest: the identity behind every reference.

Paths come in, SHA-256 digests go out, remembered for as long as a file's stat stays the
same. A folder (an OME-Zarr) is one content: names and bytes of all its files, but for its
folder ``labels``, which are images of their own: new labels don't make another image. Must
not know what the bytes mean.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

#: What lies in a folder that is an image and is not of it, by the specification of OME-Zarr.
APART = "labels"
#: Inode, size, time of content, time of state; a folder has those of all its files.
_Stamp = tuple[tuple[int, int, int, int], ...]
#: Digests of files as this process last saw them: path -> (stat, digest).
_digests: dict[str, tuple[_Stamp, str]] = {}


def content_digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, read again only when its stat changes.

    Parameters
    ----------
    path : str or path
        A file, or a folder that is one image: then the digest is of the relative names
        and bytes of all files in it, but for those in its folder ``labels``.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    """
    name = os.fspath(path)
    stamp = _stamp(name)
    known = _digests.get(name)
    if known is not None and known[0] == stamp:
        return known[1]
    digest = _of_folder(name) if os.path.isdir(name) else _of_file(name)  # noqa: PTH112
    _digests[name] = (stamp, digest)
    return digest


def check_unchanged(path: str) -> None:
    """Raise ``ValueError`` when a content differs from what this process made keys of."""
    known = _digests.get(path)
    if known is not None and content_digest(path) != known[1]:
        _digests[path] = known  # a retry must fail too: its key names the old content
        raise ValueError(
            f"an input file must not change while the tasks made from it run; start again "
            f"so that they get new keys; got other content in {path}"
        )


def _stamp(name: str) -> _Stamp:
    states = [os.stat(name)]  # noqa: PTH116 - called for every task: no Path is made
    if os.path.isdir(name):  # noqa: PTH112
        states = [os.stat(inner) for inner in _files(name)]  # noqa: PTH116
    return tuple((s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in states)


def _files(folder: str) -> Iterator[str]:
    """Yield the files of a folder in a fixed order."""
    for where, folders, names in os.walk(folder):
        folders.sort()
        if where == folder and APART in folders and ".zarr" in folder.lower():
            folders.remove(APART)
        yield from (os.path.join(where, name) for name in sorted(names))  # noqa: PTH118


def _of_file(name: str) -> str:
    with open(name, "rb") as file:  # noqa: PTH123 - file_digest wants a plain file
        return hashlib.file_digest(file, "sha256").hexdigest()


def _of_folder(name: str) -> str:
    parts = hashlib.sha256(b"folder")
    for inner in _files(name):
        parts.update(os.path.relpath(inner, name).encode() + b"\0" + _of_file(inner).encode())
    return parts.hexdigest()
