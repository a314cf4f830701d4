"""The checkers are checked: every store with a planted fault fails the contract.

The faults that need a particular order of calls must also be found by the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from backends.file_store import open_store
from backends.memory_store import MemoryStore
from taskgraph.store import Store
from taskgraph.testing import (
    PLANTED,
    PLANTED_FORKS,
    FakeClock,
    LeaseMachine,
    Planted,
    StoreContract,
    broken_promises,
)
from taskgraph.testing import planted as faults
from taskgraph.testing import planted_forks as forks
from taskgraph.testing.contract.processes import ProcessContract

FIND_ONLY = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    report_multiple_bugs=False,  # otherwise an ExceptionGroup slips past pytest.raises
    phases=[Phase.generate],  # find, do not shrink
)
ORDERS = [
    faults.ReleasesAnyones,
    faults.TakesOverEarly,
    faults.NeverTakesOver,
    faults.OverlooksBuckets,
    faults.LocksTooMuch,
    faults.CallsTheRestBusy,
    faults.ForgetsEpoch,
    faults.ClaimsInThePast,
    faults.ServesDead,
    faults.KillsResultsToo,
    faults.LosesARecord,
    faults.KeepsTheFirst,
]
#: Some promise that each fault breaks, so that a test can't "find" it by an accident.
PROMISES = {
    faults.ReleasesAnyones: "test_a_stranger_frees_nothing",
    faults.TakesOverEarly: "test_a_silent_owner_is_taken_over_and_not_before",
    faults.NeverTakesOver: "test_a_silent_owner_is_taken_over_and_not_before",
    faults.OverlooksBuckets: "test_buckets_and_keys_exclude_each_other",
    faults.LocksTooMuch: "test_no_more_is_locked_than_is_needed",
    faults.CallsTheRestBusy: "test_no_more_is_locked_than_is_needed",
    faults.RevivesTheDead: "test_what_others_note_of_the_dead_is_no_sign_of_life",
    faults.ForgetsEpoch: "test_what_began_before_an_invalidate_never_comes_back",
    faults.ClaimsInThePast: "test_a_claim_knows_the_last_invalidate",
    faults.ServesDead: "test_invalidate_kills_what_was_there",
    faults.HidesTombstones: "test_invalidate_kills_what_was_there",
    faults.KillsResultsToo: "test_retry_kills_failures_and_no_result",
    faults.LosesARecord: "test_publishing_again_changes_nothing",
    faults.KeepsTheFirst: "test_all_readers_choose_the_same_copy",
    faults.CutsPayloads: "test_a_record_comes_back_whole",
    faults.LosesDeaths: "test_failures_and_deaths_are_kept_apart_and_in_order",
    faults.SwallowsNews: "test_others_hear_the_news_once",
}


#: The same for faults between processes; they are planted in the file store.
PROMISES_BETWEEN = {
    forks.FoundsAnew: "test_opening_again_finds_what_is_there",
    forks.LooksThenFounds: "test_two_processes_may_make_a_store_at_once",
    forks.SharesItsConnection: "test_both_sides_of_a_fork_work_each_by_itself",
    forks.InheritsItsNames: "test_both_sides_of_a_fork_work_in_one_store",
    forks.HearsForBoth: "test_news_are_told_on_both_sides_of_a_fork",
    forks.ClosesForAll: "test_what_a_child_closes_or_leaves_is_its_own",
}
BETWEEN = [name for name in dir(ProcessContract) if name.startswith("test_")]


def case_over(bad: type[Planted]) -> type[StoreContract]:
    class Case(StoreContract):
        between_processes = False

        def make_store(self, tmp_path: Path) -> Store:
            self.clock = FakeClock()
            return bad(MemoryStore(clock=self.clock))

        def other_handle(self, store: Store) -> Store:
            assert isinstance(store, Planted)
            assert isinstance(store.inner, MemoryStore)
            return store.handle(store.inner.handle())

        def pass_time(self, seconds: float) -> None:
            self.clock.advance(seconds)

    return Case


def shared_case_over(bad: Callable[[Store], Store]) -> type[StoreContract]:
    class Case(StoreContract):
        def make_store(self, tmp_path: Path) -> Store:
            return bad(open_store(str(tmp_path / "store"), create=True))

        def other_handle(self, store: Store) -> Store:
            inner = open_store(store.url)
            return store.handle(inner) if isinstance(store, Planted) else inner

    return Case


def machine_over(bad: type[Planted]) -> type[LeaseMachine]:
    class Machine(LeaseMachine):
        def make_store(self, clock: FakeClock) -> Store:
            return bad(MemoryStore(clock=clock))

        def other_handle(self, store: Store) -> Store:
            assert isinstance(store, Planted)
            assert isinstance(store.inner, MemoryStore)
            return store.handle(store.inner.handle())

    return Machine


def test_an_honest_wrapper_passes(tmp_path: Path) -> None:
    """The frame of the planted faults is not what fails: without a fault all promises hold."""
    assert broken_promises(case_over(Planted), tmp_path) == []


def test_an_honest_wrapper_passes_between_processes(tmp_path: Path) -> None:
    assert broken_promises(shared_case_over(Planted), tmp_path, BETWEEN) == []


def test_every_fault_has_its_promise() -> None:
    assert set(PROMISES) == set(PLANTED)
    assert set(PROMISES_BETWEEN) == set(PLANTED_FORKS)


@pytest.mark.parametrize("bad", PLANTED)
def test_the_contract_catches(bad: type[Planted], tmp_path: Path) -> None:
    assert PROMISES[bad] in broken_promises(case_over(bad), tmp_path)


@pytest.mark.parametrize("bad", PLANTED_FORKS)
def test_the_contract_catches_between_processes(bad: type[Planted], tmp_path: Path) -> None:
    assert PROMISES_BETWEEN[bad] in broken_promises(shared_case_over(bad), tmp_path, BETWEEN)


def test_the_contract_catches_a_store_that_ends_with_its_process(tmp_path: Path) -> None:
    """A store in memory that says it can be shared keeps none of these promises but one."""

    class Case(StoreContract):
        def make_store(self, tmp_path: Path) -> Store:
            return MemoryStore()

        def other_handle(self, store: Store) -> Store:
            assert isinstance(store, MemoryStore)
            return store.handle()

    kept = {"test_both_sides_of_a_fork_work_each_by_itself"}
    assert set(broken_promises(Case, tmp_path, BETWEEN)) == {*BETWEEN} - kept


def test_the_contract_catches_a_file_shared_across_a_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file store that does not notice the fork appends to its parent's segment."""
    monkeypatch.setattr("backends.file_store.writer.os", SimpleNamespace(getpid=lambda: 1))
    broken = broken_promises(shared_case_over(lambda store: store), tmp_path, BETWEEN)
    assert "test_a_child_may_publish_for_its_parents_worker" in broken


@pytest.mark.parametrize("bad", ORDERS)
def test_the_machine_catches(bad: type[Planted]) -> None:
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine_over(bad), settings=FIND_ONLY)
