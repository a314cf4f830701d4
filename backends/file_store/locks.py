"""Locks in one folder: taking by link, never breaking, looking again.

A worker and lock names flow in, "held" or "not held" flows out. Three kinds of names:
``k.<key>`` locks one key, ``b.<2 letters>`` all keys that begin so (a bucket), ``x.<word>``
a pseudo-key. This room knows neither results nor tombstones, and judges no process: it
asks ``owners.py``.

A lock is a hard link to its worker's owner file, so it is made whole or not at all, its
content says whose it is, and it is stale exactly when its owner is. Nobody ever removes a
name that is not its own. Who finds a stale lock links the next free *rung* beside it,
``<name>.r1``, ``.r2``, ...; and **after all links of a batch are made, looks at all other
names that exclude them**, in one fresh listing. A live owner there: the own name goes.

Why the look. W links the lock and is stopped; B finds it stale; W resumes, runs,
publishes, unlinks; B links rung 1; W links the lock again: two live leases. With the look
either W sees B's rung, or B sees W's lock: each links before it looks, so of two the
later looker sees the other.

Why no breaking. Renaming or unlinking a stale lock is done to a name, and between the
judgement and the deed the name may have come to mean a live lock: with three takers and
no pause at all, two run. ``tests/contract/test_lock_races.py`` keeps that variant.

Keys and buckets exclude each other by the same look: a key's lock looks at its bucket's
name, a bucket's at the names of all its keys. Two that meet may both step back; after a
random moment each tries once more, so that one gets through.

What this does not give: a lease does not fence. A worker that was silent for the lease
time loses its locks without being told, and goes on. And where the file system has no
hard links, exclusive creation stands in: a lock whose maker died before writing its
content names nobody and is judged by its own time of change.
"""

from __future__ import annotations

import errno
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.own import Own
from backends.file_store.ownerfile import owner_of
from backends.file_store.owners import Owners, no_record
from taskgraph.errors import StoreError

#: Two that stepped back for each other try again within this many seconds.
PAUSE = 0.01
#: So many remembered blockers, and the memory starts anew.
_BLOCKERS = 100_000
#: Beginnings of the names that this store makes in the folder of locks.
_OURS = frozenset({"o.", "k.", "b.", "x.", "t."})


class Seen(Enum):
    """What a look at a lock's file finds."""

    MINE = "mine"
    LIVE = "live"
    STALE = "stale"
    GONE = "gone"


