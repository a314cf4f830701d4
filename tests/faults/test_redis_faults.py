"""Trouble with a real redis-server under a graph that is being computed.

Each test ends with the graph finished, every value right and the store sound. How many
tasks were run more than once is recorded (``doubles``): locks only save work, but where
nothing was lost there should be none, or few.
"""

from __future__ import annotations

import os
import random
import signal

import pytest

from backends.redis_store import open_store
from taskgraph.errors import StoreFull
from taskgraph.ops import open_session
from taskgraph.ops.execute import execute
from taskgraph.ops.invalidate import retry
from taskgraph.testing.programs import runs, wait_until
from taskgraph.testing.records import make_identity
from taskgraph.testing.redis_server import RedisServer, need_server
from taskgraph.testing.turmoil import Turmoil

pytestmark = pytest.mark.redis
SECONDS = float(os.environ.get("TASKGRAPH_STRESS_SECONDS", "180"))


@pytest.fixture
def server():
    """A server that keeps what it was told through being killed."""
    need_server()
    with RedisServer(appendonly="yes") as server:
        yield server


@pytest.fixture
def begin(tmp_path):
    """Begins a graph on a server; what still runs in the end is killed."""
    begun = []

    def begin(server, jobs=2, query=None, options=None, **graph):
        turmoil = Turmoil(tmp_path, server.url("p", **(query or {})), **graph)
        begun.append(turmoil)
        turmoil.start(jobs, **(options or {}))
        return turmoil

    yield begin
    for turmoil in begun:
        turmoil.stop()


def settle(turmoil):
    """Finish the graph; every value must be right and the store sound; count doubles.

    A task that ran while three workers were killed counts as failed, which is the rule;
    that is forgiven here, since the kills were not its fault.
    """
    outcome = execute(turmoil.path, turmoil.url)
    if outcome.failed:
        session = open_session(turmoil.path, turmoil.url)
        session.writes = True
        retry(session, range(len(session.graph)))
        session.store.close()
        outcome = execute(turmoil.path, turmoil.url)
    assert (outcome.exit_code, outcome.done) == (0, outcome.total), f"{outcome} {turmoil.said()}"
    verify(turmoil)
    return turmoil.doubles()


def verify(turmoil):
    """Compare every value with what it should be, and have the store check itself."""
    session = open_session(turmoil.path, turmoil.url)
    module, number, last = session.module, turmoil.number, turmoil.number - 1
    pairs = [i * i + (last - i) ** 2 for i in range(number)]
    assert session.value(module.squares) == [i * i for i in range(number)]
    assert session.value(module.pairs) == pairs
    arrays = session.value(module.arrays)
    assert all((array == x).all() for array, x in zip(arrays, pairs[:40], strict=True))
    assert session.value(module.result) == sum(pairs[:40])
    session.store.pack()  # what the killed had begun to write, and nobody names
    assert session.store.check() == []
    assert not any(info.alive and info.keys for info in session.store.workers())
    session.store.close()


def test_a_server_that_is_killed_and_started_again_loses_nothing(server, begin, record_property):
    """Twice in a run; workers say that they wait, and go on. Nothing is run twice."""
    turmoil = begin(server, jobs=3, number=250)
    for times in range(2):
        turmoil.wait_for_runs(50 + 100 * times)
        server.die(0.3)
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    assert "can't be reached" in turmoil.said()
    assert "Trying again for 120 s." in turmoil.said()
    doubles = settle(turmoil)
    record_property("doubles", doubles)
    assert doubles == 0


def test_a_server_that_forgets_all_when_killed_is_filled_anew(begin, record_property):
    """No persistence: what was there is run again, by workers that had it for done."""
    need_server()
    with RedisServer(appendonly="no") as server:
        turmoil = begin(server, jobs=3, number=100)
        turmoil.wait_for_runs(60)
        server.restart()
        (outcome,) = turmoil.finish()
        assert outcome["exit_code"] == 0, turmoil.said()
        record_property("doubles", settle(turmoil))


def test_a_flushed_server_is_noticed_and_filled_anew(server, begin, record_property):
    """Somebody's FLUSHALL: connections stay, the project is gone, and a person is told."""
    turmoil = begin(server, jobs=3, number=100)
    turmoil.wait_for_runs(60)
    server.call("FLUSHALL")
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    assert turmoil.said().count("was emptied, or lost all") == 1
    record_property("doubles", settle(turmoil))


def test_a_server_that_is_stopped_past_the_lease_costs_few_doubles(server, begin, record_property):
    turmoil = begin(server, jobs=3, query={"lease": "1"}, number=200)
    turmoil.wait_for_runs(80)
    server.stall(2.0)
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    doubles = settle(turmoil)
    record_property("doubles", doubles)
    assert doubles <= 100


def test_connections_that_are_cut_again_and_again_are_made_anew(server, begin, record_property):
    turmoil = begin(server, jobs=3, number=200)
    turmoil.wait_for_runs(30)
    while len(runs(turmoil.place)) < 190:
        server.hang_up()
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    doubles = settle(turmoil)
    record_property("doubles", doubles)
    assert doubles == 0


