"""Housekeeping: when to pack, what with, and in what order to tidy.

A store's parts flow in; fewer files flow out. One worker at a time by the ``pack`` lock,
which only saves work: everything here is safe with two at once, or killed anywhere.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from backends.file_store.check import Check
from backends.file_store.filesystem import FileSystem
from backends.file_store.founding import Charter
from backends.file_store.layout import SEALED, Layout, special_lock
from backends.file_store.locks import Locks
from backends.file_store.owners import Owners
from backends.file_store.pack import Exact, Packer, Progress
from backends.file_store.sweep import Sweep
from backends.file_store.view import View
from taskgraph.store import RESULT, Head, Identity, Problem, Usage

#: Finished segments beyond which they are merged.
MOST_FINISHED = 32
#: A segment of this many bytes is not worth merging with others.
BIG = 1 << 26
#: Single tombstones from which on they are folded.
FOLD_FROM = 32
#: Seconds for which another host's listing may be old.
NETWORK_PATIENCE = 60.0


class Housekeeping:
    """Everything that keeps a store small and sound."""

    def __init__(
        self,
        fs: FileSystem,
        layout: Layout,
        charter: Charter,
        view: View,
        owners: Owners,
        locks: Locks,
    ) -> None:
        self._fs = fs
        self._layout = layout
        self._view = view
        self._owners = owners
        self._locks = locks
        self._patience = NETWORK_PATIENCE if charter.network else 0.0
        self._grace = 2 * charter.lease_seconds
        self._packer = Packer(fs, layout, view.quarantine, self._patience)
        self._sweep = Sweep(fs, layout, view.blobs)

    # -- who ---------------------------------------------------------------------
    @contextmanager
    def _tidying(self, worker: str = "") -> Iterator[bool]:
        """Hold the ``pack`` lock, as a worker of its own where none is given."""
        own = worker or self._owners.enter(_here())
        name = special_lock("pack")
        try:
            held = bool(self._locks.take(own, [name])[0])
            yield held
            if held:
                self._locks.drop(own, [name])
        finally:
            if not worker:
                self._owners.leave(own)

    # -- packing -----------------------------------------------------------------
    def merge(self, worker: str, *, thorough: bool) -> None:
        """Merge small finished segments where there are many; ``worker`` writes none itself."""
        if len(self._small_of_the_gone(worker, thorough)) <= MOST_FINISHED:
            return
        with self._tidying(worker) as held:
            if not held:
                return
            self._view.look()  # another one may have merged them in the meantime
            names = self._small_of_the_gone(worker, thorough)
            if len(names) > MOST_FINISHED:
                self._packer.pack(names, self._view.graveyard.known)
                self._packer.tidy(self._copies())
                self._view.look()

    def _small_of_the_gone(self, worker: str, thorough: bool) -> list[str]:
        """Return the small segments known here whose writer is over, or is ``worker``.

        Those who left are known by one listing. The dead among the others, if ``thorough``,
        are judged one by one: too much to do for each of many workers that end together.
        """
        known = self._view.segments
        names = known if thorough else self._view.names()  # others may have merged them meanwhile
        small = [name for name in names if name not in known or known[name].size < BIG]
        if len(small) <= MOST_FINISHED:
            return []
        if thorough:
            finished = set(self._finished({worker}))
            return [name for name in small if name in finished]
        there = self._owners.recorded() - {worker}
        return [name for name in small if name.partition(".")[0] not in there]

    def pack(self, progress: Progress | None) -> Usage:
        """Merge all finished segments, fold tombstones, sweep litter."""
        with self._tidying() as held:
            if held:
                self._view.look()
                names = self._finished(set())
                if self._worthwhile(names):
                    known = self._view.graveyard.known
                    self._packer.pack(names, known, progress=progress)
                    self._view.look()
                self._packer.tidy(self._copies())
                self._view.graveyard.fold(FOLD_FROM, self._patience)
                self._sweep.run(self._grace)
                self._view.quarantine.tidy(self._view.names())
                self._locks.tidy()
                self._view.look()
        return self.usage()

    def _finished(self, leaving: Collection[str]) -> list[str]:
        judged: dict[str, bool] = dict.fromkeys(leaving, True)
        names = []
        for name, segment in self._view.segments.items():
            writer = segment.worker
            if writer not in judged:
                judged[writer] = self._owners.silent(writer)
            if judged[writer]:
                names.append(name)
        return names

    def _worthwhile(self, names: Sequence[str]) -> bool:
        if len(names) != 1 or not names[0].startswith("packed."):
            return bool(names)
        if self._view.quarantine.rows_in(names[0]):
            return True
        index, known = self._view.index, self._view.graveyard.known
        return any(
            key in index.results and index.epoch(index.results[key]) < number
            for key, number in known.results.items()
        ) or any(
            index.epoch(at) < number
            for key, number in known.failures.items()
            for at in index.failed.get(key, ())
        )

    def _copies(self) -> dict[str, str]:
        return {
            source: segment.name
            for segment in self._view.segments.values()
            for source in segment.sources
        }

    # -- cleaning ----------------------------------------------------------------
    def holding(self, heads: Sequence[Head]) -> tuple[list[str], set[Exact]]:
        """Return the segments in which these exact results lie, and those that were found."""
        self._view.look()
        wanted = {(head.key, head.epoch, head.digest) for head in heads}
        keys = {key for key, _, _ in wanted}
        names: set[str] = set()
        found: set[Exact] = set()
        for block in self._view.index.blocks:
            name = block.source.name
            if block.kind != RESULT or name not in self._view.segments:
                continue
            for i, key in enumerate(block.keys()):
                if key in keys and (exact := (key, *block.rank(i))) in wanted:
                    names.add(name)
                    found.add(exact)
        return sorted(names), found

    def forget(self, names: Sequence[str], exact: Collection[Exact]) -> int:
        """Copy these segments without those results; living writers move on to new ones."""
        with self._tidying():
            left_out = self._packer.pack(names, self._view.graveyard.known, exact).left_out
            self._packer.tidy(self._copies())
            self._sweep.run(self._grace)
        self._view.look()
        return left_out

    def check(self, fix: bool) -> list[Problem]:
        """Verify everything."""
        checker = Check(self._fs, self._layout, self._view, self._packer, self._sweep)
        return checker.run(fix, self._grace)

    def usage(self) -> Usage:
        """Return how many results, bytes and files there are."""
        paths = [
            self._layout.segment(name)
            for name in self._fs.names(self._layout.segments)
            if not name.endswith(SEALED)
        ]
        paths += self._view.blobs.paths()
        size = 0
        for path in paths:
            try:
                size += self._fs.stat(path).st_size
            except FileNotFoundError:
                continue
        return Usage(len(self._view.index.results), size, len(paths))


def _here() -> Identity:
    """Return this process's identity, for an owner record that lives as long as one command."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
        text = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
        birth = text.rpartition(")")[2].split()[19]
    except OSError:  # no process table: judged by its silence alone
        boot = namespace = birth = ""
    return Identity(socket.gethostname(), f"{boot} {namespace}", os.getpid(), birth)
