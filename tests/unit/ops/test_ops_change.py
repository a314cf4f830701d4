"""Verbs that change or carry results: cleanup, rekey, export, import, run."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from taskgraph import codecs
from taskgraph.compose import CompoundTask, NoLoad
from taskgraph.compose import map as map_tasks
from taskgraph.errors import (
    NotReady,
    ResultCorrupt,
    StoreError,
    TaskFailed,
    UnknownTask,
    UsageError,
)
from taskgraph.ops import (
    cleanup,
    export_tasks,
    import_tasks,
    invalidate,
    rekey,
    run,
)
from taskgraph.ops.context import jugfile_label
from taskgraph.session import ANCESTORS, Session, as_buffer
from taskgraph.task import TaskGenerator, Tasklet


def plain(x):
    return (x, x + 1)


def add(*parts):
    """Sum all numbers in nested containers; of dicts the keys."""
    return sum(part if isinstance(part, int) else add(*part) for part in parts)


def total(blocks):
    return sum(map(sum, blocks)) if blocks else 0


def count_wrapped(wrapped, more):
    return len(more)


old_name = TaskGenerator(plain, name="before.plain")
new_name = TaskGenerator(plain, name="after.plain")
add_up = TaskGenerator(add)
sum_up = TaskGenerator(total)
count_up = TaskGenerator(count_wrapped)


@TaskGenerator
def divide(a, b):
    return a / b


# -- cleanup ----------------------------------------------------------------------------
def test_only_what_the_jugfile_no_longer_makes_goes(bench):
    bench.session.jugfile = Path("/data/x.py")
    bench.session.jugfile = None
    with bench.session:
        kept = add_up(1)
    gone, foreign = add_up(2), add_up(3)
    bench.publish([kept, gone])
    bench.publish([gone], digest=b"other...")
    bench.publish([foreign], jugfile="elsewhere.py")
    dry = cleanup(bench.session, dry_run=True)
    assert (dry.results, dry.others, dry.dry_run) == (1, 1, True)
    assert len(bench.store.keys()) == 3
    done = cleanup(bench.session)
    assert done.functions == ((gone.name, 1),)
    assert set(bench.store.keys()) == {kept.key, foreign.key}
    assert cleanup(bench.session, everything=True).results == 1
    assert bench.store.keys() == [kept.key]


def test_the_inside_of_an_unopened_compound_task_stays(bench):
    with bench.session:
        outer = add_up(1)
    bench.session.opaque.append(bench.node(outer))
    inner = add_up(2)
    bench.publish([inner])
    bench.publish([outer], extra=((ANCESTORS, inner.hash()),))
    assert cleanup(bench.session).results == 0


def test_cleanup_refuses_behind_a_barrier(bench):
    bench.session.stopped = True
    with pytest.raises(UsageError, match="barrier"):
        cleanup(bench.session)


def test_jugfiles_are_named_relative_to_the_store(tmp_path):
    jugfile = tmp_path / "a" / "x.py"
    assert jugfile_label(jugfile, str(tmp_path / "a" / "x.taskgraph")) == "../x.py"
    assert jugfile_label(jugfile, f"file:{tmp_path}/b/s") == "../../a/x.py"
    assert jugfile_label(jugfile, "redis://host/0") == jugfile.as_posix()
    assert jugfile_label(None, "s") == ""


# -- rekey ------------------------------------------------------------------------------
def build(bench, plain_task, mapped):
    """Make every kind of edge below a function that is renamed."""
    bench.session = Session(bench.store)
    with bench.session:
        a, b = plain_task(1), plain_task(2)
        add_up(5)
        add_up(a[0], b[1], [a, ({1: 2}, b)])
        count_up(NoLoad(a), [b[0], Tasklet(b, total_of)])
        add_up({b: 1, a: 2, 7: 3}, {a, b, 3})
        sum_up(map_tasks(mapped, list(range(6)), map_step=4) if mapped else None)
    return bench.session


def total_of(pair):
    return sum(pair)


def test_results_are_carried_over_a_renamed_function(bench):
    before = build(bench, old_name, None)
    values = bench.execute()
    after = build(bench, new_name, None)
    assert after.present().count(1) == 2  # what does not depend on the function
    dry = rekey(after, "before.plain", "after.plain", dry_run=True)
    assert (dry.copied, after.present().count(1)) == (5, 2)
    done = rekey(after, "before.plain", "after.plain")
    assert (done.copied, done.already, done.missing, done.refused) == (5, 0, 0, ())
    assert 0 not in after.present()
    got = [codecs.decode(as_buffer(r)) for r in after.load(after.graph.tasks) if r]
    assert got == [values[task.key] for task in before.graph.tasks]
    assert bench.store.check() == []
    heads = bench.store.heads([after.graph.tasks[0].key])
    assert heads[0] is not None
    assert heads[0].origin.function == "after.plain"
    again = rekey(after, "before.plain", "after.plain")
    assert (again.copied, again.already) == (0, 5)


def test_a_mapped_functions_chunks_come_along(bench):
    """The function is an argument of its chunks: their keys hold its name too."""
    build(bench, old_name, old_name)
    bench.execute()
    after = build(bench, new_name, new_name)
    rekey(after, "before.plain", "after.plain")
    assert 0 not in after.present()


def test_what_was_invalidated_stays_dead(bench):
    before = build(bench, old_name, None)
    bench.execute()
    invalidate(before, [0])
    after = build(bench, new_name, None)
    done = rekey(after, "before.plain", "after.plain")
    assert done.copied == 1  # plain(2) alone does not depend on plain(1)
    assert done.missing == 4


def test_an_unknown_new_name_is_an_error(bench):
    build(bench, old_name, None)
    with pytest.raises(UnknownTask, match=r"after\.plain"):
        rekey(bench.session, "before.plain", "after.plain")


def test_a_long_chain_is_rekeyed(bench):
    def chain(generator):
        bench.session = Session(bench.store)
        with bench.session:
            task = generator(1)
            for _ in range(3_000):
                task = add_up(task)
        return bench.session

    chain(old_name)
    bench.publish(bench.session.graph.tasks)
    assert rekey(chain(new_name), "before.plain", "after.plain").copied == 3_001


# -- export and import ------------------------------------------------------------------
def test_a_task_and_its_closure_travel_as_one_file(bench, benches, tmp_path):
    build(bench, new_name, None)
    values = bench.execute()
    path = tmp_path / "one.tgx"
    node = 3
    wanted = bench.session.graph.tasks[node]
    written = export_tasks(bench.session, [node], path)
    assert (written.results, written.bytes, written.missing) == (3, path.stat().st_size, ())
    other = benches()
    other.store.invalidate([b"x" * 32])
    build(other, new_name, None)
    done = import_tasks(other.session, path)
    assert (done.new, done.already, done.roots) == (3, 0, (wanted.hash(),))
    assert other.session.value(wanted) == values[wanted.key]
    assert other.store.workers() == []
    again = import_tasks(other.session, path)
    assert (again.new, again.already) == (0, 3)
    assert list(tmp_path.iterdir()) == [path]


def test_back_home_the_dead_stay_dead(bench, tmp_path):
    build(bench, new_name, None)
    bench.execute()
    path = tmp_path / "one.tgx"
    export_tasks(bench.session, [3], path)
    invalidate(bench.session, [0])
    import_tasks(bench.session, path)
    assert list(bench.session.present([0, 1, 3])) == [0, 1, 0]


def test_a_damaged_export_is_refused_whole(bench, benches, tmp_path):
    build(bench, new_name, None)
    bench.execute()
    path = tmp_path / "one.tgx"
    export_tasks(bench.session, [3], path)
    data = path.read_bytes()
    other = benches()
    for place in range(8, len(data), 97):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ResultCorrupt, match="checksum"):
            import_tasks(other.session, path)
        path.write_bytes(data[:place])
        with pytest.raises(ResultCorrupt, match="checksum"):
            import_tasks(other.session, path)
    assert other.store.keys() == []
    path.write_bytes(b"PK..")
    with pytest.raises(UsageError, match="is not"):
        import_tasks(other.session, path)
    with pytest.raises(UsageError, match="none is at"):
        import_tasks(other.session, tmp_path / "absent")


def test_an_export_needs_results_and_overwrites_nothing(bench, tmp_path):
    build(bench, new_name, None)
    path = tmp_path / "one.tgx"
    with pytest.raises(UsageError, match="no result"):
        export_tasks(bench.session, [3], path)
    bench.publish([bench.session.graph.tasks[3]])
    assert len(export_tasks(bench.session, [3], path).missing) == 2
    with pytest.raises(UsageError, match="never overwrites"):
        export_tasks(bench.session, [3], path)


# -- run --------------------------------------------------------------------------------
def test_one_task_runs_here_with_its_real_inputs(bench):
    with bench.session:
        a, b = add_up(6), add_up(3)
        divide(a, b)
    bench.execute([0, 1])
    ran = run(bench.session, 2)
    assert (ran.value, ran.published) == (2.0, False)
    assert bench.session.present()[2] == 0
    kept = run(bench.session, 2, publish=True, clock=lambda: 5.0)
    assert kept.published
    assert bench.session.present()[2] == 1
    (record,) = bench.session.load([bench.session.graph.tasks[2]])
    assert record is not None
    assert record.started == 5.0
    assert array("Q", record.inputs)[0] == array("Q", a.key)[0]
    assert bench.store.workers() == []
    assert bench.store.check() == []


def test_a_task_without_its_inputs_names_the_way(bench):
    with bench.session:
        divide(add_up(1), 1)
    with pytest.raises(NotReady, match="--publish"):
        run(bench.session, 1)


def test_a_raising_task_is_a_task_failed_and_frees_its_lock(bench, monkeypatch):
    with bench.session:
        divide(1, 0)
    with pytest.raises(TaskFailed, match="ZeroDivisionError"):
        run(bench.session, 0, publish=True)
    assert bench.store.workers() == []
    stopped = []
    monkeypatch.setattr("pdb.post_mortem", stopped.append)
    with pytest.raises(TaskFailed):
        run(bench.session, 0, pdb=True)
    assert stopped[0].tb_next.tb_next.tb_frame.f_code.co_name == "divide"


def total_of_two(x):
    return add_up(add_up(x), add_up(x + 1))


def test_a_compound_task_keeps_the_keys_of_its_inside(bench):
    with bench.session:
        outer = CompoundTask(total_of_two, 1)
    bench.execute(range(bench.node(outer)))
    assert run(bench.session, bench.node(outer), publish=True).value == 3
    (head,) = bench.store.heads([outer.key])
    assert head is not None
    inner = dict(head.origin.extra)[ANCESTORS].split()
    assert set(inner) >= {task.hash() for task in bench.session.graph.tasks} - {outer.hash()}


def test_a_busy_task_is_not_published_twice(bench):
    with bench.session:
        task = divide(1, 2)
    bench.store.claim(bench.worker(), [task.key])
    with pytest.raises(StoreError, match="busy"):
        run(bench.session, 0, publish=True)
    assert run(bench.session, 0).value == 0.5
