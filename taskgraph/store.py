"""The port: what the core asks of a store, and what a store promises. No IO here.

In come :class:`Record` values (a key, what it was made from, and bytes that only
``taskgraph.codecs`` understands), out go the same records. A backend never sees an
object, a task or a jugfile.

What every store promises
    * A *published* record is durable and whole, or it is not there.
    * A record is **alive** when its epoch is not below the *floor* of its key, the
      number of the last invalidate of the task or of any of its ancestors. Only the
      caller knows ancestors, so floors are arguments.
    * All readers that see the same records choose the same one: the greatest epoch, then
      the greatest digest (or, where one place serves all, the first published). A handle
      that has loaded another one may keep to it while that is alive and there, so that one
      process knows one value.
    * Nobody frees another worker's lock.
    * Opening it again, with ``create`` too, finds what is there; of several processes that
      make it at once one founds it, and all have one store.
    * A handle may be used in a forked child: it notices, and shares nothing it writes to.

What no store promises
    * A lease does not fence: after a lease was judged stale, two runs of one task may
      overlap. Correctness comes from publishing whole records under content keys;
      locks only save work.
    * Records are not ordered between workers.

Every method that touches tasks takes many keys: think in round trips.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

#: Identity of a task: 32 bytes.
Key = bytes
#: Anything with the buffer protocol; a payload is one buffer or several in a row.
Buffer = bytes | bytearray | memoryview
Payload = Buffer | Sequence[Buffer]

#: Kinds of records.
RESULT, FAILURE, DEATH = 1, 2, 3
#: Kinds of tombstones: of results (and all computed from them), of failures (by ``retry``).
KILL_RESULTS, KILL_FAILURES = 1, 2

KEY_SIZE = 32
DIGEST_SIZE = 8
#: One input in ``Record.inputs``: 8 bytes of its key, 8 bytes of its digest.
INPUT_SIZE = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """Where records come from: all that many records of one worker share."""

    function: str = ""  #: qualified name of the task's function
    fingerprint: str = ""  #: of the function's code (hex), "" when unknown
    jugfile: str = ""  #: path of the jugfile, relative to the store where possible
    host: str = ""
    worker: str = ""  #: id of the owner record
    job: str = ""  #: cluster job, e.g. "slurm:123_4"
    versions: tuple[tuple[str, str], ...] = ()  #: (package, version)
    extra: tuple[tuple[str, str], ...] = ()  #: room for later


class Record(NamedTuple):
    """One result, failure or death, as it is stored.

    ``digest`` is computed by the codecs over the payload; ``inputs`` are packed
    :data:`INPUT_SIZE` byte entries in the order of the task's dependencies.
    """

    key: Key
    kind: int
    epoch: int
    digest: bytes
    inputs: bytes
    origin: Origin
    started: float  #: seconds since 1970 on the worker's clock (information only)
    seconds: float  #: wall time of the task
    cpu: float  #: CPU seconds of the task
    peak: int  #: peak resident memory of the process in bytes, 0 when unknown
    attempt: int  #: 1 for the first
    payload: Payload

    @property
    def size(self) -> int:
        """Bytes of the payload."""
        return payload_size(self.payload)


def payload_size(payload: Payload) -> int:
    """Return the number of bytes of a payload."""
    if isinstance(payload, bytes):
        return len(payload)
    if isinstance(payload, bytearray | memoryview):
        return memoryview(payload).nbytes
    return sum(memoryview(part).nbytes for part in payload)


class Head(NamedTuple):
    """A stored record without its payload and provenance: cheap to get in bulk."""

    key: Key
    epoch: int
    digest: bytes
    size: int  #: bytes of the payload
    seconds: float
    started: float
    origin: Origin


class Tombstones(NamedTuple):
    """All invalidates known, without a gap, up to number ``epoch``."""

    epoch: int
    results: Mapping[Key, int]  #: root key -> greatest number
    failures: Mapping[Key, int]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a worker is, as far as others need to judge whether it lives."""

    host: str
    boot: str  #: boot id and pid namespace of the host
    pid: int
    birth: str  #: start time of the process, so that a reused pid is not mistaken
    job: str = ""
    resources: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker as others see it."""

    worker: str
    identity: Identity
    alive: bool
    silent_for: float  #: seconds since its last heartbeat
    keys: tuple[Key, ...]  #: held one by one
    buckets: tuple[int, ...] = ()  #: held wholesale: all keys whose first byte is this
    running: Key = b""  #: what it was last seen running


@dataclass(slots=True)
class Claim:
    """What one ``claim`` call got.

    ``epoch`` was read before any input is loaded: every record made under this claim
    carries it. ``keys`` are held; ``busy`` are held by a live worker; keys in neither were
    not needed (``most``).
    """

    epoch: int
    keys: list[Key]
    busy: list[Key] = field(default_factory=list)
    names: list[str] = field(default_factory=list)  #: the store's own lock names


class News(NamedTuple):
    """What a look found: keys with records seen for the first time since the last look."""

    results: Collection[Key]
    failures: Collection[Key]
    tombstones: bool  #: a new tombstone was seen


class Problem(NamedTuple):
    """One finding of ``check``."""

    what: str  #: e.g. "checksum", "dangling blob", "input of another copy"
    where: str  #: file or key
    key: Key  #: the task to recompute, b"" when no single one
    fixed: bool  #: quarantined or removed


class Finding(NamedTuple):
    """What one check of a store's surroundings saw (see :class:`Diagnosable`)."""

    check: str  #: e.g. "space"
    level: str  #: "ok", "note", "warning" or "error"
    saw: str
    remedy: str = ""  #: what to do; "" when all is well


