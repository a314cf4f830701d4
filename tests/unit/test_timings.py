"""What tasks took and made: means by function, the old ones forgotten slowly."""

from __future__ import annotations

from taskgraph.timings import Timings


def test_means_are_kept_by_function():
    timings = Timings()
    timings.add("a", 6.0, 300, count=3)
    timings.add("a", 2.0, 100)
    timings.add("b", 5.0, 7)
    assert (timings.seconds("a"), timings.size("a")) == (2.0, 100.0)
    assert (timings.seconds("b"), timings.size("b")) == (5.0, 7.0)


def test_a_function_that_never_ran_is_untimed():
    """Nothing that took no time: a worker then runs one of them to find out."""
    timings = Timings()
    timings.add("a", 0.0, 0, count=0)
    assert (timings.seconds("a"), timings.size("a")) == (None, 0.0)


def test_up_to_a_thousand_tasks_count_alike():
    timings = Timings()
    for n in range(1000):
        timings.add("a", 1.0 if n < 500 else 3.0, 0)
    assert timings.seconds("a") == 2.0


def test_a_changed_pace_is_noticed_within_a_thousand_tasks():
    """After ten thousand at the old pace a plain mean would hide it for ten thousand more."""
    timings = Timings()
    timings.add("a", 10_000.0, 0, count=10_000)
    for _ in range(2000):
        timings.add("a", 3.0, 0)
    assert (10_000.0 + 2000 * 3.0) / 12_000 < 1.4, "the plain mean"
    assert timings.seconds("a") > 2.5
