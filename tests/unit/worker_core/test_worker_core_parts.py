"""The parts around a worker's loop: workbench, outbox, capture, board, isolation, supervisor."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import threading
from contextlib import contextmanager

import pytest

from taskgraph import codecs
from taskgraph.board import ENDED, GO, STOP, Board, Counts
from taskgraph.capture import LOG, LONGEST_LINE, TAIL, Capture
from taskgraph.errors import StoreFull, UsageError
from taskgraph.isolation import (
    REQUEST,
    ChildDied,
    ChildFailed,
    ChildTimeout,
    Line,
    receive_request,
)
from taskgraph.outbox import Outbox, Patience
from taskgraph.outcome import Outcome
from taskgraph.store import payload_size
from taskgraph.supervisor import Supervisor
from taskgraph.task import TaskGenerator
from taskgraph.testing import FakeClock, make_key, make_record
from taskgraph.workbench import InputGone, Kept, Workbench

np = pytest.importorskip("numpy")


@TaskGenerator
def make(x):
    """Make a list, or an array of so many numbers."""
    return np.zeros(x) if x > 10 else [x]


@TaskGenerator
def spoil(inputs, who):
    """Change what it is given, in place."""
    seen = float(np.sum(inputs))
    inputs[0] = 1e6
    return seen


# -- workbench ------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [3, 100, 100_000, 3_000_000])
def test_a_task_that_changes_its_input_changes_nobody_else_s(place, size):
    """Nor what is stored: the last user gets the object itself, maybe before it is published."""
    with place:
        source = make(size)
        users = [spoil(source, i) for i in range(4)]
    assert place.work() == 0
    expected = 3.0 if size == 3 else 0.0
    assert place.values(users) == [expected] * 4
    assert float(np.sum(place.values(source))) == expected
    assert place.store.load([source.key])[0].digest == codecs.encode(place.values(source))[1]


def bench_with(place, value, users):
    """Return (bench, task): a bench that keeps one value."""
    with place:
        task = make(3)
    bench = Workbench(place.session, 1e6)
    payload, digest = codecs.encode(value)
    bench.keep(task.key, Kept(value, payload, digest, payload_size(payload)), users)
    return bench, task


def test_the_last_user_gets_the_object_others_a_copy(place):
    """Counted by ``used``; then it is forgotten."""
    value = [1, 2]
    bench, task = bench_with(place, value, 2)
    assert bench.value_of(task) == value
    assert bench.value_of(task) is not value
    bench.used([task])
    assert bench.value_of(task) is value
    bench.used([task])
    assert bench.size == 0
    with pytest.raises(InputGone):
        bench.value_of(task)


def test_the_bench_forgets_the_oldest_beyond_its_budget(place):
    """Only what has been published is shrunk; it is loaded again then."""
    bench, task = bench_with(place, bytes(1000), 2)
    bench.budget = 500
    bench.shrink()
    assert bench.size == 0
    with pytest.raises(InputGone):
        bench.digests([task])


# -- outbox ----------------------------------------------------------------------------------
def test_the_outbox_keeps_what_could_not_be_published():
    """Pauses double up to ten seconds; at the limit the store's own error comes out."""
    clock, said, pauses = FakeClock(), [], []

    def sleep(seconds):
        pauses.append(seconds)
        clock.advance(seconds)

    class Store:
        published = ()
        full = True

        def publish(self, worker, records):
            if self.full:
                raise StoreFull("no room.")
            self.published += tuple(records)

    store = Store()
    outbox = Outbox(store, "me", Patience(clock, sleep, said.append, 60.0))
    outbox.add(make_record(make_key(1)), 5, clock())
    with pytest.raises(StoreFull):
        outbox.flush()
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert max(pauses) == 10.0
    assert len(said) == 1
    store.full = False
    outbox.flush()
    assert len(store.published) == 1
    assert outbox.records == []


def test_the_outbox_is_due_after_a_moment_or_many_bytes():
    """Group commit."""
    outbox = Outbox(None, "me", None)
    assert not outbox.full(0.0)
    outbox.add(make_record(make_key(1)), 5, 10.0)
    assert not outbox.full(10.05)
    assert outbox.full(10.1)
    outbox.add(make_record(make_key(2)), 64 << 20, 10.0)
    assert outbox.full(10.0)


# -- capture ---------------------------------------------------------------------------------
@contextmanager
def captured():
    """Install a capture; the real streams come back."""
    real = sys.stdout, sys.stderr
    capture = Capture()
    capture.install()
    capture.begin("f")
    try:
        yield capture
    finally:
        sys.stdout, sys.stderr = real