class Locks:
    """``got = locks.take(worker, names)``; ``locks.drop(worker, names)``.

    Parameters
    ----------
    fs : FileSystem
        All calls to the disk; pause points ``judged``, ``linked``, ``looked``.
    layout : Layout
        Where things are, and whether the file system has hard links.
    owners : Owners
        Who judges workers, and keeps what this process's workers hold.
    sleep : callable
        Waits for some seconds.
    chance : callable
        A random number from 0 to 1.
    network : bool
        Whether a name may be remembered for what it meant.
    """

    def __init__(
        self,
        fs: FileSystem,
        layout: Layout,
        owners: Owners,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        network: bool = False,
    ) -> None:
        self._fs = fs
        self._layout = layout
        self._owners = owners
        self._sleep = sleep
        self._chance = chance
        self._network = network
        self._blockers: dict[str, str] = {}  #: lock name -> file of the live owner met last

    def take(self, worker: str, names: Sequence[str], most: int | None = None) -> list[bool | None]:
        """Try to lock each name, and say which the worker now holds.

        A name already held counts as held; it is not counted how often. With ``most`` the
        names are tried in their order until so many are held; ``None`` stands for the rest.

        Raises
        ------
        StoreError
            The worker has no owner record (any more).
        StoreFull, StoreUnreachable
            Nothing new is held.
        """
        if len(self._blockers) > _BLOCKERS:
            self._blockers.clear()
        wanted = dict.fromkeys(names, False)  # whether it was tried
        limit = len(wanted) if most is None else most
        with self._owners.told():
            own = self._owners.own(worker)
            self._clean_up(worker, own)
            before = self._still_held(worker, own, wanted)
            try:
                beaten = self._attempt(worker, own, wanted, before, limit)
                if beaten:
                    self._sleep(self._chance() * PAUSE)
                    beaten = self._attempt(worker, own, wanted, before, limit)
                tried = 0
                while beaten and tried < (tried := sum(wanted.values())) < len(wanted):
                    beaten = self._attempt(worker, own, wanted, before, limit)  # of the rest
            except (OSError, StoreError):
                own.sure = False  # a link whose reply was lost may be there
                self._step_back(
                    worker,
                    own,
                    [name for name in wanted if name in own.held and name not in before],
                )
                raise
        return [
            (name in own.held and name not in self._blockers) if wanted[name] else None
            for name in names
        ]

    def drop(self, worker: str, names: Sequence[str]) -> None:
        """Unlink the names that the worker linked for these locks, and no other."""
        with self._owners.told():
            held = self._owners.held(worker)
            mine = [name for name in names if name in held]
            self._owners.unlink(worker, [held[name] for name in mine])
            for name in mine:
                held.pop(name, None)

    def tidy(self) -> int:
        """Remove what workers left that are dead for two lease times; return how many names.

        Only for the holder of the ``pack`` lock. The one place where foreign names go: a
        tidier that is itself stopped for that long between its look and its unlink may
        remove a live lock, which costs one more run and no result.
        """
        with self._owners.told():
            names = [name for name in self._owners.names() if name[:2] in _OURS]
            now = self._owners.server_time()
            good: dict[str, bool] = {}
            gone = 0
            # Owner files first: an owner that comes back just now must see that it was
            # tidied away before it unlinks a name that may be another's (Owners.unlink).
            for name in sorted(names, key=lambda name: name[:2] != "o."):
                if now is not None and self._dead(name, now, good):
                    gone += self._fs.discard(self._layout.lock(name))
        return gone

    # -- one attempt -------------------------------------------------------------
    def _still_held(self, worker: str, own: Own, names: Iterable[str]) -> set[str]:
        look = Look(self._fs, self._layout, self._owners, worker)
        # With links the first one tells.
        if not (self._layout.links or self._owners.has_record(worker)):
            raise no_record(worker)
        held = {name for name in names if name in own.held}
        kept = {name for name in held if look.at(own.held[name]) is Seen.MINE}
        for name in held - kept:  # tidied away while we were taken for dead
            del own.held[name]
        return kept

    def _attempt(
        self, worker: str, own: Own, names: dict[str, bool], before: set[str], limit: int
    ) -> bool:
        """Link, look, step back; return whether a second attempt may do better."""
        look = Look(self._fs, self._layout, self._owners, worker)
        if self._network and not self._blockers.keys().isdisjoint(names):
            self._owners.names()  # else a lock that was freed is open to this client for long
        linked: dict[str, str] = {}
        for name in names:
            if len(linked) >= limit:
                break
            names[name] = True
            file = own.held.get(name) or self._climb(worker, name, look)
            if file is not None:
                linked[name] = own.held[name] = file
        if not linked:
            return False
        self._fs.point("linked")
        rivals = rivals_of(linked, self._owners.names())
        look = Look(self._fs, self._layout, self._owners, worker)  # the stale may have come back
        seen: dict[str, Seen] = {}
        beaten = [name for name in linked if self._beaten(name, rivals[name], look, seen)]
        self._step_back(worker, own, [name for name in beaten if name not in before])
        self._shut_out(beaten, names)
        self._fs.point("looked")
        return bool(beaten)

    def _shut_out(self, beaten: Sequence[str], names: Iterable[str]) -> None:
        """Remember for a whole bucket what one of its keys met: no further link is needed."""
        met = {name[2:4]: self._blockers[name] for name in beaten if name[:2] == "k."}
        for name in names if met else ():
            blocker = met.get(name[2:4], "")
            if name[:2] == "k." and blocker[:2] == "b.":
                self._blockers.setdefault(name, blocker)

    def _climb(self, worker: str, name: str, look: Look) -> str | None:
        """Link the name or its first free rung; ``None`` when a live owner is met."""
        blocker = self._blockers.get(name)
        if blocker is not None and look.at(blocker) is Seen.LIVE:
            return None
        self._blockers.pop(name, None)
        rung = 0
        file = name
        misses = 0
        while not self._link(worker, file):
            seen = look.at(file)
            if seen is Seen.MINE:
                break
            if seen is Seen.LIVE or misses > 1:
                self._blockers[name] = file
                return None
            if seen is Seen.GONE:  # just unlinked: the same name once more
                misses += 1
                continue
            self._fs.point("judged")
            rung += 1
            file = f"{name}.r{rung}"
        return file

    def _beaten(self, name: str, rivals: Iterable[str], look: Look, seen: dict[str, Seen]) -> bool:
        """Look at the other names after the links; remember the first live one."""
        for file in rivals:
            if file not in seen:
                seen[file] = look.at(file)
            if seen[file] is Seen.LIVE:
                self._blockers[name] = file
                return True
        self._blockers.pop(name, None)
        return False

    def _step_back(self, worker: str, own: Own, names: Sequence[str]) -> None:
        if names:
            files = [own.held.pop(name) for name in names]
            own.left.update(files)
            self._owners.unlink(worker, files)
            own.left.difference_update(files)

    def _clean_up(self, worker: str, own: Own) -> None:
        """Remove links that an error left: they are in nobody's books, but shut others out."""
        for file in list(own.left):
            if self._owners.holder(file) == worker:
                self._fs.discard(self._layout.lock(file))
            own.left.discard(file)

    def _link(self, worker: str, file: str) -> bool:
        path = self._layout.lock(file)
        own = self._owners.own(worker)
        try:
            if self._layout.links:
                self._fs.link(own.source, path)
            else:
                self._create(path, own.content)
        except FileExistsError:
            return False
        except FileNotFoundError as error:
            raise no_record(worker) from error
        except OSError as error:
            if error.errno != errno.EMLINK:
                own.left.add(file)  # only the reply may have been lost
                raise
            self._owners.rotate(worker)
            return self._link(worker, file)
        return True

    def _create(self, path: str, content: bytes) -> None:
        descriptor = self._fs.create(path, self._layout.file_mode)
        try:
            self._fs.append_all(descriptor, [content])
        except OSError:
            self._fs.discard(path)
            raise
        finally:
            self._fs.close(descriptor)

    def _dead(self, name: str, now: int, good: dict[str, bool]) -> bool:
        """Return whether a name's owner is dead for good; of temporary files, whether it is old."""
        worker = "" if name[:2] == "t." else self._owners.holder(name)
        if worker and worker not in good:
            good[worker] = self._owners.gone_for_good(worker, now)
        if worker and not good[worker]:
            return False
        try:
            changed = self._fs.stat(self._layout.lock(name)).st_mtime_ns
        except FileNotFoundError:
            return False
        return self._owners.old(changed, now)


