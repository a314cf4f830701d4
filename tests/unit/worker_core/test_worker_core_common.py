"""What the workers of one run have in common: who says a thing, and limits that go on."""

from __future__ import annotations

import os

from taskgraph.board import Board
from taskgraph.orders import Orders


def test_of_processes_that_ask_at_once_one_is_the_first():
    """Each time exactly one, however many are forked; with the file gone, all are."""
    board = Board(4, {})
    read, write = os.pipe()
    children = []
    for _ in range(4):
        if not (pid := os.fork()):
            os.write(write, bytes(sum(board.is_first(f"lens {i}") for i in range(50))))
            os._exit(0)
        children.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in children] == [0] * 4
    assert len(os.read(read, 1000)) == 50
    os.close(read)
    os.close(write)
    assert not board.is_first("lens 7")
    assert board.is_first("gpu")
    assert Board(1).is_first("gpu")
    board._ledger = -1
    assert board.is_first("gpu")


def test_limits_count_what_the_workers_before_it_did():
    """And the words tell the sum."""
    orders = Orders(max_tasks=5, max_seconds=60.0).after(3, 50.0)
    assert orders.room(1) == 1
    assert (orders.enough(1, 9.0), orders.after(3, 0.0).enough(1, 50.0)) == ("", "")
    assert "ran 5 tasks" in orders.enough(2, 0.0)
    assert "worked for 61 s" in orders.enough(0, 11.0)
