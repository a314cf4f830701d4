"""One client of a simulated network mount: a mix-in for a store's file-system object.

The calls of a store's file-system object flow in; what a Linux NFS client would answer
flows out, from its caches or from the :class:`~taskgraph.testing.nfsserver.NfsServer`
that all clients share. No disk is touched and nothing waits: time is an injected clock.

What such a client answers, and where it lies
    * Attributes and names are remembered for ``lag`` seconds (``acregmax``, ``acdirmax``),
      names that were missing too. :meth:`stat` and the size of an open file come from
      there; another client's changes are not seen.
    * Close-to-open: ``open`` asks for the file's attributes anew, and listing a folder for
      the folder's. A name is *not* looked up anew by ``open`` (version 3 of the protocol):
      it means the file it meant, or nothing, until the folder is listed, or ``lag`` is over,
      or an own call on that name failed. ``close_to_open=False`` is the mount option
      ``nocto``: then these lie as well.
    * Appends lie in the client's memory until a sync or the last close. Some pages go
      early, and not in their order: others then see a hole. A host that goes down
      (:meth:`crash`) loses what was not sent.
    * A reply may get lost. The client asks again, and hears that the link exists, or that
      the file to be renamed or removed is missing (``lose="retry"``); or it gives up and
      says EIO although all was done (``lose="error"``, a soft mount).
    * A file whose last name another client has removed is stale: ESTALE for whoever has it
      open. An own open file is renamed to ``.nfs...`` instead until it is closed.

It is meaner than most mounts in one respect: an own change of a folder does not tell this
client of the changes that others made to it. It is kinder in one: a listing is a snapshot.
"""

from __future__ import annotations

import errno
import itertools
import os
import random
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from taskgraph.testing.nfsserver import Attributes, NfsServer, fault

Bytes = bytes | bytearray | memoryview

#: Seconds for which attributes and names are believed.
LAG = 60.0
PAGE = 4096
#: Descriptors begin here, so that none is mistaken for one of this process.
_FIRST = 1 << 20


@dataclass(slots=True)
class Folder:
    """A folder as a client remembers it."""

    change: int
    at: float
    names: dict[str, int | None] = field(default_factory=dict)
    listing: list[str] | None = None


@dataclass(slots=True)
class File:
    """A file as a client remembers it: attributes, pages, and bytes that were not sent."""

    attributes: Attributes
    at: float
    pages: bytes = b""
    pages_of: int = -1  #: change attribute of the pages
    unsent: list[tuple[int, bytes]] = field(default_factory=list)
    opened: int = 0
    silly: str = ""  #: the name under which a removed open file lives on

    @property
    def size(self) -> int:
        """Bytes that this client believes the file to have."""
        return max([self.attributes.size, *(at + len(data) for at, data in self.unsent)])