class Look:
    """One attempt's looks at locks: each other worker is judged once.

    Parameters
    ----------
    fs, layout, owners : FileSystem, Layout, Owners
        As for :class:`Locks`.
    worker : str
        Who looks.
    """

    def __init__(self, fs: FileSystem, layout: Layout, owners: Owners, worker: str) -> None:
        self._fs = fs
        self._layout = layout
        self._owners = owners
        self._worker = worker
        self._stale: dict[str, bool] = {}

    def at(self, file: str) -> Seen:
        """Read a lock's content and judge the worker that it names."""
        path = self._layout.lock(file)
        try:
            worker = owner_of(self._fs.again(lambda: self._fs.read_file(path)))
        except FileNotFoundError:
            return Seen.GONE
        if worker == self._worker:
            return Seen.MINE
        if not worker:
            return Seen.STALE if self._owners.silent_file(file) else Seen.LIVE
        if worker not in self._stale:
            self._stale[worker] = self._owners.silent(worker)
        return Seen.STALE if self._stale[worker] else Seen.LIVE


def rivals_of(linked: Mapping[str, str], listing: Iterable[str]) -> dict[str, list[str]]:
    """``rivals = rivals_of({"b.3f": "b.3f"}, ["k.3f00", ...])``: files that exclude each lock.

    Parameters
    ----------
    linked : mapping
        Lock name -> the file linked for it (the name, or a rung).
    listing : iterable of str
        All files of the locks' folder.

    Returns
    -------
    dict
        Lock name -> other files of the same lock, of its bucket, of the bucket's keys.
    """
    buckets = {name[2:] for name in linked if name[:2] == "b."}
    wanted = set(linked) | {f"b.{name[2:4]}" for name in linked if name[:2] == "k."}
    same: dict[str, list[str]] = {}
    inside: dict[str, list[str]] = {}
    for file in _concerned(list(listing), wanted, buckets):
        kind, _, rest = file.partition(".")
        lock = f"{kind}.{rest.partition('.')[0]}"
        if lock in wanted:
            same.setdefault(lock, []).append(file)
        if kind == "k" and rest[:2] in buckets:
            inside.setdefault(rest[:2], []).append(file)
    return {
        name: [
            rival
            for rival in same.get(name, [])
            + _wider(name, same)
            + (inside.get(name[2:], []) if name[:2] == "b." else [])
            if rival != file
        ]
        for name, file in linked.items()
    }


def _concerned(files: list[str], wanted: set[str], buckets: set[str]) -> Iterable[str]:
    """Return the few of many files that may exclude a lock: each file costs a microsecond here."""
    concerned = wanted.intersection(files)
    concerned.update(file for file in files if ".r" in file)  # rungs are rare
    if buckets:
        concerned.update(file for file in files if file[2:4] in buckets and file[:2] == "k.")
    return sorted(concerned)


def _wider(name: str, same: Mapping[str, list[str]]) -> list[str]:
    return same.get(f"b.{name[2:4]}", []) if name[:2] == "k." else []


__all__ = ["Locks", "Look", "Seen", "rivals_of"]
