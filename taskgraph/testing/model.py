"""What a store should be, as a few dicts: the oracle beside :class:`LeaseMachine`.

The machine tells it what was done; it says what may be seen. It shares no code with any
store, counts invalidates itself, and never looks at an epoch of the store under test.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from taskgraph.store import Claim, Key
from taskgraph.testing.records import make_key

#: Task -> its ancestors. B and D are computed from A; A, B, C share a bucket.
A, B, C = (make_key(n, bucket=0x3F) for n in range(3))
D = make_key(3, bucket=0x40)
ANCESTORS: dict[Key, tuple[Key, ...]] = {A: (), B: (A,), C: (), D: (A, B)}


@dataclass
class Copy:
    """One published record: when its computation began, and what it said."""

    began: int  #: invalidates before its claim
    digest: bytes
    payload: bytes


@dataclass
class Hand:
    """One outstanding claim of a worker."""

    claim: Claim
    coarse: bool
    began: int


@dataclass
class Member:
    """A worker as the model knows it."""

    silent: float = 0.0  #: seconds since its last beat
    quiet: float = 0.0  #: seconds since it last took or freed a lock, or beat
    stopped: bool = False
    hands: list[Hand] = field(default_factory=list)

    def reaches(self, key: Key, coarse: bool) -> bool:
        """Return whether an outstanding claim may stand in the way of a claim of ``key``."""
        return any(
            key == other or ((coarse or hand.coarse) and key[0] == other[0])
            for hand in self.hands
            for other in hand.claim.keys
        )

    def shares(self, key: Key, coarse: bool) -> bool:
        """Return whether a further claim would share a lock with an outstanding one."""
        return any(
            key == other or (coarse and hand.coarse and key[0] == other[0])
            for hand in self.hands
            for other in hand.claim.keys
        )


class Model:
    """Members, holders and copies.

    Parameters
    ----------
    lease_seconds : float
        From here on a silent member may lose its locks.
    slack : float
        From ``lease_seconds + slack`` without any sign of life on it must, when somebody
        wants them. (A store may, but need not, count locks taken and freed as signs.)
    first_stays : bool
        Of copies of one epoch the first is seen, not that with the greatest digest.
    """

    def __init__(self, lease_seconds: float, slack: float, first_stays: bool = False) -> None:
        self.lease = lease_seconds
        self.first_stays = first_stays
        self.slack = slack
        self.members: dict[str, Member] = {}
        self.holders: dict[Key, tuple[str, bool]] = {}  #: key -> (worker, by its bucket)
        self.copies: dict[Key, list[Copy]] = {}
        self.failed: dict[Key, list[int]] = {}  #: began of each failure
        self.invalidates = 0
        self.killed: dict[Key, int] = {}
        self.retried: dict[Key, int] = {}

    # -- locks -------------------------------------------------------------------
    def may_hold(self, worker: str, key: Key) -> bool:
        """Return whether nobody else holds the key and is surely not stale."""
        holder, _ = self.holders.get(key, (worker, False))
        return holder == worker or self.members[holder].silent >= self.lease

    def may_be_busy(self, worker: str, key: Key, coarse: bool) -> bool:
        """Return whether somebody not surely stale has a claim in the way."""
        return any(
            member.quiet < self.lease + self.slack and member.reaches(key, coarse)
            for name, member in self.members.items()
            if name != worker
        )

    def hold(self, worker: str, key: Key, coarse: bool) -> None:
        """Give a key to a worker, and take from the stale what stood in the way."""
        for other, (holder, wide) in list(self.holders.items()):
            overlaps = other == key or ((wide or coarse) and other[0] == key[0])
            if overlaps and holder != worker and self.members[holder].silent >= self.lease:
                del self.holders[other]
        self.holders[key] = (worker, coarse)

    def free(self, worker: str, keys: list[Key]) -> None:
        """Take keys from a worker, as far as they are its own."""
        for key in keys:
            if self.holders.get(key, ("",))[0] == worker:
                del self.holders[key]

    # -- records -----------------------------------------------------------------
    def invalidate(self, key: Key, results: bool) -> None:
        """Count an invalidate of a task, or of its failures."""
        self.invalidates += 1
        (self.killed if results else self.retried)[key] = self.invalidates

    def floor(self, key: Key) -> int:
        """Return the number of the last invalidate of a task or an ancestor."""
        return max(self.killed.get(k, 0) for k in (key, *ANCESTORS[key]))

    def value(self, key: Key) -> bytes | None:
        """Return the payload that all readers must see that have loaded no other."""
        best = max(self._alive(key), key=self._rank, default=None)
        return None if best is None else best.payload

    def values(self, key: Key, kept: bytes | None) -> set[bytes | None]:
        """Return what a reader may see: what all must, or what it has loaded, while alive."""
        return {self.value(key)} | ({kept} & {copy.payload for copy in self._alive(key)})

    def _rank(self, copy: Copy) -> tuple[int, bytes]:
        return copy.began, b"" if self.first_stays else copy.digest

    def _alive(self, key: Key) -> list[Copy]:
        return [copy for copy in self.copies.get(key, []) if copy.began >= self.floor(key)]

    def failures(self, key: Key) -> int:
        """Return how many failures of a task are alive."""
        least = max(self.floor(key), self.retried.get(key, 0))
        return sum(began >= least for began in self.failed.get(key, []))
