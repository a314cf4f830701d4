"""Unpacks zip and tar archives into a folder, and never outside of it.

An archive comes in, files below one folder go out. Names that would leave the folder,
and links, are refused before anything is written; what desktop computers leave in
archives (``__MACOSX``, ``.DS_Store``, ``Thumbs.db``) is passed over. Files are written
beside their place and moved in, so that an interruption leaves no half file.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")

_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError)

_JUNK = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    is_folder: bool
    is_file: bool


class _Opened(Protocol):
    def members(self) -> list[_Member]: ...
    def stream(self, name: str) -> IO[bytes]: ...


class _Zip:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def members(self) -> list[_Member]:
        return [
            _Member(one.filename, one.is_dir(), not stat.S_ISLNK(one.external_attr >> 16))
            for one in self._file.infolist()
        ]

    def stream(self, name: str) -> IO[bytes]:
        return self._file.open(name)


class _Tar:
    def __init__(self, file: tarfile.TarFile) -> None:
        self._file = file

    def members(self) -> list[_Member]:
        return [_Member(one.name, one.isdir(), one.isfile()) for one in self._file.getmembers()]

    def stream(self, name: str) -> IO[bytes]:
        found = self._file.extractfile(name)
        if found is None:
            raise tarfile.ReadError(f"{name} holds no data")
        return found


def is_archive(name: str) -> bool:
    """Tell whether a file's name is that of an archive that :func:`unpack` reads."""
    return name.lower().endswith(ARCHIVES)


def unpack(archive: Path, folder: Path, *, strip: int = 0) -> int:
    """Unpack an archive into a folder: ``unpack(Path("masks.zip"), Path("BBBC039"))``.

    Parameters
    ----------
    archive : pathlib.Path
        Its name ends with one of :data:`ARCHIVES`.
    folder : pathlib.Path
        Made when missing. Files that are there already are replaced.
    strip : int
        Leading folders that are cut off each name; files that have fewer are passed over.

    Returns
    -------
    int
        Files written.

    Raises
    ------
    ValueError
        The archive is damaged, or a name in it points outside the folder or is a link.
    """
    return len(unpacked(archive, folder, strip=strip))


def unpacked(archive: Path, folder: Path, *, strip: int = 0) -> tuple[str, ...]:
    """Unpack as :func:`unpack` does; return the names of the files below the folder."""
    try:
        with _opened(archive) as opened:
            targets = _targets(archive, opened.members(), strip)
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as draft:
                for name, target in targets.items():
                    _write(opened, name, Path(draft, target))
                for target in targets.values():
                    place = folder / target
                    place.parent.mkdir(parents=True, exist_ok=True)
                    Path(draft, target).replace(place)
    except (*_DAMAGE, RuntimeError, NotImplementedError) as trouble:
        raise ValueError(
            f"unpack: the archive must be whole and not encrypted; fetch it again; got {archive}: "
            f"{trouble}"
        ) from trouble
    return tuple(map(str, targets.values()))


@contextmanager
def _opened(archive: Path) -> Iterator[_Opened]:
    if archive.name.lower().endswith(".zip"):
        with zipfile.ZipFile(archive) as zipped:
            yield _Zip(zipped)
    else:
        with tarfile.open(archive) as taped:
            yield _Tar(taped)


def _targets(archive: Path, members: list[_Member], strip: int) -> dict[str, PurePosixPath]:
    """Return where each file goes, below the folder; nothing is written before all are safe."""
    targets = {}
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        if member.is_folder or _is_junk(path):
            continue
        if not _stays_inside(path) or not member.is_file:
            raise ValueError(
                f"unpack: names in an archive must be plain files below its folder; "
                f"don't use this archive; got {member.name!r} in {archive}"
            )
        if len(path.parts) > strip:
            targets[member.name] = PurePosixPath(*path.parts[strip:])
    return targets


def _stays_inside(path: PurePosixPath) -> bool:
    drive = ":" in path.parts[0] if path.parts else False
    return bool(path.parts) and not (path.is_absolute() or drive or ".." in path.parts)


def _is_junk(path: PurePosixPath) -> bool:
    return any(part in _JUNK or part.startswith("._") for part in path.parts)


def _write(opened: _Opened, name: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    with opened.stream(name) as source, place.open("wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
