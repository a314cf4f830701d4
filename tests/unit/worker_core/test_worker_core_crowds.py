"""A worker among many: what it sets aside, for how long, and how rarely it commits."""

from __future__ import annotations

from itertools import pairwise

import pytest

from taskgraph import vigil as vigils
from taskgraph.outbox import CROWD, MOST_PATIENCE, PATIENCE, Outbox
from taskgraph.scheduler import BUSY, DONE, LATER, READY
from taskgraph.store import Identity
from taskgraph.task import TaskGenerator
from taskgraph.vigil import (
    BELIEF,
    CENSUS,
    LONGEST_BELIEF,
    LONGEST_STEP,
    LONGEST_STEP_SERVED,
    STEP,
    Vigil,
)


@TaskGenerator
def plain(x):
    return x


def company(place, count, tasks=20):
    """Return (worker, ids, handles): one that has just listed ``count`` others."""
    with place:
        for i in range(tasks):
            plain(i)
    handles = [place.store.handle() for _ in range(count)]
    names = [
        handle.enter(Identity("elsewhere", "boot", n, "birth")) for n, handle in enumerate(handles)
    ]
    worker = place.worker()
    worker.vigil._listing()
    return worker, names, handles


def crowd(place, count, tasks=20):
    """Return (vigil, scheduler, ids, handles) of a worker among ``count`` others."""
    worker, names, handles = company(place, count, tasks)
    return worker.vigil, worker.scheduler, names, handles


def state_of(scheduler, state):
    return {node for node, found in enumerate(scheduler.state) if found == state}


# -- what a claim found busy ------------------------------------------------------------------
def test_what_a_claim_found_busy_is_not_freed_by_an_older_list(place):
    """The list was made before that other worker took it."""
    vigil, scheduler, _, _ = crowd(place, 3)
    vigil.refused([4])
    vigil._free_busy()
    assert state_of(scheduler, BUSY) == {4}
    place.clock.advance(4 * BELIEF + 0.01)
    vigil._listing()
    vigil._free_busy()
    assert state_of(scheduler, BUSY) == set(), "a newer list says that nobody holds it"


def test_without_that_memory_it_would_be_asked_for_again_at_once(place, monkeypatch):
    monkeypatch.setattr(Vigil, "refused", lambda self, nodes: self.scheduler.put(nodes, BUSY))
    with pytest.raises(AssertionError):
        test_what_a_claim_found_busy_is_not_freed_by_an_older_list(place)


def test_a_list_is_believed_the_longer_the_more_there_are(place):
    vigil, _, _, _ = crowd(place, 9)
    listed = []
    honest = place.store.workers
    place.store.workers = lambda: listed.append(place.clock()) or honest()
    for _ in range(100):
        vigil._listing()
        place.clock.advance(0.05)
    gaps = [after - before for before, after in pairwise(listed)]
    assert min(gaps) >= 10 * BELIEF
    assert max(gaps) <= min(LONGEST_BELIEF, 10 * BELIEF) + 0.06


# -- standing back ----------------------------------------------------------------------------
def test_after_a_claim_for_nothing_all_that_others_hold_is_set_aside(place):
    """Keys one by one, and every ready task of a bucket that is held."""
    vigil, scheduler, (ann, bob), (hers, his) = crowd(place, 2)
    keys = scheduler.keys
    hers.claim(ann, [keys[0], keys[1]])
    his.claim(bob, [keys[5]], coarse=True)
    held = {0, 1} | {node for node, key in enumerate(keys) if key[0] == keys[5][0]}
    place.clock.advance(1.0)
    vigil.stand_back()
    assert state_of(scheduler, BUSY) == held
    assert state_of(scheduler, READY) == set(range(20)) - held


def test_what_is_one_s_own_or_of_the_dead_is_not_set_aside(place):
    vigil, scheduler, (ann,), (hers,) = crowd(place, 1)
    hers.claim(ann, [scheduler.keys[0]])
    place.store.claim(vigil.name, [scheduler.keys[3]])
    place.clock.advance(2 * place.store.lease_seconds)
    place.store.beat(vigil.name)
    vigil.stand_back()
    assert state_of(scheduler, BUSY) == set()


def test_only_what_was_ready_is_set_aside(place):
    """Who has published a result may still hold its lock; what waits here goes on waiting."""
    vigil, scheduler, (ann,), (hers,) = crowd(place, 1)
    hers.claim(ann, scheduler.keys[:3])
    scheduler.done([0])
    vigil.set_aside(2, 60.0)
    place.clock.advance(1.0)
    vigil.stand_back()
    states = (DONE, BUSY, LATER)
    assert [state_of(scheduler, state) for state in states] == [{0}, {1}, {2}]