def test_the_tail_is_of_the_present_task():
    """Text, bytes and errors; the log has the task's name in front."""
    with captured() as capture:
        sys.stdout.write("one\n")
        capture.begin("g")
        sys.stdout.write("two\n")
        sys.stdout.buffer.write(b"three \xff\n")
        sys.stderr.write("four\n")
    assert capture.tail() == "two\nthree \ufffd\nfour\n"
    assert capture.log().decode() == "[f] one\n[g] two\n[g] three \ufffd\n[g] four\n"


def test_a_task_can_neither_close_the_streams_nor_keep_its_own():
    """The next task's output is captured all the same."""
    with captured() as capture:
        sys.stdout.close()
        sys.stdout = sys.__stdout__
        capture.begin("g")
        sys.stdout.write("still here\n")
    assert capture.tail() == "still here\n"


def test_huge_output_costs_bounded_memory():
    """Also without an end of line, as progress bars do."""
    with captured() as capture:
        for _ in range(200_000):
            sys.stdout.write("\r 50 %")
        sys.stdout.write("x" * 10_000_000)
        sys.stdout.write("\n")
    assert len(capture.tail()) == TAIL
    assert sum(map(len, capture._tail)) <= 2 * TAIL
    assert len(capture.log()) <= LOG
    assert max(map(len, capture.log().splitlines())) <= LONGEST_LINE + 10


# -- board -----------------------------------------------------------------------------------
def test_what_is_written_on_the_board_is_read():
    """Every field of a slot, and none of its neighbour's."""
    board = Board(3, {"gpu": 2.0, "memory": 100.0})
    board.sign(1, 4711, "ab" * 16)
    board.running(1, make_key(1))
    counts = Counts(*range(1, 8))
    board.write_counts(1, counts)
    assert (board.pid(1), board.worker(1), board.key(1)) == (4711, "ab" * 16, make_key(1))
    assert board.counts(1) == counts
    for slot in (0, 2):
        assert (board.pid(slot), board.worker(slot), board.key(slot)) == (0, "", b"")
        assert board.counts(slot) == Counts()
    board.running(1, b"")
    assert board.key(1) == b""
    board.clear(1)
    assert board.counts(1) == Counts()
    assert board.stop == GO
    board.stop = STOP
    assert board.stop == STOP


def test_reservations_never_exceed_the_budget():
    """Several kinds at once; a lack takes nothing."""
    board = Board(3, {"gpu": 2.0, "memory": 100.0})
    assert board.reserve(0, {"gpu": 1.0, "memory": 60.0})
    assert not board.reserve(1, {"gpu": 1.0, "memory": 60.0})
    assert board.reserve(2, {"gpu": 1.0})
    assert not board.reserve(1, {"gpu": 0.5})
    board.free(0)
    assert board.reserve(1, {"gpu": 1.0, "memory": 100.0})
    assert board.lacks({"gpu": 3.0, "lens": 1.0, "memory": 1.0}) == ["gpu", "lens"]


def test_too_many_kinds_of_resources_are_refused():
    """Rather than not counted."""
    Board(1, {f"r{i}": 1.0 for i in range(12)})
    with pytest.raises(UsageError, match="at most 12"):
        Board(1, {f"r{i}": 1.0 for i in range(13)})


# -- isolation -------------------------------------------------------------------------------
LENGTH = struct.Struct("<q")


def answer(value, **head):
    """Return what a child sends for a value."""
    payload, digest = codecs.encode(value)
    facts = {"sizes": [len(payload)], "digest": digest.hex(), "inputs": "", "cpu": 0.5, "peak": 7}
    text = json.dumps({**facts, **head}).encode()
    return LENGTH.pack(99) + LENGTH.pack(len(text)) + text + payload


@pytest.fixture
def template():
    """Return a function that plays template and child, and the line to them."""
    ours, theirs = socket.socketpair()
    printed, threads = [], []

    def orphaned():
        raise KeyboardInterrupt

    def play(send, status, *, hold=False, out=b"", hang_up=False):
        def be():
            node, epoch, fds = receive_request(theirs)
            assert (node, epoch) == (5, 3)
            os.write(fds[1], out)
            os.write(fds[0], send)
            os.close(fds[1])
            if hang_up:
                theirs.close()
            elif status is not None:
                theirs.sendall(REQUEST.pack(99, status))
            if hold:  # something that the task started keeps the socket open
                held.append(fds[0])
            else:
                os.close(fds[0])

        threads.append(threading.Thread(target=be))
        threads[-1].start()

    held = []
    yield play, Line(ours, printed.append, orphaned=orphaned), printed
    for thread in threads:
        thread.join()
    for fd in held:
        os.close(fd)
    ours.close()
    theirs.close()


def test_a_child_s_result_comes_back_and_its_end_is_awaited(template):
    """Many in a row: no message of an end is left to fill the line."""
    play, line, printed = template
    for number in range(600):
        play(answer([number]), 0, out=b"hi")
        ran = line.run(5, 3, None)
        assert codecs.decode(ran.payload) == [number]
        assert (ran.cpu, ran.peak) == (0.5, 7)
    assert printed == ["hi"] * 600


