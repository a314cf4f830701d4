"""Any order of calls by three workers, beside a model: a Hypothesis state machine.

Hypothesis chooses who claims, publishes, falls silent, comes back, invalidates, packs;
the store under test answers; :mod:`taskgraph.testing.model` says what it may answer.
Checked: a key has one holder among those not stale, with keys and buckets mixed; a silent
owner is taken over, and only then; a release frees its owner's locks alone; a record
whose computation began before an invalidate of its task or of an ancestor is never shown;
what is alive is the same for all readers, but for one that keeps to what it has loaded
while that is alive; what was not there before is news.

Time is a :class:`FakeClock`. It passes in steps of a tenth of the lease time, and at each
step workers that are not stopped beat and look, as they do while they wait.
"""

from __future__ import annotations

from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from taskgraph.store import FAILURE, KILL_FAILURES, KILL_RESULTS, Claim, Key, Store, WorkerInfo
from taskgraph.testing.clock import FakeClock
from taskgraph.testing.model import ANCESTORS, Copy, Hand, Member, Model
from taskgraph.testing.records import digest_of, make_identity, make_record, payload_bytes

KEYS = list(ANCESTORS)
STEP = 0.1  #: of the lease time
WHO = st.integers(0, 2)
KEY = st.sampled_from(KEYS)