def test_of_very_many_ready_tasks_none_is_sought_by_its_bucket(place, monkeypatch):
    """To look through a million costs more than to be refused."""
    monkeypatch.setattr(vigils, "FEW", 19)
    vigil, scheduler, (ann,), (hers,) = crowd(place, 1)
    hers.claim(ann, [scheduler.keys[5]], coarse=True)
    place.clock.advance(1.0)
    vigil.stand_back()
    assert state_of(scheduler, BUSY) == set()
    monkeypatch.setattr(vigils, "FEW", 20)
    vigil.stand_back()
    assert 5 in state_of(scheduler, BUSY)


@pytest.mark.parametrize(("bits", "longest"), [(8, LONGEST_STEP), (0, LONGEST_STEP_SERVED)])
def test_the_pause_grows_with_the_crowd_up_to_a_limit(place, bits, longest):
    vigil, *_ = crowd(place, 10)
    place.store.coarse_bits = bits
    assert vigil.stand_back() == pytest.approx(10 * STEP)
    for n in range(60):
        place.store.handle().enter(Identity("elsewhere", "boot", 100 + n, "birth"))
    place.clock.advance(LONGEST_BELIEF + 0.1)
    assert vigil.stand_back() == pytest.approx(longest)


def test_others_are_those_that_live(place):
    """The number by which a claim names spare tasks, and by which commits get rarer."""
    vigil, _, names, handles = crowd(place, 5)
    assert vigil.live_workers(place.clock()) == 6
    assert vigil.others == 5
    handles[0].leave(names[0])
    place.clock.advance(CENSUS + 0.1)
    vigil.live_workers(place.clock())
    assert vigil.others == 4


# -- a worker's claim -------------------------------------------------------------------------
def test_a_worker_that_got_nothing_asks_once_and_waits(place):
    """It names a spare task for each other one; the rest it learns from who holds what."""
    worker, names, handles = company(place, 2)
    scheduler, keys = worker.scheduler, worker.scheduler.keys
    for name, handle, held in zip(names, handles, (keys[:10], keys[10:]), strict=True):
        handle.claim(name, held)
    place.clock.advance(1.0)
    asked = []
    honest = place.store.claim
    place.store.claim = lambda name, keys, **options: (
        asked.append((len(keys), options["most"])) or honest(name, keys, **options)
    )
    before = place.clock()
    assert worker.lease() == []
    assert asked == [(3, 1)]
    assert place.clock() - before == pytest.approx(2 * STEP)
    assert state_of(scheduler, BUSY) == set(range(20))
    assert worker.lease() == []
    assert len(asked) == 1, "nothing seems free: there is nothing to ask for"


def test_what_it_was_refused_no_older_list_gives_back(place):
    worker, (ann, _), (hers, _) = company(place, 2)
    hers.claim(ann, worker.scheduler.keys)
    assert worker.lease() == []
    refused = state_of(worker.scheduler, BUSY)
    assert len(refused) == 3
    worker.vigil._free_busy()
    assert state_of(worker.scheduler, BUSY) == refused


def test_a_worker_tells_its_outbox_how_many_there_are(place):
    worker, *_ = company(place, 2 * CROWD - 1)
    worker.lease()
    assert worker.outbox.hold == pytest.approx(2 * PATIENCE)


# -- what is noted ----------------------------------------------------------------------------
def running_of(place, name):
    """Return what a worker is noted to run."""
    return next(info.running for info in place.store.workers() if info.worker == name)


def test_who_rests_is_noted_to_run_nothing(place):
    """Else its death would be laid on the task that it has long finished."""
    worker, (ann,), (hers,) = company(place, 1, tasks=2)
    hers.claim(ann, worker.scheduler.keys[1:])
    seen = []

    def rested():
        seen.append(running_of(place, worker.name))
        hers.leave(ann)

    place.store.on_rest = rested
    assert worker.run() == 0
    assert set(seen) == {b""}


def test_what_ran_last_is_not_noted_once_it_is_to_run_anew(place):
    worker, *_ = company(place, 0, tasks=2)
    (node,) = worker.lease()
    key = worker.scheduler.keys[node]
    worker.run_batch([node])
    assert running_of(place, worker.name) == key
    place.store.handle().invalidate([key])
    assert worker.lease() == []
    assert running_of(place, worker.name) == b""


# -- commits ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("workers", "hold"),
    [
        (1, PATIENCE),
        (CROWD, PATIENCE),
        (2 * CROWD, 2 * PATIENCE),
        (1000 * CROWD, MOST_PATIENCE),
    ],
)
def test_a_record_waits_for_company_the_longer_the_more_read_each_commit(place, workers, hold):
    outbox = Outbox(place.store, "me", None)
    outbox.among(workers)
    record = place.records  # anything: it is only kept
    outbox.add(record, 10, now=100.0)
    assert outbox.due == pytest.approx(100.0 + hold)
    assert not outbox.full(100.0 + hold - 0.001)
    assert outbox.full(100.0 + hold)
    outbox.add(record, 10, now=100.0 + hold)
    assert outbox.due == pytest.approx(100.0 + hold), "the oldest one counts"
