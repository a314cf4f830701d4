"""Looking after: what is dead goes, what is damaged is named, what is lost is removed.

Everything here may run at any moment beside workers: each removal asks on the server, in
the same moment, whether what it removes is still what was judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from backends.redis_store import entries
from backends.redis_store.leases import Leases
from backends.redis_store.places import Places
from backends.redis_store.publishing import split_inputs
from backends.redis_store.reading import Shelf
from backends.redis_store.server import Server
from backends.redis_store.tombstones import Graveyard, durable, gather
from taskgraph.errors import ResultCorrupt
from taskgraph.store import DIGEST_SIZE, Head, Key, Problem, Usage

_PART = 5000


class Care:
    """``care.pack()``, ``care.check(fix=True)``, ``care.forget(heads)``."""

    def __init__(
        self,
        server: Server,
        shelf: Shelf,
        leases: Leases,
        places: Places,
        graveyard: Graveyard,
    ) -> None:
        self._server, self._shelf, self._leases = server, shelf, leases
        self._places, self._graveyard = places, graveyard

    def usage(self) -> Usage:
        """Return results and bytes of their payloads; files are those of a mixed store."""
        names = self._server.names
        results, size = self._server.link.pipeline(
            [("HLEN", names.heads), ("HGET", names.sizes, "bytes")]
        )
        disk = self._places.disk
        return Usage(results, int(size or 0), sum(1 for _ in disk.files()) if disk else 0)

    def forget(self, heads: Sequence[Head]) -> int:
        """Remove exactly these results."""
        names, count = self._server.names, 0
        files: list[tuple[Key, bytes]] = []
        for at in range(0, len(heads), _PART):
            part = heads[at : at + _PART]
            wanted = b"".join(h.key + h.epoch.to_bytes(8, "big") + h.digest for h in part)
            found, gone = self._server.run("forget", [names.heads, names.sizes], [wanted])
            count += found
            files += self._places.drop(gone)
        self._remove(files)
        return count

    # -- packing -----------------------------------------------------------------------
    def pack(self) -> None:
        """Drop the dead; owners silent for two lease times; payloads that no entry names."""
        names, lease = self._server.names, self._server.lease_ms
        for info in self._leases.infos():
            if not info.alive and info.silent_for * 1000 > 2 * lease:
                self._leases.leave(info.worker, lease)
        files: list[tuple[Key, bytes]] = []
        for hash_, results in ((names.tombs, "1"), (names.ftombs, "0")):
            for keys, _ in gather(self._server, hash_):
                files += self._prune(keys, results)
        for key, token, count, _ in list(self._places.litter()):
            if self._places.sweep(key, token, count):
                files.append((key, token))
        self._remove(files)

    def _remove(self, files: Sequence[tuple[Key, bytes]]) -> None:
        """Remove files once no restart can bring their entries back."""
        if files and self._places.disk is not None:
            durable(self._server, lambda text: None)
            self._places.remove_files(files)

    def _prune(self, keys: Sequence[Key], results: str) -> list[tuple[Key, bytes]]:
        names, files = self._server.names, []
        hashes = [names.heads, names.fails, names.tombs, names.ftombs, names.sizes]
        for at in range(0, len(keys), _PART):
            packed = b"".join(keys[at : at + _PART])
            files += self._places.drop(self._server.run("prune", hashes, [packed, results]))
        return files

    # -- checking ----------------------------------------------------------------------
    def check(self, fix: bool) -> list[Problem]:
        """Verify entries, payloads, failures and inputs; name litter."""
        self._graveyard.reload()
        if self._places.disk is not None:
            self._places.disk.unverify()
        problems: list[Problem] = []
        copies: dict[bytes, tuple[int, bytes]] = {}
        made: list[tuple[Key, int, bytes]] = []
        for keys in self._all(self._server.names.heads):
            found = self._shelf.raw(self._server.names.heads, keys)
            for key, data in zip(keys, found, strict=True):
                if data is None:
                    continue
                what = self._judge(key, data)
                if what:
                    problems.append(self._broken(what, key, data, fix))
                    continue
                head = entries.read_head(key, data, {})
                copies[key[:DIGEST_SIZE]] = (head.epoch, head.digest)
                made.append((key, head.epoch, entries.inputs_of(data)))
        problems += self._failures(fix)
        problems += self._inputs(copies, made)
        problems += self._litter(fix)
        return problems

    def _all(self, hash_: str) -> Iterator[list[Key]]:
        seen: set[Key] = set()
        for keys, _ in gather(self._server, hash_):
            fresh = [key for key in dict.fromkeys(keys) if key not in seen]
            seen.update(fresh)
            yield fresh

    def _judge(self, key: Key, data: bytes) -> str:
        """Return what is wrong with a result, "" if nothing is."""
        try:
            entry = entries.read(key, data)
        except ResultCorrupt:
            return "checksum"
        try:
            if self._places.load(key, entry) is not None:
                return ""
        except ResultCorrupt:
            return "checksum"
        now = self._server.link.call("HGET", self._server.names.heads, key)
        return "missing payload" if now == data else ""

    def _broken(self, what: str, key: Key, data: bytes, fix: bool) -> Problem:
        if fix:
            self._shelf.put_aside(key, data)
        return Problem(what, f"{self._server.names.heads}, {key.hex()}", key, fix)

    def _failures(self, fix: bool) -> Iterator[Problem]:
        names = self._server.names
        for keys in self._all(names.fails):
            for key, data in zip(keys, self._shelf.raw(names.fails, keys), strict=True):
                if data is not None and not _sound(key, data):
                    if fix:
                        self._shelf.put_aside(key, data, failures=True)
                    yield Problem("checksum", f"{names.fails}, {key.hex()}", key, fix)

    def _inputs(
        self, copies: dict[bytes, tuple[int, bytes]], made: Sequence[tuple[Key, int, bytes]]
    ) -> Iterator[Problem]:
        """Name results made from another copy of an input than the one that is here."""
        dead = {key[:DIGEST_SIZE]: n for key, n in self._graveyard.known.results.items()}
        for key, epoch, inputs in made:
            if epoch < dead.get(key[:DIGEST_SIZE], 0):
                continue
            for prefix, digest in split_inputs(inputs):
                newer, mine = copies.get(prefix, (epoch, digest))
                if mine != digest and newer <= epoch and epoch >= dead.get(prefix, 0):
                    where = f"{key.hex()}, input {prefix.hex()}"
                    yield Problem("input of another copy", where, key, fixed=False)
                    break

    def _litter(self, fix: bool) -> Iterator[Problem]:
        """Name payloads that no entry names and that nobody is about to name."""
        for key, token, count, name in list(self._places.litter()):
            removed = fix and self._places.sweep(key, token, count)
            if removed:
                self._remove([(key, token)])
            yield Problem("dangling payload", name, b"", bool(removed))


def _sound(key: Key, data: bytes) -> bool:
    """Tell whether all entries of a field of failures are what was written."""
    frames = entries.frames(data)
    if sum(len(frame) + 4 for frame in frames) != len(data):
        return False
    try:
        for frame in frames:
            entries.read(key, frame)
    except ResultCorrupt:
        return False
    return True