class LeaseMachine(RuleBasedStateMachine):
    """Subclass, give :meth:`make_store` and :meth:`other_handle`, and run ``.TestCase``."""

    first_stays: ClassVar[bool] = False  #: see ``ContractBase.first_stays``
    #: Publishing a result frees the lock by which its worker holds the key.
    publish_frees: ClassVar[bool] = False

    def make_store(self, clock: FakeClock) -> Store:
        """Return a new, empty store on this clock."""
        raise NotImplementedError("a machine needs make_store(self, clock)")

    def other_handle(self, store: Store) -> Store:
        """Return a second handle on the same store, on the same clock."""
        raise NotImplementedError("a machine needs other_handle(self, store)")

    # -- the run -----------------------------------------------------------------
    @initialize()
    def begin(self) -> None:
        """Open the store three times over and enter a worker on each handle."""
        self.clock = FakeClock()
        self.shown: dict[int, dict[Key, bytes | None]] = {}  #: of each handle, what it loaded
        first = self.make_store(self.clock)
        self.handles = [first, self.other_handle(first), self.other_handle(first)]
        self.reader = self.other_handle(first)
        self.model = Model(
            first.lease_seconds, 2 * STEP * first.lease_seconds, first_stays=self.first_stays
        )
        self.names = ["", "", ""]
        self.serial = 0
        self.untold: set[Key] = set()
        for who in range(3):
            self._enter(who)

    def _enter(self, who: int) -> None:
        self.names[who] = self.handles[who].enter(make_identity(who))
        self.model.members[self.names[who]] = Member()

    def _member(self, who: int) -> Member:
        return self.model.members[self.names[who]]

    # -- locks -------------------------------------------------------------------
    @rule(who=WHO, keys=st.lists(KEY, min_size=1, unique=True), coarse=st.booleans())
    def claim(self, who: int, keys: list[Key], coarse: bool) -> None:
        """Claim what the worker does not hold yet; judge what it got."""
        self._claim(who, keys, coarse)

    @rule(who=WHO, keys=st.lists(KEY, min_size=2, unique=True), most=st.integers(1, 2))
    def claim_some(self, who: int, keys: list[Key], most: int) -> None:
        """Claim a few of many."""
        self._claim(who, keys, coarse=False, most=most)

    def _claim(self, who: int, keys: list[Key], coarse: bool, most: int | None = None) -> None:
        self._rejoin(who)
        worker, member, handle = self.names[who], self._member(who), self.handles[who]
        wanted = [key for key in keys if not member.shares(key, coarse)]
        claim = handle.claim(worker, wanted, coarse=coarse, most=most)
        member.quiet = 0.0
        if most is None or len(claim.keys) < most:
            assert sorted(claim.keys + claim.busy) == sorted(wanted)
        else:
            assert len(claim.keys) == most, "more is locked than was needed"
            assert set(claim.busy) <= set(wanted) - set(claim.keys)
        for key in claim.keys:
            assert self.model.may_hold(worker, key), "two live holders of one key"
        for key in claim.busy:
            assert self.model.may_be_busy(worker, key, coarse), "a key nobody may hold is busy"
        for key in claim.keys:
            self.model.hold(worker, key, coarse)
        member.hands.append(Hand(claim, coarse, self.model.invalidates))
        self._compare(handle, claim.keys)

    @rule(who=WHO, which=st.integers(0, 9), part=st.booleans())
    def release(self, who: int, which: int, part: bool) -> None:
        """Give back a claim, or its first key."""
        member = self._member(who)
        if not member.hands:
            return
        hand = member.hands[which % len(member.hands)]
        gone = list(hand.claim.keys)
        member.quiet = 0.0
        if part and not hand.coarse and len(gone) > 1:
            gone = gone[:1]
            self.handles[who].release(self.names[who], hand.claim, gone)
        else:
            member.hands.remove(hand)
            self.handles[who].release(self.names[who], hand.claim)
        self.model.free(self.names[who], gone)

    @rule(who=WHO, whose=WHO, which=st.integers(0, 9))
    def release_anothers(self, who: int, whose: int, which: int) -> None:
        """Give back a claim of somebody else: nothing may come free."""
        hands = self._member(whose).hands
        if not hands or who == whose:
            return
        claim = hands[which % len(hands)].claim
        mine = {key for hand in self._member(who).hands for key in hand.claim.keys}
        theirs = [key for key in claim.keys if key not in mine]
        if theirs == claim.keys and not any(key[0] == other[0] for key in mine for other in theirs):
            copy = Claim(claim.epoch, theirs, [], list(claim.names))
            self.handles[who].release(self.names[who], copy)

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        """End a worker; another one enters in its place."""
        self._leave(who)

    def _leave(self, who: int) -> None:
        member = self.model.members.pop(self.names[who])
        for hand in member.hands:
            self.model.free(self.names[who], hand.claim.keys)
        self.handles[who].leave(self.names[who])
        self._enter(who)

    def _rejoin(self, who: int) -> None:
        """Enter anew where packing has removed the record of one silent for two lease times."""
        if (
            self._member(who).silent >= 2 * self.model.lease
            and self.names[who] not in self._listed()
        ):
            stopped = self._member(who).stopped
            self._leave(who)
            self._member(who).stopped = stopped

    def _listed(self) -> dict[str, WorkerInfo]:
        return {info.worker: info for info in self.reader.workers()}

    # -- time --------------------------------------------------------------------
    @rule(steps=st.integers(1, 13))
    def pass_time(self, steps: int) -> None:
        """Let time pass; who is not stopped beats and looks around."""
        self._pass(steps)

    def _pass(self, steps: int) -> None:
        step = STEP * self.model.lease
        for _ in range(steps):
            for who in range(3):
                if not self._member(who).stopped:
                    self._beat(who)
                self.handles[who].workers()
            self.clock.advance(step)
            for member in self.model.members.values():
                member.silent += step
                member.quiet += step
        for who in range(3):
            if not self._member(who).stopped:
                self._beat(who)

    def _beat(self, who: int) -> None:
        self._rejoin(who)
        assert self.handles[who].beat(self.names[who])
        self._member(who).silent = self._member(who).quiet = 0.0

    @rule(who=WHO)
    def stop(self, who: int) -> None:
        """Stop a worker: its heart stands still."""
        self._member(who).stopped = True

    @precondition(lambda self: any(member.stopped for member in self.model.members.values()))
    @rule(who=WHO)
    def go_on(self, who: int) -> None:
        """Let a stopped worker go on."""
        self._member(who).stopped = False
        self._beat(who)

    @rule(who=WHO, by=WHO, coarse=st.booleans(), steps=st.sampled_from([8, 13]))
    def outlast(self, who: int, by: int, coarse: bool, steps: int) -> None:
        """Stop a worker, wait until it is nearly or surely stale, and want all that it has."""
        if who != by:
            self._member(who).stopped = True
            self._pass(steps)
            self._claim(by, KEYS, coarse)

    # -- records -----------------------------------------------------------------
    @rule(who=WHO, which=st.integers(0, 9))
    def publish(self, who: int, which: int) -> None:
        """Publish a result for every key of a claim, in one batch."""
        hand = self._pick(who, which)
        if hand is None:
            return
        records = []
        fresh = [key for key in hand.claim.keys if self.model.value(key) is None]
        for key in hand.claim.keys:
            self.serial += 1
            payload = b"%d" % self.serial
            records.append(make_record(key, payload, epoch=hand.claim.epoch))
            copy = Copy(hand.began, digest_of(payload), payload)
            self.model.copies.setdefault(key, []).append(copy)
        self.handles[who].publish(self.names[who], records)
        if self.publish_frees:
            self.model.free(self.names[who], hand.claim.keys)
        self.untold.update(key for key in fresh if self.model.value(key) is not None)

    @rule(who=WHO, which=st.integers(0, 9))
    def fail(self, who: int, which: int) -> None:
        """Publish a failure of a claim's first key."""
        hand = self._pick(who, which)
        if hand is None:
            return
        key = hand.claim.keys[0]
        self.serial += 1
        record = make_record(key, b"%d" % self.serial, kind=FAILURE, epoch=hand.claim.epoch)
        self.handles[who].publish(self.names[who], [record])
        self.model.failed.setdefault(key, []).append(hand.began)

    def _pick(self, who: int, which: int) -> Hand | None:
        hands = [hand for hand in self._member(who).hands if hand.claim.keys]
        return hands[which % len(hands)] if hands else None

    @rule(who=WHO, key=KEY, results=st.booleans())
    def invalidate(self, who: int, key: Key, results: bool) -> None:
        """Invalidate a task, or its failures."""
        self.handles[who].invalidate([key], KILL_RESULTS if results else KILL_FAILURES)
        self.model.invalidate(key, results)

    @rule()
    def pack(self) -> None:
        """Pack beside everything else."""
        self.reader.pack()

    # -- what must always be true ------------------------------------------------
    @invariant()
    def readers_see_what_is_alive(self) -> None:
        """Refresh, then compare everything with the model."""
        if not hasattr(self, "reader"):
            return
        self.untold -= set(self.reader.refresh().results)
        assert not self.untold, "a key that got its result is no news"
        self._compare(self.reader, KEYS)
        floors = self._floors(self.reader, KEYS)
        found = [len(records) for records in self.reader.failures(KEYS, floors)]
        assert found == [self.model.failures(key) for key in KEYS]

    @invariant()
    def holders_hold(self) -> None:
        """Whoever holds a key is listed with it: nobody else freed it."""
        if not hasattr(self, "reader"):
            return
        infos = self._listed()
        long_dead = {w for w, m in self.model.members.items() if m.silent >= 2 * self.model.lease}
        assert set(self.model.members) - long_dead <= set(infos) <= set(self.model.members)
        for key, (worker, _) in self.model.holders.items():
            if worker not in long_dead:
                held = key in infos[worker].keys or key[0] in infos[worker].buckets
                assert held, "a lock is gone that nobody released"

    def _compare(self, handle: Store, keys: list[Key]) -> None:
        floors = self._floors(handle, keys)
        seen = [record and payload_bytes(record.payload) for record in handle.load(keys, floors)]
        kept = self.shown.setdefault(id(handle), {})
        for key, value in zip(keys, seen, strict=True):
            assert value in self.model.values(key, kept.get(key)), "not what all must see"
            kept[key] = value
        assert list(handle.present(keys, floors)) == [value is not None for value in seen]

    def _floors(self, handle: Store, keys: list[Key]) -> list[int]:
        killed = handle.tombstones().results
        return [max(killed.get(k, 0) for k in (key, *ANCESTORS[key])) for key in keys]

    def teardown(self) -> None:
        """Close all handles."""
        for handle in [
            *getattr(self, "handles", []),
            *([self.reader] if hasattr(self, "reader") else []),
        ]:
            handle.close()