@pytest.mark.parametrize("cut", [0, 4, 8, 20, -1])
@pytest.mark.parametrize("hold", [False, True])
def test_a_child_that_dies_in_the_middle_of_its_message(template, cut, hold):
    """Before its pid, within the head, within the payload; also when its socket stays open."""
    play, line, _ = template
    play(answer([1])[:cut], signal.SIGSEGV, hold=hold, out=b"last words")
    with pytest.raises(ChildDied, match="SIGSEGV") as caught:
        line.run(5, 3, None)
    assert caught.value.tail == "last words"


def test_a_child_that_ends_its_process_is_told_from_one_that_returns(template):
    """Exit code 0 is no result."""
    play, line, _ = template
    play(answer([1])[:8], 0)
    with pytest.raises(ChildDied, match="exit code 0"):
        line.run(5, 3, None)


def test_a_child_s_failure_keeps_what_it_printed(template):
    """The report is the child's, the tail is read here."""
    play, line, _ = template
    text = json.dumps({"report": {"exception": "KeyError", "message": "x"}}).encode()
    play(LENGTH.pack(99) + LENGTH.pack(len(text)) + text, 0, out=b"before")
    with pytest.raises(ChildFailed) as caught:
        line.run(5, 3, None)
    assert (caught.value.report.exception, caught.value.report.log) == ("KeyError", "before")


def test_a_timeout_kills_the_group_of_the_child(template, monkeypatch):
    """Counted from when the child runs."""
    play, line, _ = template
    killed = []
    monkeypatch.setattr("taskgraph.processes.kill_group", killed.append)
    play(answer([1])[:8], signal.SIGKILL, hold=True)
    line._clock = iter(range(100, 1000, 3)).__next__
    with pytest.raises(ChildTimeout, match="timeout of 2 s"):
        line.run(5, 3, 2.0)
    assert killed == [99]


def test_a_template_that_is_gone_is_no_failure_of_the_task(template):
    """The worker ends; nothing is recorded."""
    play, line, _ = template
    play(answer([1])[:8], None, hang_up=True)
    with pytest.raises(KeyboardInterrupt):
        line.run(5, 3, None)


# -- exit codes ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("left", "failed", "barrier", "signal_", "stop", "seen", "unfit", "error", "code"),
    [
        (0, 0, False, 0, GO, True, False, 0, 0),  # all done
        (0, 2, False, 0, GO, True, False, 0, 1),  # some failed
        (0, 2, True, 0, GO, True, False, 0, 1),  # failed, so reading ended at a barrier
        (0, 0, True, 0, GO, True, False, 0, 3),  # stopped at a barrier for another reason
        (4, 0, False, 0, GO, False, False, 0, 3),  # work left
        (4, 2, False, 0, GO, False, False, 0, 3),  # work left counts more than failures
        (4, 5, False, 0, GO, False, True, 0, 1),  # this machine lacks something
        (0, 0, False, 0, GO, False, False, 0, 3),  # no worker saw it through: they all died
        (0, 0, False, 15, GO, True, False, 0, 0),  # a signal, but all was done by then
        (0, 2, False, 15, GO, True, False, 0, 1),
        (4, 0, False, 15, GO, False, False, 0, 99),  # interrupted
        (0, 0, False, 2, GO, False, False, 0, 99),  # interrupted while the jugfile was read
        (0, 0, False, 2, STOP, True, False, 0, 99),  # a second signal
        (4, 2, False, 15, GO, False, True, 0, 99),
        (0, 0, False, 0, GO, False, False, 4, 4),  # the jugfile raised
        (4, 2, True, 15, STOP, False, True, 2, 2),  # an error has its own code
    ],
)
def test_exit_codes(left, failed, barrier, signal_, stop, seen, unfit, error, code):
    """Never 0 with work undone."""

    class Job:
        board = Board(1, {})

    supervisor = Supervisor(Job(), None, interrupted_code=99)
    supervisor.total, supervisor.seen_through = 7, 7 if seen else -1
    supervisor.unfit = unfit
    supervisor.signals = [signal_] if signal_ else []
    supervisor.error = {"code": error} if error else None
    Job.board.stop = stop
    outcome = Outcome(remaining=left, failed=failed, stopped_at_barrier=barrier)
    assert supervisor.code(outcome) == code


def test_a_board_says_which_workers_have_ended():
    """A pid that was is not killed again: it may be somebody else's by now."""

    class Job:
        board = Board(2, {})

    supervisor = Supervisor(Job(), None)
    Job.board.sign(0, 11, "a")
    Job.board.sign(1, 12, "b")
    Job.board.set_state(0, ENDED)
    assert supervisor.board_pids() == [12]
