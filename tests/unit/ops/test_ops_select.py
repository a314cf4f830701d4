"""Which tasks a selection means, and what is said when it means none."""

from __future__ import annotations

from pathlib import Path

import pytest

from taskgraph.errors import UnknownTask, UsageError
from taskgraph.ops import Selection, find_task, select
from taskgraph.task import TaskGenerator


@TaskGenerator(name="cells.segment")
def segment(image, sigma=1.0, *more, method="otsu", **extra):
    return image


@TaskGenerator(name="cells.measure")
def measure(labels):
    return labels


@TaskGenerator(name="other.measure")
def other(labels):
    return labels


@pytest.fixture
def made(bench):
    with bench.session:
        segments = [segment(Path("a.png"), sigma) for sigma in (1.0, 2.0, 3.0)]
        segments.append(segment(Path("b.png"), method="li", tile=8))
        measures = [measure(task) for task in segments]
        last = other(measures)
    bench.segments, bench.measures, bench.last = segments, measures, last
    return bench


def chosen(bench, **selection):
    nodes = select(bench.session, Selection(**selection))
    return [bench.session.graph.tasks[node] for node in nodes]


def test_nothing_asked_for_is_everything(made):
    assert len(chosen(made)) == 9


@pytest.mark.parametrize("name", ["cells.segment", "segment", "seg*", "*.segment", "s?gment"])
def test_a_name_is_whole_or_a_dotted_end_with_wildcards(made, name):
    assert chosen(made, names=[name]) == made.segments


def test_names_are_alternatives_and_may_end_in_several_modules(made):
    assert chosen(made, names=["measure"]) == [*made.measures, made.last]
    assert chosen(made, names=["cells.measure", "segment"]) == made.segments + made.measures


@pytest.mark.parametrize("pattern", ["egm", "/^cells.s/", "/nt$/"])
def test_a_pattern_is_a_part_or_a_regular_expression(made, pattern):
    assert chosen(made, pattern=pattern) == made.segments


def test_names_and_patterns_must_agree(made):
    assert chosen(made, names=["measure"], pattern="other") == [made.last]


def test_where_compares_what_is_bound_defaults_too(made):
    one = made.segments
    assert chosen(made, where=["sigma=2.0"]) == [one[1]]
    assert chosen(made, where=["sigma=1.0"]) == [one[0], one[3]]
    assert chosen(made, where=["image=b.png", "method='li'"]) == [one[3]]
    assert chosen(made, where=["method=otsu"]) == one[:3]
    assert chosen(made, where=["tile=8"]) == [one[3]]


def test_a_hash_prefix_names_one_task(made):
    task = made.segments[2]
    for digits in (7, 12, 64):
        assert chosen(made, hashes=[task.hash()[:digits].upper()]) == [task]
    assert chosen(made, hashes=[task.hash(), made.last.hash()]) == [task, made.last]


def test_an_ambiguous_prefix_names_the_candidates(bench):
    with bench.session:
        tasks = [measure(i) for i in range(300)]
    with pytest.raises(UnknownTask, match=r"cells.measure [0-9a-f]{16}"):
        select(bench.session, Selection(hashes=[tasks[0].hash()[:1]]))


@pytest.mark.parametrize(
    ("selection", "told"),
    [
        ({"names": ["segmnt"]}, "cells.segment"),
        ({"names": ["segment", "measur"]}, "cells.measure"),
        ({"pattern": "zzz"}, "cells.segment, cells.measure, other.measure"),
        ({"where": ["sgma=1"]}, "extra|sigma"),
        ({"where": ["sigma=9"]}, "1.0, 2.0, 3.0"),
        ({"hashes": ["0000000000"]}, "barrier"),
        ({"hashes": ["xyz"]}, "0-9"),
    ],
)
def test_no_match_names_what_comes_close(made, selection, told):
    with pytest.raises(UnknownTask, match=told):
        chosen(made, **selection)


@pytest.mark.parametrize("bad", [{"where": ["sigma"]}, {"where": ["=1"]}, {"pattern": "/(/"}])
def test_what_can_not_be_read_is_a_usage_error(made, bad):
    with pytest.raises(UsageError):
        chosen(made, **bad)


def test_failed_and_older_than_filter_and_may_find_nothing(made):
    assert chosen(made, failed=True) == []
    made.fail(made.segments[1])
    assert chosen(made, failed=True) == [made.segments[1]]
    made.publish(made.segments[:1], started=1_000.0)
    made.publish(made.segments[2:3], started=9_000.0)
    selection = Selection(older_than=2_000.0)
    clock = lambda: 10_000.0  # noqa: E731
    assert select(made.session, selection, clock=clock) == [made.node(made.segments[0])]
    assert chosen(made, names=["measure"], older_than=0.0) == []


def test_find_task_by_name_or_hash(made):
    assert find_task(made.session, "other.measure") == made.node(made.last)
    task = made.segments[0]
    assert find_task(made.session, task.hash()[:10]) == made.node(task)
    with pytest.raises(UnknownTask, match="means 4 tasks"):
        find_task(made.session, "segment")
    with pytest.raises(UnknownTask, match=r"other\.measure"):
        find_task(made.session, "other.mesure")


def test_an_empty_jugfile_says_so(bench):
    with pytest.raises(UnknownTask, match="makes no task"):
        select(bench.session, Selection(names=["f"]))