class NfsClient:
    """``class Disk(NfsClient, FileSystem): ...; Disk(server, clock)``.

    Parameters
    ----------
    server : NfsServer
        Shared with the other clients.
    clock : callable
        The client's own seconds, never going back.
    lag : float
        Seconds for which caches are believed.
    close_to_open : bool
        Whether ``open`` and listings ask the server.
    lose : str
        What comes of a lost reply: ``"retry"`` or ``"error"``.
    loss : float
        How often a reply gets lost, from 0 to 1.
    early : float
        How often a page goes to the server before it is synced, from 0 to 1.
    seed : int
        Of both chances.

    Attributes
    ----------
    requests, lost, holes : int
        Requests sent, replies lost, pages sent before earlier ones.
    """

    def __init__(
        self,
        server: NfsServer,
        clock: Callable[[], float],
        *,
        lag: float = LAG,
        close_to_open: bool = True,
        lose: str = "retry",
        loss: float = 0.0,
        early: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.server = server
        self.lag = lag
        self.close_to_open = close_to_open
        self.lose = lose
        self.loss = loss
        self.early = early
        self.requests = self.lost = self.holes = 0
        self._clock = clock
        self._chance = random.Random(seed)
        self._folders: dict[str, Folder] = {}
        self._files: dict[int, File] = {}
        self._open: dict[int, int] = {}
        self._next = _FIRST

    def step(self, call: str) -> None:
        """Be told of each call before it begins: a test counts, fails or interleaves here."""

    # -- what is remembered ------------------------------------------------------
    def _ask(self, number: int) -> File:
        """Ask the server for a file's attributes."""
        self.requests += 1
        return self._note(self.server.getattr(number))

    def _note(self, attributes: Attributes) -> File:
        file = self._files.get(attributes.number)
        if file is None:
            file = self._files[attributes.number] = File(attributes, self._clock())
        file.attributes, file.at = attributes, self._clock()
        return file

    def _file(self, number: int) -> File:
        file = self._files.get(number)
        if file is None or self._clock() - file.at >= self.lag:
            return self._ask(number)
        return file

    def _folder(self, path: str, anew: bool = False) -> Folder:
        known = self._folders.get(path)
        if known is not None and not anew and self._clock() - known.at < self.lag:
            return known
        self.requests += 1
        attributes = self.server.lookup(path)
        if known is None or known.change != attributes.change:
            known = self._folders[path] = Folder(attributes.change, self._clock())
        known.at = self._clock()
        return known

    def _forget(self, path: str) -> None:
        """Drop what a name meant: an own call on it failed or changed it."""
        above, _, name = path.rpartition("/")
        known = self._folders.get(above)
        if known is not None:
            known.names.pop(name, None)
            known.listing = None

    def _number(self, path: str, anew: bool = False) -> int:
        """Return the handle that a name means, as far as this client knows."""
        above, _, name = path.rpartition("/")
        folder = self._folder(above)
        if anew or name not in folder.names:
            self.requests += 1
            try:
                folder.names[name] = self._note(self.server.lookup(path)).attributes.number
            except FileNotFoundError:
                folder.names[name] = None
        number = folder.names[name]
        if number is None:
            raise fault(errno.ENOENT, path)
        return number

    def _named(self, path: str, ask: bool) -> int:
        """Return a name's handle, looked up again where the file it meant is gone."""
        number = self._number(path)
        try:
            if ask:
                self._ask(number)
            else:
                self._file(number)
        except OSError:  # stale: the kernel looks once more before it says so
            if number in self._files and not self._files[number].opened:
                del self._files[number]
            number = self._number(path, anew=True)
        return number

    # -- requests whose reply may get lost ---------------------------------------
    def _change(self, call: Callable[[], object], *paths: str) -> None:
        self.requests += 1
        for path in paths:
            self._forget(path)
        lost = self._chance.random() < self.loss
        call()
        if lost:
            self.lost += 1
            if self.lose == "error":
                raise fault(errno.EIO, f"a lost reply: {paths[-1]}")
            call()  # asked again: the answer is that of a thing done before

    def link(self, source: str, target: str) -> None:
        """Give a file a second name that must not exist."""
        self.step("link")
        self._send_all(source)
        self._change(lambda: self.server.link(source, target), target)

    def rename(self, source: str, target: str) -> None:
        """Move a name, replacing the target."""
        self.step("rename")
        self._send_all(source)
        self._change(lambda: self.server.rename(source, target), source, target)

    def unlink(self, path: str) -> None:
        """Remove a name; of a file that is open here, keep it under another one."""
        self.step("unlink")
        number = self._number(path, anew=True)
        file = self._files[number]
        if file.opened and file.attributes.links == 1 and not file.silly:
            file.silly = f"{path.rpartition('/')[0]}/.nfs{number:016x}"
            self._forget(path)
            self.server.rename(path, file.silly)
            return
        self._change(lambda: self.server.unlink(path), path)

    def mkdir(self, path: str, mode: int) -> None:
        """Make a folder."""
        self.step("mkdir")
        self._change(lambda: self.server.make(path, stat.S_IFDIR | mode), path)

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        self.step("rmdir")
        self._change(lambda: self.server.rmdir(path), path)

    # -- descriptors -------------------------------------------------------------
    def _descriptor(self, number: int) -> int:
        self._next += 1
        self._open[self._next] = number
        self._files[number].opened += 1
        return self._next

    def _of(self, descriptor: int) -> File:
        """Return the file of a descriptor, asked for anew when the memory is too old."""
        try:
            number = self._open[descriptor]
        except KeyError:
            raise fault(errno.EBADF, str(descriptor)) from None
        return self._file(number)

    def create(self, path: str, mode: int) -> int:
        """Create a file that must not exist."""
        self.step("create")
        self._forget(path)
        self.requests += 1
        return self._descriptor(
            self._note(self.server.make(path, stat.S_IFREG | mode)).attributes.number
        )

    def open(self, path: str, flags: int = os.O_RDONLY) -> int:
        """Open an existing file and ask for its attributes."""
        self.step("open")
        return self._descriptor(self._named(path, ask=self.close_to_open))

    def close(self, descriptor: int) -> None:
        """Close a descriptor; what was not sent goes to the server now."""
        self.step("close")
        number = self._open.pop(descriptor)
        file = self._files[number]
        file.opened -= 1
        if not file.opened:
            silly, file.silly = file.silly, ""
            self._send(number, file)
            if silly:
                self.server.unlink(silly)

    # -- content -----------------------------------------------------------------
    def pread(self, descriptor: int, size: int, offset: int) -> bytes:
        """Read from this client's pages."""
        self.step("pread")
        return bytes(self._content(self._of(descriptor))[offset : offset + size])

    def map(self, descriptor: int, size: int) -> memoryview:
        """Return the whole file, to be written to by the caller alone."""
        self.step("map")
        return memoryview(bytearray(self._content(self._of(descriptor))[:size]))

    def _content(self, file: File) -> bytes:
        if file.pages_of != file.attributes.change:
            self.requests += 1
            data = self.server.get(file.attributes.number).data
            file.pages = bytes(data[: file.attributes.size])
            file.pages_of = file.attributes.change
        if not file.unsent:
            return file.pages
        content = bytearray(file.pages)
        for at, piece in file.unsent:
            content.extend(bytes(max(0, at - len(content))))
            content[at : at + len(piece)] = piece
        return bytes(content)

    def append(self, descriptor: int, buffers: Sequence[Bytes]) -> int:
        """Append in this client's memory; a page may go to the server before earlier ones."""
        self.step("append")
        file = self._ask(self._open[descriptor])
        start, data = file.size, b"".join(buffers)
        cuts = [0, *range(PAGE - start % PAGE, len(data), PAGE), len(data)]
        pieces = [(start + a, data[a:b]) for a, b in itertools.pairwise(cuts) if b > a]
        file.unsent += pieces
        if pieces and self._chance.random() < self.early:
            piece = self._chance.choice(pieces)
            self.holes += piece is not file.unsent[0]
            file.unsent.remove(piece)
            self.server.write(file.attributes.number, *piece)
            self._ask(file.attributes.number)
        return len(data)

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:
        """Write in this client's memory."""
        self.step("pwrite")
        self._of(descriptor).unsent.append((offset, bytes(data)))
        return len(data)

    def datasync(self, descriptor: int) -> None:
        """Send what was not sent."""
        self.step("datasync")
        self._send(self._open[descriptor], self._files[self._open[descriptor]])

    def sync(self, descriptor: int) -> None:
        """Send what was not sent."""
        self.datasync(descriptor)

    def _send(self, number: int, file: File) -> None:
        if not file.unsent:
            return
        unsent, file.unsent = file.unsent, []  # a failed sync forgets them, as a kernel does
        for at, data in unsent:
            self.requests += 1
            self.server.write(number, at, data)
        self._ask(number)

    def _send_all(self, path: str) -> None:
        number = self._number(path, anew=True)
        self._send(number, self._files[number])

    def crash(self) -> None:
        """Lose the host: its memory, what it had not sent, its descriptors."""
        self._folders.clear()
        self._files.clear()
        self._open.clear()

    # -- looking -----------------------------------------------------------------
    def names(self, folder: str) -> list[str]:
        """List a folder; ask whether it has changed."""
        self.step("names")
        known = self._folder(folder, anew=self.close_to_open)
        if known.listing is None:
            self.requests += 1
            listed = self.server.names(self.server.lookup(folder).number)
            known.names = {**listed}
            known.listing = sorted(listed)
        return list(known.listing)

    def sync_folder(self, folder: str) -> None:
        """Do nothing: names are durable when the server answers."""
        self.step("sync_folder")

    def stat(self, path: str) -> os.stat_result:
        """Look at a name, from memory where there is one."""
        self.step("stat")
        file = self._file(self._named(path, ask=False))
        return file.attributes.result(file.size)

    def fstat(self, descriptor: int) -> os.stat_result:
        """Look at an open file, from memory where it is young enough."""
        self.step("fstat")
        file = self._of(descriptor)
        return file.attributes.result(file.size)

    def touch(self, descriptor: int, ns: int | None = None) -> None:
        """Set the times of an open file to the server's present, or to ``ns``: sent at once."""
        self.step("touch")
        number = self._open[descriptor]
        self._send(number, self._files[number])
        self.requests += 1
        self._note(self.server.touch(number, ns))
