"""A worker whose store is full, away, or took it for dead; and one that sees a tombstone."""

from __future__ import annotations

import pytest

from taskgraph import codecs
from taskgraph.errors import StoreError, StoreFull, StoreUnreachable
from taskgraph.store import KILL_RESULTS, RESULT, Origin, Record
from taskgraph.task import TaskGenerator
from taskgraph.testing import FaultyStore, StoreWrapper
from taskgraph.worker import Worker

NOW: dict[str, object] = {}


@TaskGenerator
def plain(x):
    """Return what it is given."""
    return x


@TaskGenerator
def does(x, inputs=()):
    """Do something on the side, whatever the test wants, and tell how often it ran."""
    NOW["runs"] += 1
    NOW["do"](x)
    return NOW["value"]


@TaskGenerator
def twice(x):
    """Depend on one thing."""
    return 2 * x


@pytest.fixture(autouse=True)
def _fresh(place):
    NOW.clear()
    NOW.update(runs=0, value=1, do=lambda x: None)


def publish(place, task, value, epoch=0):
    """Publish a result as another worker's process would."""
    handle, name = place.another()
    payload, digest = codecs.encode(value)
    record = Record(
        task.key, RESULT, epoch, digest, b"", Origin(), 0.0, 0.0, 0.0, 0, 1, payload
    )  # fmt: skip
    handle.publish(name, [record])
    handle.leave(name)


# -- tombstones ---------------------------------------------------------------------------
class Deaf(Worker):
    """A planted fault: it claims, and hears no tombstone."""

    def claim(self, nodes, coarse):
        got, _ = self.leases.take(nodes, coarse)
        return got


def invalidated_while_in_memory(place):
    """Invalidate a result that the worker has in memory, before its dependent is leased."""
    with place:
        source = does("source")
        gate = does("gate", [source])
        final = twice(does("last", [gate]))
        both = does("both", [source, gate])

    def do(x):
        place.clock.advance(2.0)
        if x == "gate" and NOW["value"] == 1:
            NOW["value"] = 2
            handle, _ = place.another()
            handle.invalidate([source.key], KILL_RESULTS)

    NOW["do"] = do
    return source, gate, final, both


def test_a_tombstone_drops_what_is_in_memory_before_a_new_epoch_is_stamped(place):
    """Everything computed from the old result is computed again."""
    source, gate, final, both = invalidated_while_in_memory(place)
    worker = place.worker()
    assert worker.run() == 0
    assert place.values([source, gate, final, both]) == [2, 2, 4, 2]
    records = place.store.load([source.key, gate.key, final.key, both.key])
    assert [record.epoch for record in records] == [1] * 4
    assert place.store.check() == []


def test_a_worker_that_ignores_tombstones_is_caught(place):
    """The planted fault leaves a result that was made from what had been invalidated."""
    place.kind = Deaf
    source, _, _, both = invalidated_while_in_memory(place)
    place.work(max_tasks=4)
    place.session.look()
    assert place.store.load([source.key])[0].epoch == 0
    assert place.store.load([both.key])[0].epoch == 1
    assert place.values(both) == 2, "alive by its epoch, made of a dead input"


def test_a_task_that_asks_for_values_hears_no_news_in_the_worker_s_place(place):
    """A tombstone that a task took in would never reach the worker."""
    from taskgraph.employment import Onlooker

    with place:
        source = plain(3)
    publish(place, source, 3)
    place.session.look()
    other, _ = place.another()
    publish(place, source, 3)
    other.invalidate([bytes(32)])
    assert Onlooker(place.session).value(source) == 3
    news = place.store.refresh()
    assert news.tombstones
    assert source.key in news.results


# -- a store in trouble -------------------------------------------------------------------
def test_a_fault_at_any_one_call_is_borne(place):
    """Call by call, with and without the reply lost: all is done, once, and nothing is left."""
    number = 0
    while True:
        number += 1
        failed = ""
        for lost in (False, True):
            fresh = type(place)(place.clock, type(place.store)(clock=place.clock))
            with fresh:
                tasks = [twice(plain(i)) for i in range(4)]
            fresh.port = faulty = FaultyStore(fresh.store, lost_reply=lost)
            worker = fresh.worker()
            faulty.fail_at = faulty.calls + number
            assert worker.run() == 0, (faulty.failed, fresh.said)
            fresh.session.store = fresh.store
            assert fresh.values(tasks) == [0, 2, 4, 6]
            assert fresh.store.workers() == [], faulty.failed
            assert fresh.store.failed_keys() == [], faulty.failed
            failed = faulty.failed
        if not failed:
            break
    assert number > 10


