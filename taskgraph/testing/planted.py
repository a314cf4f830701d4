"""Stores with one planted fault each: what the contract and the machine must catch.

Any honest store flows in and is wrapped; out flows one that lies in exactly one way. A
checker that lets one of these pass proves nothing about the stores it passes. The faults
are ones that shipped somewhere or that a simpler protocol has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from taskgraph.store import (
    DEATH,
    KILL_RESULTS,
    Claim,
    Head,
    Key,
    News,
    Record,
    Store,
    Tombstones,
)
from taskgraph.testing.wrapper import StoreWrapper


@dataclass
class Book:
    """What the handles of one bad store remember together."""

    holders: dict[Key, tuple[str, Claim]] = field(default_factory=dict)
    epoch: int = 0


class Planted(StoreWrapper):
    """A store that keeps a book of who claimed what, and lies in a subclass.

    Parameters
    ----------
    inner : Store
        An honest store.
    book : Book, optional
        Shared by the handles of one store.
    """

    def __init__(self, inner: Store, book: Book | None = None) -> None:
        super().__init__(inner)
        self.book = Book() if book is None else book

    def handle(self, inner: Store) -> Planted:
        """Return another handle of the same bad store over another handle of the honest one."""
        return type(self)(inner, self.book)

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Claim honestly and write it down."""
        claim = self.inner.claim(worker, keys, coarse=coarse, most=most)
        self.book.holders.update((key, (worker, claim)) for key in claim.keys)
        return claim

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Release honestly and strike it out."""
        for key in list(claim.keys if keys is None else keys):
            if self.book.holders.get(key, ("",))[0] == worker:
                del self.book.holders[key]
        self.inner.release(worker, claim, keys)

    def leave(self, worker: str) -> None:
        """Leave honestly and strike out."""
        for key in [key for key, (holder, _) in self.book.holders.items() if holder == worker]:
            del self.book.holders[key]
        self.inner.leave(worker)

    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Invalidate honestly and note the number."""
        self.book.epoch = self.inner.invalidate(keys, kind, note)
        return self.book.epoch


class ReleasesAnyones(Planted):
    """Frees a key whoever holds it: a lock without a token."""

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Free the holder's lock too."""
        for key in list(claim.keys if keys is None else keys):
            holder, theirs = self.book.holders.get(key, ("", claim))
            if holder not in ("", worker):
                super().release(holder, theirs, [key])
        super().release(worker, claim, keys)


class TakesOverEarly(Planted):
    """Takes what belongs to an owner that was silent for half the lease time."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Free what is held by owners not yet stale, then claim."""
        quiet = {i.worker for i in self.inner.workers() if i.silent_for >= self.lease_seconds / 2}
        for key in keys:
            holder, theirs = self.book.holders.get(key, ("", None))
            if holder in quiet - {worker} and theirs is not None:
                super().release(holder, theirs, list(theirs.keys))
        return super().claim(worker, keys, coarse=coarse, most=most)


class NeverTakesOver(Planted):
    """Waits for the dead: a lock with no lease."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Call busy whatever was claimed and not given back."""
        held = [key for key in keys if self.book.holders.get(key, (worker,))[0] != worker]
        claim = super().claim(
            worker, [key for key in keys if key not in held], coarse=coarse, most=most
        )
        claim.busy.extend(held)
        return claim


class OverlooksBuckets(Planted):
    """Says yes to every coarse claim: two granularities that do not exclude each other."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Lock nothing for a bucket."""
        claim = super().claim(worker, [] if coarse else keys, coarse=coarse, most=most)
        if coarse:
            claim.keys.extend(keys)
        return claim


class LocksTooMuch(Planted):
    """Locks all that it can, however little is needed."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Forget how many were asked for."""
        return super().claim(worker, keys, coarse=coarse)


class CallsTheRestBusy(Planted):
    """Says of keys that were not needed that somebody holds them."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Call busy whatever was not locked."""
        claim = super().claim(worker, keys, coarse=coarse, most=most)
        claim.busy[:] = [key for key in keys if key not in claim.keys]
        return claim


class RevivesTheDead(Planted):
    """Takes every note for a sign of life."""

    def running(self, worker: str, key: Key) -> None:
        """Beat for whom something is noted of."""
        super().running(worker, key)
        self.inner.beat(worker)


class ForgetsEpoch(Planted):
    """Stamps records when they are published, not with the epoch of their claim."""

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Lift dead results over the tombstone that killed them."""
        lifted = [record._replace(epoch=max(record.epoch, self.book.epoch)) for record in records]
        super().publish(worker, lifted)


class ClaimsInThePast(Planted):
    """Reads the epoch once and never again."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Give every claim the epoch of an empty store."""
        claim = super().claim(worker, keys, coarse=coarse, most=most)
        claim.epoch = 0
        return claim


class ServesDead(Planted):
    """Does not look at floors."""

    def present(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> bytearray:
        """Forget the floors."""
        return super().present(keys)

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Forget the floors."""
        return super().heads(keys)

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Forget the floors."""
        return super().load(keys)


class HidesTombstones(Planted):
    """Counts invalidates but does not say of what."""

    def tombstones(self) -> Tombstones:
        """Name no root."""
        return Tombstones(super().tombstones().epoch, {}, {})


class KillsResultsToo(Planted):
    """Does not tell an invalidate of failures from one of results."""

    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Kill results whatever was asked."""
        return super().invalidate(keys, KILL_RESULTS, note)


class LosesARecord(Planted):
    """Drops the last record of a batch."""

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Lose one."""
        super().publish(worker, records[:-1] if len(records) > 1 else records)


class KeepsTheFirst(Planted):
    """Does not replace a result that is there, be it dead."""

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Skip keys with any result."""
        there = self.inner.present([record.key for record in records])
        super().publish(worker, [r for r, old in zip(records, there, strict=True) if not old])


class CutsPayloads(Planted):
    """Writes the first buffer of several: a short write taken for a whole one."""

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Cut."""
        super().publish(worker, [_cut(record) for record in records])


class LosesDeaths(Planted):
    """Knows results and failures, but no deaths."""

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Drop what a supervisor wrote."""
        super().publish(worker, [record for record in records if record.kind != DEATH])


class SwallowsNews(Planted):
    """Looks for news when it claims, and then has told of them already."""

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Throw the news away."""
        self.inner.refresh()
        return super().claim(worker, keys, coarse=coarse, most=most)

    def refresh(self) -> News:
        """Tell what is left."""
        return super().refresh()


def _cut(record: Record) -> Record:
    payload = record.payload
    if isinstance(payload, bytes | bytearray | memoryview):
        return record
    return record._replace(payload=bytes(payload[0]) if payload else b"")


#: Every fault in this file.
PLANTED: tuple[type[Planted], ...] = (
    ReleasesAnyones,
    TakesOverEarly,
    NeverTakesOver,
    OverlooksBuckets,
    LocksTooMuch,
    CallsTheRestBusy,
    RevivesTheDead,
    ForgetsEpoch,
    ClaimsInThePast,
    ServesDead,
    HidesTombstones,
    KillsResultsToo,
    LosesARecord,
    KeepsTheFirst,
    CutsPayloads,
    LosesDeaths,
    SwallowsNews,
)
