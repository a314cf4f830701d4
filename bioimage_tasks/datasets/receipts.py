"""What a download has finished so far, so that one broken off goes on where it stopped.

An archive is removed once it is unpacked: the note left in its place says what came out of
it. Notes are removed when all files of a download are there. A note that can't be read, or
whose files are gone, counts as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

SUFFIX = ".done"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An archive that was fetched and unpacked.

    Attributes
    ----------
    url, sha256 : str
        Of the archive.
    pin : str
        The checksum that was required of it; "" if none.
    names : tuple of str
        Files it was unpacked to, below its folder.
    """

    url: str
    sha256: str
    pin: str
    names: tuple[str, ...]

    def serves(self, url: str, pin: str, place: Path) -> bool:
        """Tell whether the archive needs no fetching: the same one, and all its files there."""
        right = pin in ("", self.pin, f"sha256:{self.sha256}")
        return self.url == url and right and all((place / name).is_file() for name in self.names)


def write(folder: Path, name: str, receipt: Receipt) -> None:
    """Leave a note on the archive ``name``."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{name}{SUFFIX}.new"
    draft.write_text(json.dumps(asdict(receipt)), encoding="utf-8")
    draft.replace(folder / f"{name}{SUFFIX}")


def read(folder: Path, name: str) -> Receipt | None:
    """Return the note on an archive, ``None`` where there is none to be read."""
    try:
        found = json.loads((folder / f"{name}{SUFFIX}").read_text(encoding="utf-8"))
        return Receipt(found["url"], found["sha256"], found["pin"], tuple(found["names"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remove(folder: Path, names: Iterable[str]) -> None:
    """Remove the notes on archives, and the folder when nothing else is in it."""
    for name in names:
        (folder / f"{name}{SUFFIX}").unlink(missing_ok=True)
    with suppress(OSError):  # it is not empty, or another fetch removed it just now
        folder.rmdir()