def test_a_full_server_is_waited_for(server, begin, record_property):
    """Out of memory, and back: no result that was made is made again."""
    turmoil = begin(server, jobs=3, number=200)
    turmoil.wait_for_runs(80)
    server.call("CONFIG", "SET", "maxmemory", "1")
    wait_until(lambda: "Trying again" in turmoil.said(), "a word")
    assert "raise its maxmemory" in turmoil.said()
    server.call("CONFIG", "SET", "maxmemory", "0")
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    doubles = settle(turmoil)
    record_property("doubles", doubles)
    assert doubles == 0


def test_a_server_that_starts_full_lets_room_be_made(server, begin):
    """Who looks, removes and leaves needs no memory: else nobody could ever help it."""
    need_server((7, 0))  # older ones refuse what frees, too
    turmoil = begin(server, number=40)
    turmoil.finish()
    server.restart(maxmemory="1")
    store = open_store(turmoil.url)
    with pytest.raises(StoreFull):
        store.enter(make_identity(1))
    heads = [head for head in store.heads(store.keys()) if head is not None]
    assert store.forget(heads) == len(heads) == 121
    store.pack()
    assert store.usage().results == 0
    store.close()


@pytest.mark.parametrize("trouble", ["gone", "full"])
def test_a_server_that_stays_away_ends_the_run_loudly(server, begin, trouble):
    """After the limit; what was stored before is there, and not run again."""
    turmoil = begin(server, query={"lease": "1"}, number=150, options={"store_patience": 1.0})
    turmoil.wait_for_runs(80)
    if trouble == "gone":
        server.kill()
    else:
        server.call("CONFIG", "SET", "maxmemory", "1")
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 4
    said = turmoil.said()
    assert "Trying again for 1 s." in said
    assert "taskgraph: error: A store needs" in said
    ran = len(runs(turmoil.place))
    assert ran < 150
    if trouble == "gone":
        server.start()
    else:
        server.call("CONFIG", "SET", "maxmemory", "0")
    assert settle(turmoil) <= ran - 80 + 20


def test_a_barrier_outlasts_a_restart(server, begin):
    """The reader of the jugfile waits there, and asks the store all the time."""
    turmoil = begin(server, jobs=2, number=120, barrier=True)
    turmoil.wait_for_runs(50)
    server.die(1.0)
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    assert settle(turmoil) == 0


def test_a_worker_that_dies_while_the_server_is_away_is_replaced(server, begin):
    """The only one: its successor waits for the server before it begins."""
    turmoil = begin(server, jobs=1, number=60, query={"lease": "1"})
    turmoil.wait_for_runs(20)
    server.kill()
    os.kill(turmoil.workers()[0], signal.SIGKILL)
    wait_until(lambda: "a worker can't begin yet" in turmoil.said(), "a successor")
    server.start()
    (outcome,) = turmoil.finish()
    assert outcome["exit_code"] == 0, turmoil.said()
    assert settle(turmoil) <= 10


def test_a_server_with_a_wrong_password_is_a_clear_error_at_once(begin):
    need_server()
    with RedisServer(requirepass="right") as server:
        turmoil = begin(server)
        (outcome,) = turmoil.finish()
        assert outcome["exit_code"] == 4
        assert "REDIS_PASSWORD" in outcome["error"]
        assert "Trying again" not in turmoil.said()


def test_random_kills_of_workers_lose_nothing(server, begin, record_property):
    """The short form: some seconds; workers, supervisors, and the server once."""
    rng = random.Random(1)
    turmoil = begin(server, query={"lease": "2"}, number=400)
    once = iter([None, None, server.restart])
    kills = turmoil.kill_at_random(6.0, rng, lambda: (next(once, None) or (lambda: None))())
    turmoil.finish()
    record_property("kills", kills)
    record_property("doubles", settle(turmoil))
    assert kills >= 10


@pytest.mark.stress
def test_a_server_that_is_stopped_for_half_a_minute_is_waited_for(server, begin, record_property):
    """Longer than the lease: nobody gives up, and nobody says a word."""
    turmoil = begin(server, jobs=3, number=200)
    turmoil.wait_for_runs(80)
    server.stall(31.0)
    (outcome,) = turmoil.finish(60)
    assert outcome["exit_code"] == 0, turmoil.said()
    assert "Trying again" not in turmoil.said()
    doubles = settle(turmoil)
    record_property("doubles", doubles)
    assert doubles <= 100


@pytest.mark.stress
@pytest.mark.parametrize("seed", [1, 2])
def test_random_kills_of_workers_and_server_lose_nothing(server, begin, record_property, seed):
    """Minutes: every few kills the server is killed, stopped, or throws everybody out."""
    rng = random.Random(seed)
    turmoil = begin(server, query={"lease": "2"}, number=6000, seconds=0.03)

    def trouble():
        if rng.random() < 0.1:
            rng.choice([server.die, server.hang_up, lambda: server.stall(rng.uniform(0.1, 4.0))])()

    kills = turmoil.kill_at_random(SECONDS, rng, trouble)
    turmoil.finish(600)
    record_property("kills", kills)
    doubles = settle(turmoil)
    record_property("doubles", doubles)
    assert execute(turmoil.path, turmoil.url).executed == 0
