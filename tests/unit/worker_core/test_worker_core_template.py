"""What a template tells to whom, and how it bears with a store that is away."""

from __future__ import annotations

import os
import socket

import pytest

from taskgraph import isolation
from taskgraph.errors import StoreUnreachable
from taskgraph.outbox import Patience
from taskgraph.template import Child, Reading, Template
from taskgraph.testing import FakeClock
from taskgraph.testing.programs import wait_until


def ended_child(code: int) -> int:
    pid = os.fork()
    if not pid:
        os._exit(code)
    return pid


def test_the_end_of_a_task_is_told_to_the_worker_that_asked_for_it_alone():
    """Its successor at the slot would take it for the end of a task of its own."""
    old, old_worker = socket.socketpair()
    new, new_worker = socket.socketpair()
    channel, supervisor = socket.socketpair()
    with old, old_worker, new, new_worker, channel, supervisor:
        template = Template(None, channel, [0])
        template.lines[0] = new
        for line in (old, new):
            pid = ended_child(7)
            template.children[pid] = Child(0, 0, is_worker=False, line=line)
            wait_until(lambda: (template.reap(), not template.children)[1], "the end")
        new_worker.setblocking(False)
        told = new_worker.recv(1000)
        assert isolation.REQUEST.unpack(told) == (pid, 7 << 8)
        old_worker.setblocking(False)
        with pytest.raises(BlockingIOError):
            old_worker.recv(1000)


class Away:
    """Planted: a store that can't be reached the first few times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def refresh(self) -> str:
        if self.times:
            self.times -= 1
            raise StoreUnreachable("away")
        return "news"


def test_reading_goes_on_when_the_store_was_away_for_a_while():
    clock, said = FakeClock(), []
    session = Reading(Away(3))
    session.patience = Patience(clock, clock.sleep, said.append, 10.0)
    session.look()
    assert len(said) == 1
    assert "away Trying again for 10 s." in said[0]


def test_reading_ends_when_the_store_stays_away_and_a_worker_does_not_wait_twice():
    clock = FakeClock(0.0)
    session = Reading(Away(1000))
    session.patience = Patience(clock, clock.sleep, lambda text: None, 10.0)
    with pytest.raises(StoreUnreachable):
        session.look()
    assert 5.0 < clock() <= 10.0
    before, session.patience = clock(), None
    with pytest.raises(StoreUnreachable):
        session.look()
    assert clock() == before
