"""The diagnosis of a file store: what it stands on, checked one thing at a time.

A store's parts flow in, a list of :class:`~taskgraph.store.Finding` flows out. Nothing is
repaired and nothing stays behind: the two probes (a file made now, and a second name for
it) are removed at once. Records are not looked at: that is ``check``.

A check that the disk refuses is a finding itself, and the others are made. The clock is
looked at for information only: no part of the store compares two hosts' clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from backends.file_store.filesystem import FileSystem
from backends.file_store.founding import LEASES, Charter, has_links
from backends.file_store.layout import FOLDERS, SEALED, Layout
from backends.file_store.mounts import NETWORK
from backends.file_store.surroundings import Surroundings
from taskgraph.store import Finding, WorkerInfo

#: Room below which a store is in danger: part of all, bytes, inodes.
LEAST_PART, LEAST_BYTES, LEAST_INODES = 0.05, 10**9, 10_000
#: The shortest lease (seconds) that the caches of a network mount leave sound.
LEAST_NETWORK_LEASE = 120.0
#: Seconds for which the store trusts a network mount's listing to be old at most.
LISTING_AGE = 60
#: Seconds between this host's clock and the store's that are worth a word, and a warning.
CLOCK_NOTE, CLOCK_WARNING = 2.0, 60.0
#: Segments that are usual beside those of live workers, and such that slow down every start.
USUAL_SEGMENTS, MANY_SEGMENTS = 64, 1000
#: Names of temporary files begin with one of these.
DRAFTS = (".", "t.")
#: What of a group's files must be allowed, and to the group's links too.
GROUP_BITS = 0o060

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"


class Diagnosis:
    """``Diagnosis(fs, layout, charter, workers).run()``.

    Parameters
    ----------
    fs : FileSystem
        The disk.
    layout : Layout
        Where things are.
    charter : Charter
        What the store was founded with.
    workers : sequence of WorkerInfo
        Everybody with an owner record.
    around : Surroundings, optional
        The host.
    """

    def __init__(
        self,
        fs: FileSystem,
        layout: Layout,
        charter: Charter,
        workers: Sequence[WorkerInfo],
        around: Surroundings | None = None,
    ) -> None:
        self._fs = fs
        self._layout = layout
        self._charter = charter
        self._workers = workers
        self._around = Surroundings() if around is None else around

    def run(self) -> list[Finding]:
        """Make every check."""
        checks: dict[str, Callable[[], Finding]] = {
            "format": self._format,
            "permissions": self._permissions,
            "owners": self._owners,
            "umask": self._umask,
            "space": self._space,
            "inodes": self._inodes,
            "mount": self._mount,
            "lease": self._lease,
            "links": self._links,
            "link protection": self._protection,
            "clock": self._clock,
            "leftovers": self._leftovers,
            "segments": self._segments,
        }
        return [self._told(name, check) for name, check in checks.items()]

    def _told(self, name: str, check: Callable[[], Finding]) -> Finding:
        try:
            return check()
        except OSError as error:
            remedy = "check the mount and the permissions of the store's folder"
            return Finding(name, ERROR, f"this could not be looked at: {error}", remedy)

    # -- what the store says of itself -------------------------------------------
    def _format(self) -> Finding:
        charter = self._charter
        saw = f"format {charter.format}, {charter.mode}, founded by {charter.created_by}"
        return Finding("format", OK, saw)

    # -- who may what ------------------------------------------------------------
    def _folders(self) -> Iterator[str]:
        root = self._layout.root
        yield root
        for name in FOLDERS:
            yield f"{root}/{name}"
        for name in self._fs.names(self._layout.blobs):
            if not name.startswith("."):
                yield f"{self._layout.blobs}/{name}"

    def _permissions(self) -> Finding:
        wanted = self._layout.folder_mode
        wrong = [
            (path, mode)
            for path in self._folders()
            if (mode := self._fs.stat(path).st_mode & 0o7777) != wanted
        ]
        if not wrong:
            return Finding("permissions", OK, f"all folders are {wanted:04o}")
        path, mode = wrong[0]
        saw = f"{_many(wrong, 'folder')} not {wanted:04o}: {path} is {mode:04o}"
        return Finding("permissions", WARNING, saw, f"chmod {wanted:04o} {path} (its owner may)")

    def _owners(self) -> Finding:
        seen = [(path, self._fs.stat(path)) for path in self._folders()]
        root = seen[0][1]
        if self._charter.mode == "group":
            wrong = [path for path, one in seen if one.st_gid != root.st_gid]
            if wrong:
                saw = f"{_many(wrong, 'folder')} of another group than the store's: {wrong[0]}"
                return Finding("owners", WARNING, saw, f"chgrp {root.st_gid} {wrong[0]}")
            return Finding("owners", OK, f"all folders belong to group {root.st_gid}")
        user = self._around.user()
        owner = user or root.st_uid  # root may do everything: it asks for the store's owner
        wrong = [path for path, one in seen if one.st_uid != owner]
        if not wrong:
            return Finding("owners", OK, f"all folders belong to user {owner}")
        uid = next(one.st_uid for path, one in seen if path == wrong[0])
        saw = (
            f"{_many(wrong, 'folder')} of a private store not user {owner}'s: {wrong[0]} is {uid}'s"
        )
        remedy = f"chown -R {owner} {self._layout.root}, or `taskgraph migrate` to a group store"
        return Finding("owners", WARNING, saw, remedy)

    def _umask(self) -> Finding:
        mask = self._around.umask()
        if self._charter.mode != "group" or not mask & 0o070:
            return Finding("umask", OK, f"{mask:04o}")
        saw = f"{mask:04o}: the group can't use what tasks write beside this group store"
        remedy = "umask 0007 in the workers' shell (files of the store have their own modes)"
        return Finding("umask", NOTE, saw, remedy)

    # -- room --------------------------------------------------------------------
    def _space(self) -> Finding:
        room = self._around.room(self._layout.root)
        part = room.bytes / room.total_bytes if room.total_bytes else 1.0
        saw = f"{room.bytes / 1e9:,.1f} GB free, {100 * part:.0f} %"
        if part >= LEAST_PART and room.bytes >= LEAST_BYTES:
            return Finding("space", OK, saw)
        remedy = "`taskgraph cleanup` and `pack`, or free some space or raise the quota"
        return Finding("space", WARNING, saw, remedy)

    def _inodes(self) -> Finding:
        room = self._around.room(self._layout.root)
        if not room.total_inodes:
            return Finding("inodes", OK, "not counted by this file system")
        saw = f"{room.inodes:,} files can be made"
        if room.inodes >= LEAST_INODES:
            return Finding("inodes", OK, saw)
        remedy = "`taskgraph pack` merges files; remove others, or raise the quota of files"
        return Finding("inodes", WARNING, saw, remedy)

    # -- the mount ---------------------------------------------------------------
    def _mount(self) -> Finding:
        mount = self._around.mount(self._layout.root)
        if mount is None:
            return Finding("mount", OK, "this system has no table of mounts")
        saw = f"{mount.kind} at {mount.point}"
        trouble = _mount_trouble(mount.options, network=mount.kind in NETWORK)
        if trouble:
            option, why, remedy = trouble
            return Finding("mount", WARNING, f"{saw}, mounted with {option}: {why}", remedy)
        return Finding("mount", OK, saw)

    def _lease(self) -> Finding:
        lease = self._charter.lease_seconds
        mount = self._around.mount(self._layout.root)
        kind = mount.kind if mount is not None else ""
        saw = f"{lease:g} s" + (f" on {kind}" if kind else "")
        if kind not in NETWORK:
            return Finding("lease", OK, saw)
        remedy = f"`taskgraph migrate` to a store founded on this mount: it gets {LEASES[1]:g} s"
        if lease < LEAST_NETWORK_LEASE:
            saw += ", less than old caches of a network mount may hide of a living worker"
            return Finding("lease", WARNING, saw, remedy)
        if not self._charter.network:
            saw += ", where the store was founded for a local disk and trusts its listings"
            return Finding("lease", WARNING, saw, remedy)
        return Finding("lease", OK, saw)

    def _links(self) -> Finding:
        found, recorded = has_links(self._fs, self._layout.root), self._charter.links
        words = {True: "hard links", False: "no hard links"}
        if found == recorded:
            return Finding("links", OK, words[found])
        saw = f"the disk has {words[found]}, and the store was founded with {words[recorded]}"
        if found:
            remedy = "nothing must be done; `taskgraph migrate` to a new store here is faster"
            return Finding("links", NOTE, saw, remedy)
        remedy = "bring the store back to a disk with hard links, and `taskgraph migrate` it here"
        return Finding("links", ERROR, saw, remedy)

    def _protection(self) -> Finding:
        if self._charter.mode != "group":
            return Finding("link protection", OK, "only matters to a group store")
        shut = []
        for folder in (self._layout.locks, self._layout.segments):
            for name in self._fs.names(folder):
                try:
                    mode = self._fs.stat(f"{folder}/{name}").st_mode
                except FileNotFoundError:
                    continue
                if mode & GROUP_BITS != GROUP_BITS:
                    shut.append(f"{folder}/{name}")
        if not shut:
            return Finding("link protection", OK, "the group may read and write all files")
        saw = f"{_many(shut, 'file')} that the group may not read and write: {shut[0]}"
        if self._around.protected_links():
            saw += " (fs.protected_hardlinks = 1: others can't link to it either)"
        remedy = f"chmod g+rw {shut[0]} (its owner may)"
        return Finding("link protection", WARNING, saw, remedy)

    # -- what lies about ---------------------------------------------------------
    def _clock(self) -> Finding:
        before = self._around.clock()
        store = self._fs.server_time(self._layout.root) / 1e9
        after = self._around.clock()
        # The disk's answer lies between the two looks; kernels stamp a tick (10 ms) late.
        apart = 0.0 if before - 0.01 <= store <= after else store - (before + after) / 2
        saw = f"{abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} this host's"
        if abs(apart) <= CLOCK_NOTE:
            return Finding("clock", OK, "the store's agrees with this host's")
        level = WARNING if abs(apart) > CLOCK_WARNING else NOTE
        remedy = "let both keep time by NTP: ages in `status` are off, results are not in danger"
        return Finding("clock", level, f"the store's is {saw}", remedy)

    def _leftovers(self) -> Finding:
        drafts = self._drafts()
        dead = [info for info in self._workers if not info.alive]
        if not drafts and not dead:
            return Finding("leftovers", OK, "none")
        saw = f"{_many(dead, 'worker')} died at work, {_many(drafts, 'temporary file')}"
        remedy = "`taskgraph pack` tidies the workers' files"
        others = [path for path in drafts if not path.startswith(self._layout.locks)]
        if others:
            remedy += f"; remove the temporary ones, such as {others[0]}"
        return Finding("leftovers", NOTE, saw, remedy)

    def _drafts(self) -> list[str]:
        now = self._fs.server_time(self._layout.locks)
        grace = 2 * self._charter.lease_seconds
        found = []
        for folder in (self._layout.root, *(f"{self._layout.root}/{name}" for name in FOLDERS)):
            for name in self._fs.names(folder):
                path = f"{folder}/{name}"
                if name.startswith(DRAFTS) and self._older(path, grace, now):
                    found.append(path)
        return found

    def _older(self, path: str, grace: float, now: int) -> bool:
        try:
            return self._fs.older(path, grace, now)
        except FileNotFoundError:
            return False

    def _segments(self) -> Finding:
        names = self._fs.names(self._layout.segments)
        count = sum(not name.endswith(SEALED) and name[0] != "." for name in names)
        usual = USUAL_SEGMENTS + sum(info.alive for info in self._workers)
        if count <= usual:
            return Finding("segments", OK, f"{count:,}")
        level = WARNING if count > MANY_SEGMENTS else NOTE
        saw = f"{count:,}, of which each start reads every one"
        return Finding("segments", level, saw, "`taskgraph pack`")


def _mount_trouble(options: Sequence[str], network: bool) -> tuple[str, str, str] | None:
    """Return an option that a store can't live with, why, and what to do."""
    values = dict(option.partition("=")[::2] for option in options)
    if "ro" in values:
        return "ro", "nothing can be written", "mount it rw, or give workers another --store"
    if not network:
        return None
    if "nocto" in values:
        why = "an opened file may show what it held long ago"
        return "nocto", why, "mount it with cto, the default"
    if "soft" in values:
        why = "a slow server makes writes fail"
        return "soft", why, "mount it with hard, the default"
    for name in ("acdirmax", "actimeo"):
        age = values.get(name, "")
        if age.isdigit() and int(age) > LISTING_AGE:
            why = f"listings may be older than the {LISTING_AGE} s that the store allows for"
            return f"{name}={age}", why, f"mount it with {name}={LISTING_AGE} or less"
    return None


def _many(things: Sequence[object], word: str) -> str:
    return f"{len(things):,} {word}{'' if len(things) == 1 else 's'}"