class Full(StoreWrapper):
    """A store that fails while ``until`` is not over."""

    until = float("inf")
    methods = frozenset(("publish",))
    error: type[StoreError] = StoreFull
    clock = None

    def before(self, method):
        if method in self.methods and self.clock() < self.until:
            raise self.error("no room.")


@pytest.mark.parametrize("method", ["publish", "claim", "refresh", "load", "release", "workers"])
@pytest.mark.parametrize("error", [StoreFull, StoreUnreachable])
def test_a_store_in_trouble_for_a_minute_costs_no_result(place, method, error):
    """It is said once, and tried again with growing pauses."""
    NOW["value"] = [1]
    with place:
        task = twice(does(1))
    worker_port = Full(place.store)
    worker_port.clock, worker_port.error = place.clock, error
    worker_port.methods, worker_port.until = frozenset((method,)), place.clock() + 60
    place.port = worker_port
    if method == "load":
        publish(place, place.session.graph.tasks[0], [1])
    assert place.work() == 0
    assert place.values(task) == [1, 1]
    assert NOW["runs"] == (method != "load")
    assert len(place.said) == 1
    assert "no room. Trying again for 120 s" in place.said[0]


def test_trouble_that_lasts_is_given_up_within_the_limit(place):
    """With the store's own error; the records are still there."""
    with place:
        plain(1)
    place.port = port = Full(place.store)
    port.clock = place.clock
    worker = place.worker(store_patience=30.0)
    began = place.clock()
    with pytest.raises(StoreFull):
        worker.run()
    assert 20 < place.clock() - began <= 30
    assert len(worker.outbox.records) == 1


def test_what_tasks_print_is_worth_no_trouble(place):
    """The log can't be stored; the results are."""
    NOW["do"] = lambda x: worker.capture.write("hello\n")
    with place:
        does(1)
    place.port = port = Full(place.store)
    port.clock, port.methods = place.clock, frozenset(("put_document",))
    worker = place.worker()
    worker.runner.origins._known[does.name] = Origin()
    assert worker.run() == 0


def test_a_worker_taken_for_dead_goes_on_under_a_new_id(place):
    """Its owner record was tidied away while it was stopped."""
    entered = []

    def do(x):
        place.clock.advance(1.0)
        if x == 3:
            place.store.leave(worker.name)

    def enter():
        entered.append(place.another("here")[1])
        return entered[-1]

    NOW["do"] = do
    with place:
        tasks = [does(i) for i in range(8)]
    worker = place.worker(enter=enter)
    first = worker.name
    assert worker.run() == 0
    assert len(entered) == 1
    assert NOW["runs"] == 8, "nothing is run twice"
    names = {record.origin.worker for record in place.store.load([t.key for t in tasks])}
    assert names == {first, entered[0]}
    assert place.store.workers() == []


def test_a_store_error_of_another_kind_is_not_waited_out(place):
    """A foreign store will not become ours."""
    with place:
        plain(1)
    place.port = port = Full(place.store)
    port.clock, port.methods, port.error = place.clock, frozenset(("claim",)), StoreError
    worker = place.worker(enter=lambda: "never")
    began = place.clock()
    with pytest.raises(StoreError, match="no room"):
        worker.run()
    assert place.clock() == began


def test_an_input_that_can_not_be_had_is_asked_for_with_pauses(place):
    """Said to be there, and not loaded: no loop without a breath, and it ends when it is healed."""
    loads = []

    class Holes(StoreWrapper):
        def load(self, keys, floors=None):
            loads.append(place.clock())
            found = super().load(keys, floors)
            return found if len(loads) > 10 else [None] * len(keys)

    with place:
        source = plain(1)
        total = twice(source)
    publish(place, source, 1)
    place.port = Holes(place.store)
    assert place.work() == 0
    assert loads[-1] - loads[0] >= 4
    assert place.values(total) == 2
