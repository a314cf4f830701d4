"""Verbs that look: failures, show, log, count, graph, fsck, pack, and the step to each."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from taskgraph import ops
from taskgraph.compose import CompoundTask
from taskgraph.errors import ResultCorrupt, TaskGraphError, UsageError
from taskgraph.failures import FailureReport, failed_for_good
from taskgraph.ops import Selection, count, failures, fsck, graph, log, pack, select, show
from taskgraph.session import Session
from taskgraph.store import FAILURE, Problem
from taskgraph.task import TaskGenerator


@TaskGenerator
def load(path, scale=1.0):
    return [path, scale]


@TaskGenerator(retries=1, name="tools.merge")
def merge(*parts):
    return list(parts)


@pytest.fixture
def made(bench):
    with bench.session:
        bench.parts = [load(f"{word}.png") for word in "abc"]
        bench.last = merge(bench.parts[0], bench.parts[1][0], bench.parts[2])
    return bench


# -- failures ---------------------------------------------------------------------------
def test_failures_are_grouped_by_exception_the_most_frequent_first(made):
    made.fail(made.parts[0], exception="OSError", message="gone", log="tail")
    for task in made.parts[1:]:
        made.fail(task, exception="ValueError", message=f"bad {task.args[0]}")
    found = failures(made.session)
    assert [(group.exception, len(group.tasks)) for group in found.groups] == [
        ("ValueError", 2),
        ("OSError", 1),
    ]
    assert found.count == 3
    assert found.groups[0].message == "bad b.png"
    (task,) = found.groups[1].tasks
    assert (task.attempts, task.final, task.report.log) == (1, True, "tail")
    assert failures(made.session, [made.node(made.parts[0])]).count == 1


def test_a_task_that_will_be_tried_again_is_not_final(made):
    made.publish(made.parts)
    made.fail(made.last)
    (group,) = failures(made.session).groups
    assert not group.tasks[0].final
    made.fail(made.last)
    (group,) = failures(made.session).groups
    assert (group.tasks[0].final, group.tasks[0].attempts) == (True, 2)


def test_three_deaths_of_distinct_workers_are_final(made):
    task = made.parts[0]
    for worker in ("w1", "w1", "w2"):
        made.die(task, worker)
    (group,) = failures(made.session).groups
    assert (group.exception, group.tasks[0].final) == ("death", False)
    made.die(task, "w3")
    assert failures(made.session).groups[0].tasks[0].final


def test_failures_of_other_code_do_not_count(made):
    task = made.last
    record = made.record(task, FAILURE, fingerprint="old", payload=FailureReport().to_bytes())
    both = [record, record]
    assert failed_for_good(both, task, None)
    assert failed_for_good(both, task, "")
    assert failed_for_good(both, task, "old")
    assert not failed_for_good(both, task, "new")


@pytest.mark.parametrize("report", [{"final": True}, {"kind": "unpicklable"}])
def test_some_failures_are_final_at_once(made, report):
    payload = FailureReport(**report).to_bytes()
    assert failed_for_good([made.record(made.last, FAILURE, payload=payload)], made.last, None)


def test_a_report_survives_its_bytes_and_damage_is_named():
    report = FailureReport("E", "m\udcff", "t", "l", "h", "timeout", True, "f")
    again = FailureReport.from_bytes(report.to_bytes())
    assert again.kind == "timeout"
    assert FailureReport.from_bytes(b"") == FailureReport()
    assert FailureReport.from_bytes(b'{"exception": "E", "later": 1}').exception == "E"
    for damaged in (b"{", b"[1]", b"\xff", b"3"):
        with pytest.raises(ResultCorrupt, match="retry"):
            FailureReport.from_bytes(damaged)


def test_a_damaged_report_does_not_hide_the_failure(made):
    made.store.publish("w", [made.record(made.parts[0], FAILURE, payload=b"{{")])
    (group,) = failures(made.session).groups
    assert group.exception == "ResultCorrupt"


# -- show and log -----------------------------------------------------------------------
def test_show_tells_arguments_neighbours_and_provenance(made):
    made.execute()
    first = show(made.session, made.node(made.parts[0]))
    assert first.state == "done"
    assert first.arguments == (("path", "'a.png'"), ("scale", "1.0"))
    assert (first.dependents, first.dependencies) == (1, ())
    assert dict(first.provenance)["seconds"] == "2.0"
    assert "list" in first.preview
    last = show(made.session, made.node(made.last))
    assert [(n.name, n.state) for n in last.dependencies] == [(made.parts[0].name, "done")] * 3
    assert last.dependencies[1].hash == made.parts[1].hash()
    assert dict(last.options)["retries"] == "1"
    assert last.arguments[0][0] == "parts"


def test_show_of_a_failed_task_has_its_report(made):
    made.fail(made.parts[0], message="broken file")
    shown = show(made.session, 0)
    assert (shown.state, shown.preview, shown.provenance) == ("failed", "", ())
    assert shown.failure is not None
    assert shown.failure.report.message == "broken file"


def test_log_prefers_the_failure_then_the_workers_document(made):
    made.fail(made.parts[0], log="last words")
    assert log(made.session, 0).text == "last words"
    made.publish([made.parts[1]], worker="w9")
    assert (log(made.session, 1).text, log(made.session, 2).source) == ("", "")
    made.store.put_document("log/w9", b"said \xff")
    assert log(made.session, 1).source == "worker w9"
    assert log(made.session, 1).text.startswith("said ")


def test_count(made):
    found = count(made.session)
    assert [number for _, number in found.functions] == [3, 1]
    assert (found.total, count(made.session, [0, 3]).total) == (4, 2)


# -- graph ------------------------------------------------------------------------------
def test_dot_and_mermaid_per_function(made):
    made.publish(made.parts[:1])
    made.fail(made.parts[1])
    text = graph(made.session).text
    assert text.startswith("digraph")
    assert 'label="3"' in text
    assert "1 done" in text
    assert "1 failed" in text
    flow = graph(made.session, "mermaid").text
    assert "n0 -->|3| n1" in flow
    assert "classDef failed" in flow


def test_dot_per_task_of_a_selection(made, tmp_path):
    made.publish(made.parts)
    path = tmp_path / "g.dot"
    picture = graph(made.session, per_task=True, nodes=[0, 3], path=path)
    assert path.read_text() == picture.text
    assert picture.text.count("->") == 1
    assert "path='a.png'" in picture.text


def test_signs_are_escaped(bench):
    with bench.session:
        load('a"b\\<c>#')
    assert '\\"' in graph(bench.session, per_task=True).text
    flow = graph(bench.session, "mermaid", per_task=True).text
    assert "#lt;c#gt;" in flow
    assert "a#quot;b" in flow


def test_a_drawing_needs_a_path_a_known_form_and_the_program(made, tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="--output"):
        graph(made.session, "svg")
    with pytest.raises(UsageError, match="'pdf'"):
        graph(made.session, "pdf")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TaskGraphError, match="graphviz"):
        graph(made.session, "png", path=tmp_path / "g.png")
    program = tmp_path / "dot"
    program.write_text(
        f'#!{sys.executable}\nimport sys\nopen(sys.argv[3], "w").write(sys.argv[1])\n'
    )
    program.chmod(0o755)
    assert graph(made.session, "svg", path=tmp_path / "g.svg").form == "svg"
    assert (tmp_path / "g.svg").read_text() == "-Tsvg"
    program.write_text(f'#!{sys.executable}\nimport sys\nsys.exit("no such font")\n')
    with pytest.raises(TaskGraphError, match="no such font"):
        graph(made.session, "svg", path=tmp_path / "g.svg")


def test_too_many_boxes_are_refused(bench):
    with bench.session:
        for i in range(5_001):
            load(i)
    with pytest.raises(UsageError, match="5001"):
        graph(bench.session, per_task=True)
    assert "5001 ready" in graph(bench.session).text


# -- fsck and pack ----------------------------------------------------------------------
def test_fsck_names_the_tasks_to_recompute(made, monkeypatch):
    assert fsck(made.session).exit_code == 0
    found = [
        Problem("checksum", "segment 3", made.last.key, fixed=True),
        Problem("dangling blob", "blobs/aa", b"", fixed=False),
        Problem("checksum", "segment 4", bytes(32), fixed=True),
        Problem("checksum", "segment 5", made.last.key, fixed=True),
    ]
    monkeypatch.setattr(made.store, "check", lambda fix: found)
    report = fsck(made.session)
    assert report.exit_code == 1
    assert report.recompute == (("tools.merge", made.last.hash()), ("", bytes(32).hex()))


def test_fsck_sees_an_input_of_another_copy(made):
    made.execute()
    made.store.publish("w", [made.record(made.parts[0], digest=b"12345678", epoch=5)])
    made.store.pack()
    assert fsck(made.session).recompute == (("tools.merge", made.last.hash()),)


def test_pack_reports_before_and_after(made):
    made.publish(made.parts)
    made.publish(made.parts[:1], digest=b"another.", payload=b"x" * 100)
    sizes = pack(made.store)
    assert sizes.before.results == sizes.after.results == 3
    assert sizes.after.bytes < sizes.before.bytes


# -- the package ------------------------------------------------------------------------
def test_the_verbs_are_functions_also_after_their_modules_were_imported():
    code = (
        "import taskgraph.ops.status, taskgraph.ops.states, taskgraph.ops.failures, sys\n"
        "from taskgraph.ops import status, states, failures, plan\n"
        "import taskgraph.ops as ops\n"
        "assert all(map(callable, (status, states, failures, plan, ops.retry)))\n"
        "assert 'numpy' not in sys.modules and 'click' not in sys.modules, 'too heavy'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_an_unknown_verb_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ops.nonsense


# -- compound tasks ---------------------------------------------------------------------
def combine(count, start=0):
    return merge(*[load(str(start + i)) for i in range(count)])


@pytest.mark.parametrize("opened", [True, False])
def test_a_compound_task_shows_the_call_it_is_known_by(bench, opened):
    with bench.session:
        made = CompoundTask(combine, 2)
    if not opened:
        bench.publish([made])
        bench.session = Session(bench.store)
        with bench.session:
            made = CompoundTask(combine, 2)
    node = bench.node(made)
    shown = show(bench.session, node)
    assert shown.arguments == (("count", "2"), ("start", "0"))
    assert select(bench.session, Selection(names=["combine"], where=["count=2"])) == [node]
    assert count(bench.session).total == (4 if opened else 1)
