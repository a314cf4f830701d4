"""Where everything lies under a store's folder, and with which permissions.

Names flow in, paths flow out; only :meth:`Layout.build` touches the disk. Two processes
never write one name, and no name is used twice except a lock's, by exclusive link.

    store.json   locks/   segments/   blobs/<xx>/   invalid/   documents/   quarantine/   bell
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from backends.file_store.filesystem import FileSystem

FOLDERS = ("locks", "segments", "blobs", "invalid", "documents", "quarantine")
#: (file mode, folder mode) by the name a user gives.
MODES = {"private": (0o600, 0o700), "group": (0o660, 0o2770)}
SEALED = ".sealed"


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one store.

    Attributes
    ----------
    root : str
        Absolute path of the store's folder.
    file_mode, folder_mode : int
        Permissions of everything made in it, whatever the umask.
    links : bool
        Whether the file system has hard links (else exclusive creation stands in).
    """

    root: str
    file_mode: int = 0o600
    folder_mode: int = 0o700
    links: bool = True

    @property
    def info(self) -> str:
        """The file that makes a folder a store."""
        return f"{self.root}/store.json"

    @property
    def locks(self) -> str:
        """Folder of owner files, locks and rungs."""
        return f"{self.root}/locks"

    @property
    def segments(self) -> str:
        """Folder of the append-only files of records."""
        return f"{self.root}/segments"

    @property
    def blobs(self) -> str:
        """Folder of the folders of large payloads."""
        return f"{self.root}/blobs"

    @property
    def invalid(self) -> str:
        """Folder of tombstones."""
        return f"{self.root}/invalid"

    @property
    def documents(self) -> str:
        """Folder of named documents."""
        return f"{self.root}/documents"

    @property
    def quarantine(self) -> str:
        """Folder of notes about damaged records, and of damaged files."""
        return f"{self.root}/quarantine"

    @property
    def bell(self) -> str:
        """The file that changes whenever something is published."""
        return f"{self.root}/bell"

    def owner(self, token: str) -> str:
        """Return the path of an owner file."""
        return f"{self.root}/locks/o.{token}"

    def lock(self, name: str) -> str:
        """Return the path of a lock or rung."""
        return f"{self.root}/locks/{name}"

    def segment(self, name: str) -> str:
        """Return the path of a segment."""
        return f"{self.root}/segments/{name}"

    def blob_folder(self, key: bytes) -> str:
        """Return the folder of a key's blobs."""
        return f"{self.root}/blobs/{key[:1].hex()}"

    def blob(self, key: bytes, epoch: int, token: str) -> str:
        """Return the path of a blob; ``token`` makes it one writer's own."""
        return f"{self.root}/blobs/{key[:1].hex()}/{key.hex()}.{epoch}.{token}"

    def tombstone(self, number: int) -> str:
        """Return the path of a tombstone."""
        return f"{self.root}/invalid/{number:010d}"

    def table(self, number: int) -> str:
        """Return the path of the folded tombstones 1 to ``number``."""
        return f"{self.root}/invalid/table-{number:010d}"

    def build(self, fs: FileSystem) -> None:
        """Make the folders that are missing."""
        for folder in FOLDERS:
            try:
                fs.mkdir(f"{self.root}/{folder}", self.folder_mode)
            except FileExistsError:
                continue


def key_lock(key: bytes) -> str:
    """Return the lock name of one key."""
    return f"k.{key.hex()}"


def bucket_lock(bucket: int) -> str:
    """Return the lock name of all keys whose first byte is ``bucket``."""
    return f"b.{bucket:02x}"


def special_lock(word: str) -> str:
    """Return the lock name of a pseudo-key such as ``pack``."""
    return f"x.{word}"


def owners_in(names: Iterable[str]) -> list[str]:
    """Return the workers whose first owner file is among these names: it stands for the record."""
    return [name[2:] for name in names if name[:2] == "o." and name.count(".") == 1]


def keys_in(names: Iterable[str]) -> tuple[bytes, ...]:
    """Return the keys that these locks and rungs are of."""
    return tuple(dict.fromkeys(map(bytes.fromhex, _words(names, "k."))))


def buckets_in(names: Iterable[str]) -> tuple[int, ...]:
    """Return the buckets that these locks and rungs are of."""
    return tuple(dict.fromkeys(int(word, 16) for word in _words(names, "b.")))


def _words(names: Iterable[str], kind: str) -> list[str]:
    return [name.split(".")[1] for name in names if name[:2] == kind]
