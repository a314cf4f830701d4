"""The check: every checksum and cross reference of a store, and what to do about it.

A view flows in, a list of :class:`~taskgraph.store.Problem` flows out. It reads everything;
with ``fix`` it notes damaged rows, moves damaged files aside and sweeps litter, and
touches nothing that is sound. Rows that a living writer has not marked yet are not judged.
"""

from __future__ import annotations

from collections.abc import Iterator

from backends.file_store.blobs import token_of
from backends.file_store.blocks import BLOB, Block, Row
from backends.file_store.filesystem import FileSystem
from backends.file_store.index import ROW_BITS, ROW_MASK, Spot
from backends.file_store.layout import Layout
from backends.file_store.pack import Packer
from backends.file_store.segments import Segment
from backends.file_store.sweep import Sweep
from backends.file_store.view import View
from taskgraph.errors import ResultCorrupt
from taskgraph.store import DIGEST_SIZE, INPUT_SIZE, Key, Problem

_PREFIX = INPUT_SIZE - DIGEST_SIZE


class Check:
    """``Check(fs, layout, view, packer, sweep).run(fix, grace)``."""

    def __init__(
        self, fs: FileSystem, layout: Layout, view: View, packer: Packer, sweep: Sweep
    ) -> None:
        self._fs = fs
        self._layout = layout
        self._view = view
        self._packer = packer
        self._sweep = sweep

    def run(self, fix: bool, grace: float) -> list[Problem]:
        """Return all that is wrong.

        Parameters
        ----------
        fix : bool
            Whether to quarantine and remove.
        grace : float
            Seconds that a payload file without a row must be old to count as litter.
        """
        self._view.look()
        self._view.blobs.unverify()
        spots: list[Spot] = []
        problems = list(self._rows(spots, fix))
        problems += self._damaged_ranges(fix)
        problems += self._inputs()
        problems += self._litter(fix, grace)
        if fix and spots:
            self._view.quarantine.add(spots, "found by a check")
            self._view.reload()
        return problems

    # -- rows ------------------------------------------------------------------
    def _rows(self, spots: list[Spot], fix: bool) -> Iterator[Problem]:
        for block in list(self._view.index.blocks):
            segment = block.source
            if segment.name not in self._view.segments:
                continue
            block.hold()
            noted = self._view.quarantine.rows(segment.name, block.offset)
            for i, key in enumerate(block.keys()):
                what = "" if i in noted else self._judge(key, block, i, block.row(i), fix)
                if what:
                    spots.append((segment.name, block.offset, i))
                    where = f"{self._layout.segment(segment.name)}, offset {block.offset}, row {i}"
                    yield Problem(what, where, key, fix)

    def _judge(self, key: Key, block: Block, i: int, row: Row, fix: bool) -> str:
        if not row.flags & BLOB:
            return "checksum" if block.stored(i, row) is None else ""
        reference = block.reference(i, row)
        epoch = block.contexts[row.context][0]
        try:
            self._view.blobs.load(key, epoch, reference)
        except ResultCorrupt:
            return self._put_aside(self._layout.blob(key, epoch, reference.token.hex()), fix)
        return ""

    def _put_aside(self, path: str, fix: bool) -> str:
        try:
            self._fs.stat(path)
        except FileNotFoundError:
            return "missing blob"
        if fix:
            name = path.rpartition("/")[2]
            self._fs.move(path, f"{self._layout.quarantine}/{name}")
        return "damaged blob"

    # -- files -----------------------------------------------------------------
    def _damaged_ranges(self, fix: bool) -> list[Problem]:
        problems = []
        damaged = []
        for name in sorted(self._view.names() - self._view.superseded):
            segment = Segment(self._fs, self._layout, name)
            try:
                segment.scan(self._fs.stat(segment.path).st_size, finished=True)
            except FileNotFoundError:
                continue
            finally:
                segment.close()
            if segment.damage:
                damaged.append(name)
            for start, end in segment.damage:
                where = f"{segment.path}, bytes {start} to {end}"
                problems.append(Problem("damaged bytes", where, b"", fix))
        if damaged and fix:
            # What is sound is copied; the whole damaged file stays for whoever wants to look.
            self._packer.pack(damaged, self._view.graveyard.known, aside=damaged)
            self._view.look()
        return problems

    def _litter(self, fix: bool, grace: float) -> list[Problem]:
        paths = self._sweep.run(grace) if fix else self._sweep.litter(grace)
        return [Problem("dangling blob", path, _key_of(path), fix) for path in paths]

    # -- cross references ------------------------------------------------------
    def _inputs(self) -> list[Problem]:
        """Name results that were made from a copy of an input that is not the one here."""
        view = self._view
        results = view.index.for_all()
        copies = {key[:_PREFIX]: at for key, at in results.items()}
        dead = {key[:_PREFIX]: n for key, n in view.graveyard.known.results.items()}
        ranks: dict[bytes, tuple[int, bytes]] = {}
        problems = []
        for key, at in results.items():
            block, i = view.index.blocks[at >> ROW_BITS], at & ROW_MASK
            epoch = view.index.epoch(at)
            if epoch < dead.get(key[:_PREFIX], 0):
                continue
            for prefix, digest in _split(block.record(key, i, block.row(i), b"").inputs):
                other = copies.get(prefix)
                if other is None or epoch < dead.get(prefix, 0):
                    continue
                if prefix not in ranks:
                    there, j = view.index.at(other)
                    ranks[prefix] = there.rank(j)
                newer, mine = ranks[prefix]
                if mine != digest and newer <= epoch:
                    where = f"{key.hex()}, input {prefix.hex()}"
                    problems.append(Problem("input of another copy", where, key, fixed=False))
                    break
        return problems


def _split(inputs: bytes) -> Iterator[tuple[bytes, bytes]]:
    for i in range(0, len(inputs), INPUT_SIZE):
        yield inputs[i : i + _PREFIX], inputs[i + _PREFIX : i + INPUT_SIZE]


def _key_of(path: str) -> Key:
    if not token_of(path):
        return b""
    try:
        return bytes.fromhex(path.rpartition("/")[2].partition(".")[0])
    except ValueError:
        return b""
