"""The bar and the lines, with a clock of their own."""

from __future__ import annotations

import io
from itertools import pairwise

from taskgraph.progress import Progress
from taskgraph.testing.clock import FakeClock


def progress(total=100, **options):
    clock, stream = FakeClock(), io.StringIO()
    shown = Progress(total, stream, clock, **{"live": False, "colour": False, **options})
    return shown, clock, stream


def test_a_log_gets_lines_at_growing_intervals():
    shown, clock, stream = progress()
    times = []
    for step in range(600):
        clock.advance(0.5)
        before = stream.tell()
        shown.update(step // 10, 1, 0)
        if stream.tell() > before:
            times.append(step)
    gaps = [b - a for a, b in pairwise(times)]
    assert len(times) < 10
    assert gaps == sorted(gaps)
    assert "/100 done, 1 running, 0.2 tasks/s, ETA" in stream.getvalue()


def test_a_short_run_writes_nothing_into_a_log():
    shown, clock, stream = progress()
    for done in range(10):
        clock.advance(0.1)
        shown.update(done, 1, 0)
    shown.close()
    assert stream.getvalue() == ""


def test_the_last_line_of_a_log_tells_the_end():
    shown, clock, stream = progress()
    for done in (10, 50):
        clock.advance(6)
        shown.update(done, 1, 0)
    shown.update(100, 0, 0)
    shown.close()
    assert "100/100 done" in stream.getvalue().splitlines()[-1]


def test_the_bar_is_redrawn_ten_times_a_second_at_most():
    shown, clock, stream = progress(live=True, width=lambda: 80)
    for done in range(100):
        clock.advance(0.01)
        shown.update(done, 2, 0)
    assert 9 <= stream.getvalue().count("\r") <= 11


def test_the_bar_fits_every_width():
    shown, clock, _ = progress(total=123456, live=True, width=lambda: 80)
    shown.update(100, 2, 3)
    clock.advance(5)
    shown.update(50000, 2, 3)
    for width in range(10, 200):
        assert len(shown.bar(width)) < width
    wide = shown.bar(120)
    assert wide.startswith("|█")
    assert "50000/123456 done  3 failed  2 running" in wide
    assert "tasks/s  ETA" in wide


def test_a_line_wipes_the_bar_and_stays():
    shown, _, stream = progress(live=True, width=lambda: 60)
    shown.update(1, 1, 0)
    shown.line("worker gone")
    assert stream.getvalue().endswith("\r\033[Kworker gone\n")
    shown.close()
    assert stream.getvalue().endswith("\n")


def test_colour_says_whether_something_failed():
    shown, _, _ = progress(live=True, colour=True)
    shown.update(50, 1, 0)
    assert "\033[32m" in shown.bar(80)
    shown.update(50, 1, 1)
    assert "\033[31m" in shown.bar(80)


def test_an_unknown_total_is_no_division_by_zero():
    shown, clock, _ = progress(total=0)
    shown.update(3, 1, 0)
    clock.advance(1)
    assert "3/? done" in shown.bar(60)
    shown.set_total(10)
    assert "3/10 done" in shown.bar(60)
    assert shown.eta() is None
