"""The contract of locks: one holder while it lives, the next when it is silent.

Workers enter, claim, beat, fall silent and leave. Nothing here publishes more than it
must: locks only save work, and what they do not promise is not tested.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from taskgraph.errors import StoreError
from taskgraph.store import Claim, Store
from taskgraph.testing.contract.base import STEPS, ContractBase
from taskgraph.testing.records import make_identity, make_key, make_record

#: Three keys of one bucket, one of another.
K1, K2, K3 = (make_key(n, bucket=0x3F) for n in range(3))
FAR = make_key(9, bucket=0x40)


class LockContract(ContractBase):
    """Claims, releases, heartbeats, takeovers; two granularities."""

    def pair(self, tmp_path: Path) -> tuple[Store, str, Store, str]:
        """Return two handles of one store with a worker each."""
        store = self.open(tmp_path)
        other = self.other(store)
        return store, self.worker(store), other, self.worker(other)

    def test_a_key_has_one_holder(self, tmp_path: Path) -> None:
        """What one holds is busy for the other, until it is released."""
        store, ann, other, bob = self.pair(tmp_path)
        mine = store.claim(ann, [K1, K2])
        theirs = other.claim(bob, [K2, K3])
        assert (mine.keys, mine.busy) == ([K1, K2], [])
        assert (theirs.keys, theirs.busy) == ([K3], [K2])
        store.release(ann, mine)
        assert other.claim(bob, [K1, K2]).keys == [K1, K2]

    def test_some_keys_may_be_given_back(self, tmp_path: Path) -> None:
        """A partial release frees those keys and no others."""
        store, ann, other, bob = self.pair(tmp_path)
        claim = store.claim(ann, [K1, K2, K3])
        store.release(ann, claim, [K2])
        assert outcome(other.claim(bob, [K1, K2, K3])) == ([K2], [K1, K3])
        assert set(claim.keys) == {K1, K3}

    def test_a_stranger_frees_nothing(self, tmp_path: Path) -> None:
        """Releasing with somebody else's claim leaves the holder's locks alone."""
        store, ann, other, bob = self.pair(tmp_path)
        claim = store.claim(ann, [K1])
        other.release(bob, Claim(claim.epoch, list(claim.keys), [], list(claim.names)))
        assert other.claim(bob, [K1]).busy == [K1]

    def test_claiming_again_is_no_conflict_with_oneself(self, tmp_path: Path) -> None:
        """A worker that holds a key may claim it once more."""
        store, ann, other, bob = self.pair(tmp_path)
        store.claim(ann, [K1])
        assert store.claim(ann, [K1, K2]).keys == [K1, K2]
        assert other.claim(bob, [K1]).busy == [K1]

    def test_no_more_is_locked_than_is_needed(self, tmp_path: Path) -> None:
        """Of many keys the first free ones are locked; the others stay as they are."""
        store, ann, other, bob = self.pair(tmp_path)
        mine = store.claim(ann, [K1, K2, K3, FAR], most=1)
        assert outcome(mine) == ([K1], [])
        theirs = other.claim(bob, [K1, K2, K3, FAR], most=2)
        assert outcome(theirs) == ([K2, K3], [K1])
        again = store.claim(ann, [K1, K2, FAR], most=2)
        assert outcome(again) == ([K1, FAR], [K2]), "what is one's own counts"
        assert outcome(other.claim(bob, [K1, FAR], most=5)) == ([], [K1, FAR])

    def test_a_key_named_twice_is_one_key(self, tmp_path: Path) -> None:
        """It takes no place of another one where little is needed."""
        store, ann, other, bob = self.pair(tmp_path)
        for most in (1, 2):
            mine = store.claim(ann, [K1, K1, K1, K2, K2], most=most)
            assert (set(mine.keys), mine.busy) == ({K1, K2} if most == 2 else {K1}, [])
        theirs = other.claim(bob, [K1, K1, K3, K3], most=1)
        assert (set(theirs.keys), set(theirs.busy)) == ({K3}, {K1})

    def test_a_key_with_a_result_can_be_locked_where_little_is_needed(self, tmp_path: Path) -> None:
        """A store may pass over it while there are others, but an invalidate asks for it."""
        store, ann, other, bob = self.pair(tmp_path)
        store.publish(ann, [make_record(K1)])
        assert len(other.claim(bob, [K1, K2], most=1).keys) == 1
        other.leave(bob)
        assert set(store.claim(ann, [K1, K2], most=2).keys) == {K1, K2}

    @pytest.mark.parametrize("coarse_first", [True, False])
    def test_buckets_and_keys_exclude_each_other(self, tmp_path: Path, coarse_first: bool) -> None:
        """Whoever came first with one granularity keeps out the other."""
        store, ann, other, bob = self.pair(tmp_path)
        mine = store.claim(ann, [K1, K2], coarse=coarse_first)
        assert mine.keys == [K1, K2]
        theirs = other.claim(bob, [K1, FAR], coarse=not coarse_first)
        assert outcome(theirs) == ([FAR], [K1])
        store.release(ann, mine)
        other.release(bob, theirs)
        assert other.claim(bob, [K1, K2], coarse=not coarse_first).keys == [K1, K2]

    def test_two_buckets_do_not_meet(self, tmp_path: Path) -> None:
        """Coarse claims of different buckets are both held; of one bucket, the first."""
        store, ann, other, bob = self.pair(tmp_path)
        mine = store.claim(ann, [K1], coarse=True)
        assert outcome(other.claim(bob, [K1, FAR], coarse=True)) == ([FAR], [K1])
        store.release(ann, mine)
        assert other.claim(bob, [K1], coarse=True).keys == [K1]

    def test_a_claim_knows_the_last_invalidate(self, tmp_path: Path) -> None:
        """The epoch is read after the locks are taken, and anew."""
        store, ann, other, _ = self.pair(tmp_path)
        assert store.claim(ann, [K1]).epoch == 0
        number = other.invalidate([FAR])
        assert store.claim(ann, [K2]).epoch == number

    def test_leaving_frees_everything(self, tmp_path: Path) -> None:
        """Locks and owner record go; a left worker can't claim, its beat says so."""
        store, ann, other, bob = self.pair(tmp_path)
        claim = store.claim(ann, [K1, K2])
        store.claim(ann, [FAR], coarse=True)
        assert store.beat(ann)
        store.leave(ann)
        store.release(ann, claim)
        store.running(ann, K1)
        assert [info.worker for info in other.workers()] == [bob]
        assert other.claim(bob, [K1, K2, FAR]).busy == []
        assert not store.beat(ann)
        with pytest.raises(StoreError, match="enter"):
            store.claim(ann, [K3])

    def test_another_process_may_beat_and_bury(self, tmp_path: Path) -> None:
        """A supervisor beats for a worker, and leaves for it when it died."""
        store, ann, other, bob = self.pair(tmp_path)
        store.claim(ann, [K1])
        assert other.beat(ann)
        other.leave(ann)
        assert not other.beat(ann)
        assert other.claim(bob, [K1]).keys == [K1]

    def test_workers_tell_who_they_are(self, tmp_path: Path) -> None:
        """Identity, held keys and buckets, and what runs, as others see it."""
        store = self.open(tmp_path)
        other = self.other(store)
        identity = make_identity(77, job="slurm:1_2")
        ann = store.enter(identity)
        store.claim(ann, [K1])
        store.claim(ann, [FAR], coarse=True)
        store.running(ann, K1)
        (info,) = other.workers()
        assert (info.worker, info.identity, info.alive, info.running) == (ann, identity, True, K1)
        assert K1 in info.keys
        assert FAR in info.keys or FAR[0] in info.buckets
        store.running(ann, b"")
        assert other.workers()[0].running == b""

    # -- silence -----------------------------------------------------------------
    def test_a_silent_owner_is_taken_over_and_not_before(self, tmp_path: Path) -> None:
        """Held just under the lease time, free after it; both granularities."""
        store, ann, other, bob = self.pair(tmp_path)
        store.claim(ann, [K1])
        store.claim(ann, [FAR], coarse=True)
        self.silence((STEPS - 2) / STEPS, [other], [(other, bob)])
        assert outcome(other.claim(bob, [K1, FAR])) == ([], [K1, FAR])
        self.silence(0.5, [other], [(other, bob)])
        assert outcome(other.claim(bob, [K1, FAR])) == ([K1, FAR], [])
        assert {info.worker: info.alive for info in other.workers()}[ann] is False

    def test_a_beating_owner_keeps_its_locks(self, tmp_path: Path) -> None:
        """However long the task takes."""
        store, ann, other, bob = self.pair(tmp_path)
        store.claim(ann, [K1])
        self.silence(2.5, [other], [(store, ann), (other, bob)])
        assert other.claim(bob, [K1]).busy == [K1]

    def test_what_others_note_of_the_dead_is_no_sign_of_life(self, tmp_path: Path) -> None:
        """An invalidate clears what they ran: who died stays dead."""
        store, ann, other, bob = self.pair(tmp_path)
        store.running(ann, K1)
        self.silence(1.5, [other], [(other, bob)])
        self.other(store).running(ann, b"")
        (info,) = (info for info in other.workers() if info.worker == ann)
        assert (info.running, info.alive) == (b"", False)
        assert info.silent_for >= store.lease_seconds

    def test_an_overtaken_owner_disturbs_nobody(self, tmp_path: Path) -> None:
        """It may publish, its release frees no foreign lock, its leaving neither."""
        store, ann, other, bob = self.pair(tmp_path)
        claim = store.claim(ann, [K1])
        self.silence(1.5, [other], [(other, bob)])
        theirs = other.claim(bob, [K1])
        assert theirs.keys == [K1]
        store.beat(ann)
        assert store.claim(ann, [K1]).busy == [K1]
        store.publish(ann, [make_record(K1, epoch=claim.epoch)])
        store.release(ann, claim)
        carl = self.worker(store)
        assert store.claim(carl, [K1]).busy == [K1]
        store.leave(ann)
        assert store.claim(carl, [K1]).busy == [K1]
        other.release(bob, theirs)
        assert store.claim(carl, [K1]).keys == [K1]

    def test_an_owner_that_comes_back_in_time_loses_nothing(self, tmp_path: Path) -> None:
        """One beat starts the silence anew."""
        store, ann, other, bob = self.pair(tmp_path)
        store.claim(ann, [K1])
        for _ in range(3):
            self.silence(0.7, [other], [(other, bob)])
            store.beat(ann)
        assert other.claim(bob, [K1]).busy == [K1]


def outcome(claim: Claim) -> tuple[list[bytes], list[bytes]]:
    """Return what a claim got and what was busy."""
    return claim.keys, claim.busy
