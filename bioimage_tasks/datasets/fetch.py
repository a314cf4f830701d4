"""Downloads what a collection consists of, verifies it and unpacks it, by pooch.

Addresses with their checksums come in, files below a folder go out. A file whose checksum
nobody has published is downloaded all the same, and its SHA-256 is returned so that it can
be pinned. Nothing half or wrong is left: pooch moves a file into place once it is whole and
right, :mod:`bioimage_tasks.datasets.archives` does the same for what is unpacked, and
:mod:`bioimage_tasks.datasets.receipts` notes what is complete until all is.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bioimage_tasks.datasets import receipts
from bioimage_tasks.datasets.archives import is_archive, unpacked
from bioimage_tasks.datasets.base import content_digest
from bioimage_tasks.datasets.receipts import Receipt
from bioimage_tasks.datasets.remote import Remote

#: Told (file name, bytes so far, bytes in all or 0) while a file is downloaded.
Tell = Callable[[str, int, int], None]

#: Folder below the root that holds archives until they are unpacked.
DOWNLOADS = ".downloads"

#: Bytes that are asked for at once.
CHUNK = 1 << 18

#: Seconds without a byte after which a server counts as silent.
TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Fetched:
    """What became of one file.

    Attributes
    ----------
    name, url : str
    sha256 : str
        Of the file as downloaded.
    verified : bool
        Whether a checksum was known beforehand, and right.
    files : int
        Files that it was unpacked to; 1 for a file that is no archive.
    """

    name: str
    url: str
    sha256: str
    verified: bool
    files: int


def fetch(
    remotes: Sequence[Remote],
    root: str | os.PathLike[str],
    *,
    checksums: Mapping[str, str] | None = None,
    keep: bool = False,
    tell: Tell | None = None,
) -> list[Fetched]:
    """Download and unpack: ``fetch(Bbbc039.remotes, "data/BBBC039")``.

    Parameters
    ----------
    remotes : sequence of Remote
    root : str or path
        The collection's folder; made when missing.
    checksums : mapping of str to str, optional
        File name -> SHA-256 in hexadecimal, counts more than what the ``Remote`` says.
    keep : bool
        Whether archives stay in the folder ``.downloads`` after they are unpacked.
    tell : callable, optional
        Called with the name, the bytes so far and the bytes in all (0: unknown).

    Returns
    -------
    list of Fetched
        In the order of ``remotes``.

    Raises
    ------
    ValueError
        A checksum is wrong, an archive damaged or dangerous, or ``checksums`` names a
        file that is not among ``remotes``.
    OSError
        The root can't be written to; or the server can't be reached, refuses, or breaks
        off. What was complete stays and is not downloaded again.
    """
    pins = pinned(remotes, checksums or {})
    try:
        found = [_fetch_one(one, Path(root), pins[one.name], keep, tell) for one in remotes]
        receipts.remove(Path(root) / DOWNLOADS, [one.name for one in remotes])
    finally:
        _remove_if_empty(Path(root))
    return found


def pinned(remotes: Sequence[Remote], checksums: Mapping[str, str]) -> dict[str, str]:
    """Return file name -> checksum that it must have, "" where none is known.

    Raises
    ------
    ValueError
        ``checksums`` names another file, or is no SHA-256.
    """
    pins = {one.name: one.checksum for one in remotes}
    for name, digest in checksums.items():
        if name not in pins:
            raise ValueError(
                f"fetch: a checksum must belong to a file of the collection, which has "
                f"{', '.join(pins)}; got one for {name!r}"
            )
        digest = digest.lower().removeprefix("sha256:")
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ValueError(
                f"fetch: a SHA-256 must have 64 hexadecimal digits; got {digest!r} for {name}"
            )
        pins[name] = f"sha256:{digest}"
    return pins


def _fetch_one(one: Remote, root: Path, pin: str, keep: bool, tell: Tell | None) -> Fetched:
    place, folder = root / one.into, root / DOWNLOADS
    if not is_archive(one.name):
        saved = _download(one, place, pin, tell)
        return Fetched(one.name, one.url, content_digest(saved), bool(pin), 1)
    done = None if keep else receipts.read(folder, one.name)
    if done is None or not done.serves(one.url, pin, place):
        done = _fetch_archive(one, place, folder, pin, tell)
        if not keep:
            receipts.write(folder, one.name, done)
            (folder / one.name).unlink(missing_ok=True)
    return Fetched(one.name, one.url, done.sha256, bool(pin), len(done.names))


def _fetch_archive(one: Remote, place: Path, folder: Path, pin: str, tell: Tell | None) -> Receipt:
    saved = _download(one, folder, pin, tell)
    try:
        names = unpacked(saved, place, strip=one.strip)
    except ValueError:
        saved.unlink(missing_ok=True)  # kept, it would be found whole by every further try
        _remove_if_empty(folder)
        raise
    return Receipt(one.url, content_digest(saved), pin, names)


def _download(one: Remote, folder: Path, pin: str, tell: Tell | None) -> Path:
    import pooch
    from requests.exceptions import RequestException

    progress = _Progress(one.name, tell) if tell else False
    downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=CHUNK, timeout=TIMEOUT)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as trouble:
        raise OSError(
            f"fetch: the collection's folder must be one that can be written to; got {trouble}"
        ) from trouble
    try:
        with _quiet(pooch.get_logger()):
            return Path(pooch.retrieve(one.url, pin or None, one.name, folder, None, downloader))
    except RequestException as trouble:
        raise OSError(
            f"fetch: the server must answer and send the whole file; try again, what is "
            f"complete is not downloaded twice; got {trouble} from {one.url}"
        ) from trouble
    except ValueError as trouble:
        raise ValueError(
            f"fetch: the file must have the checksum {pin}; it is damaged or another version, "
            f"and was not kept; got {_digest_in(trouble)} from {one.url}"
        ) from trouble
    finally:
        _remove_if_empty(folder)


def _digest_in(trouble: ValueError) -> str:
    """Return the checksum that pooch found, out of what it says; else all it says."""
    found = re.search(r"but got (\w+)", str(trouble))
    return found[1] if found else str(trouble)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):  # it is not empty, or another fetch removed it just now
        folder.rmdir()


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch's remarks to itself: what it says is returned."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


class _Progress:
    """What pooch calls while it downloads; passes it on."""

    def __init__(self, name: str, tell: Tell) -> None:
        self.total: int = 0
        self._name, self._tell, self._done = name, tell, 0

    def update(self, size: int) -> None:
        self._done += size
        self._tell(self._name, min(self._done, self.total or self._done), self.total)

    def reset(self, *_: Any) -> None:
        self._done = 0

    def close(self) -> None:
        pass