class Usage(NamedTuple):
    """How much a store holds."""

    results: int
    bytes: int
    files: int


@runtime_checkable
class Store(Protocol):
    """A store of records, locks and tombstones. See the module's text for the promises."""

    url: str
    id: str  #: random, made with the store
    lease_seconds: float  #: an owner silent for longer is stale
    coarse_bits: int  #: 8: coarse claims lock all keys of one first byte; 0: no such thing

    # -- looking ---------------------------------------------------------------
    def refresh(self) -> News:
        """Look anew: new records and tombstones. O(1) when there is nothing new."""
        ...

    def tombstones(self) -> Tombstones:
        """Return the tombstones known since the last refresh or claim."""
        ...

    def present(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> bytearray:
        """Return 1 for each key with a live result, else 0. ``None``: all floors are 0."""
        ...

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Return the heads of the live results."""
        ...

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Return the live results, verified. A damaged one is quarantined and is ``None``."""
        ...

    def failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None = None
    ) -> list[list[Record]]:
        """Return the live failure and death records of each key, oldest first.

        Alive: epoch not below the floor and not below the key's ``KILL_FAILURES`` number.
        """
        ...

    def failed_keys(self) -> list[Key]:
        """Return all keys with any failure or death record, dead or alive."""
        ...

    def keys(self) -> list[Key]:
        """Return every key with a result, dead or alive."""
        ...

    # -- working ---------------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Create an owner record and return the worker's id."""
        ...

    def beat(self, worker: str) -> bool:
        """Renew the owner record; False when it is gone. Called by the supervisor."""
        ...

    def running(self, worker: str, key: Key) -> None:
        """Note in the owner record what the worker runs (b"": nothing); may be throttled.

        Any process may note it of one that is dead: that is no sign of life.
        """
        ...

    def leave(self, worker: str) -> None:
        """Free all of the worker's locks and remove its owner record."""
        ...

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Lock what can be locked, then read the epoch, then look for new results.

        With ``coarse`` a store may lock whole buckets (``coarse_bits``) instead of keys:
        the worker then holds exactly those of ``keys`` whose bucket it got.
        With ``most`` (not with ``coarse``) no more than so many keys are locked, in their
        order; a store may pass over keys that have a result while there are others. What was
        not needed is in neither list of the claim: a worker in a crowd names many keys to get
        one, instead of asking for one after the other. A key named twice is one key.
        The caller must ask ``present`` again after it: results may have come.
        """
        ...

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Make records durable, then visible, then wake the others, in one go.

        A store may free the lock by which the worker holds the key of a result, too.

        Raises
        ------
        StoreFull, StoreUnreachable
            Nothing, or a prefix, was published; the same call may be repeated.
        """
        ...

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Free the claim's locks: all, or those of some keys (a bucket only as a whole)."""
        ...

    def workers(self) -> list[WorkerInfo]:
        """Return every worker with an owner record, dead or alive."""
        ...

    def wait(self, seconds: float) -> bool:
        """Block until there may be news or the time is over; True when there may be."""
        ...

    # -- looking after ---------------------------------------------------------
    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Write one durable tombstone over these roots and return its number."""
        ...

    def forget(self, heads: Sequence[Head]) -> int:
        """Remove exactly these results (key, epoch, digest) for good; return how many."""
        ...

    def pack(self, progress: object = None) -> Usage:
        """Merge small files and drop what no reader can want; safe at any moment."""
        ...

    def check(self, *, fix: bool = True) -> list[Problem]:
        """Verify every checksum and cross reference; quarantine what is broken."""
        ...

    def usage(self) -> Usage:
        """Return how much the store holds."""
        ...

    def put_document(self, name: str, data: bytes) -> None:
        """Store a small named document (graph snapshots, digests of input files), whole."""
        ...

    def get_document(self, name: str) -> bytes | None:
        """Return a document, or ``None``."""
        ...

    def list_documents(self, prefix: str = "") -> list[str]:
        """Return the names of the documents that begin with ``prefix``."""
        ...

    def close(self) -> None:
        """Let go of files and connections. Locks stay: ``leave`` frees them."""
        ...


class Bounded(Protocol):
    """What a store may have besides, that does not take results of any size."""

    largest: int | None  #: bytes of the largest result; ``None``: any


def largest_result(store: Store) -> float:
    """Return the bytes of the largest result that a store takes in."""
    largest: int | None = getattr(store, "largest", None)
    return float("inf") if largest is None else largest


@runtime_checkable
class Diagnosable(Protocol):
    """What a store may offer besides, for ``taskgraph doctor``."""

    def diagnose(self) -> list[Finding]:
        """Look at what the store stands on: room, permissions, settings, clocks.

        Leaves nothing behind. What can't be looked at is a finding, not an exception.
        """
        ...
