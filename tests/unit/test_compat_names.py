"""jug's names: the alias, the hooks, reading a jugfile from a script, methods of tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.memory_store import MemoryStore
from taskgraph import events
from taskgraph.compat.finder import install_alias, remove_alias
from taskgraph.errors import NotReady, UsageError
from taskgraph.notebook import deactivate
from taskgraph.session import CURRENT
from taskgraph.store import Identity
from taskgraph.task import Task

JUGFILE = """
from jug import TaskGenerator, barrier, Tasklet, value
from jug.io import write_metadata, write_task_out

@TaskGenerator
def double(x):
    return 2 * x

@TaskGenerator
def fail(x):
    raise KeyError(x)

two = double(1)
four = double(two)
part = Tasklet(two, abs)
bad = fail(1)
"""


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the alias said; the alias is on meanwhile."""
    lines: list[str] = []
    modules = set(sys.modules)
    remove_alias()
    install_alias(lines.append)
    yield lines
    remove_alias()
    for name in set(sys.modules) - modules:
        if name == "work":
            del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", ["script"])
    (tmp_path / "work.py").write_text(JUGFILE)
    yield tmp_path
    active = CURRENT.get()
    if active is not None:
        deactivate(active)


@pytest.fixture
def hooks(said: list[str]) -> Iterator[Any]:
    import jug.hooks

    jug.hooks.reset_all_hooks()
    yield jug.hooks
    jug.hooks.reset_all_hooks()


# -- the alias ------------------------------------------------------------------------


def test_the_alias_speaks_once_and_only_when_jug_is_imported(said: list[str]) -> None:
    assert said == []
    import jug
    import jug.mapreduce
    from jug.utils import identity

    assert len(said) == 1
    assert "taskgraph.compat.jug" in said[0]
    assert jug.__name__ == "taskgraph.compat.jug"
    assert jug.__spec__.name == "taskgraph.compat.jug"
    assert identity.__module__ == "taskgraph.compose.commands"


def test_modules_of_jug_do_not_hide_its_functions(said: list[str]) -> None:
    import jug
    import jug.barrier
    import jug.jug
    import jug.task
    from jug.backends.dict_store import dict_store
    from jug.barrier import bvalue

    assert jug.bvalue is bvalue
    assert callable(jug.barrier)
    assert callable(dict_store)
    assert jug.jug.init is jug.init


def test_what_the_stand_in_lacks_is_an_import_error_that_says_so(said: list[str]) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module 'jug\.subcommands'"):
        import jug.subcommands
    with pytest.raises(ModuleNotFoundError, match="no module"):
        import jug.nothing.at_all  # noqa: F401


def test_the_real_jug_comes_back(said: list[str]) -> None:
    remove_alias()
    pytest.importorskip("jug")
    real = sys.modules["jug"]
    assert "site-packages" in str(real.__file__)
    install_alias(said.append)
    install_alias(said.append)
    import jug

    assert jug is not real
    remove_alias()
    assert sys.modules["jug"] is real


# -- a script -------------------------------------------------------------------------


def test_init_reads_a_jugfile_and_value_works_afterwards(folder: Path) -> None:
    import jug

    store, space = jug.init("work.py", "dict_store")
    assert store is CURRENT.get().store
    assert jug.is_jug_running()
    assert not space["four"].can_run()
    assert space["two"].can_run()
    assert not space["two"].can_load()
    assert space["two"].run() == 2
    assert space["two"].can_load()
    assert space["part"].value() == 2
    assert space["four"].run(save=False) == 4
    with pytest.raises(NotReady):
        _ = space["four"].result
    assert space["two"].result == space["two"].value() == jug.value(space["two"]) == 2
    space["two"].invalidate()
    assert not space["two"].can_load()
    with pytest.raises(KeyError):
        space["bad"].run()


def test_invalidate_forgives_those_who_died_at_it(folder: Path) -> None:
    """As the command does: else the next worker blames the task for an old death."""
    import jug

    now = [1000.0]
    store = MemoryStore(clock=lambda: now[0])
    _, space = jug.init("work.py", store=store)
    dead = store.enter(Identity("elsewhere", "boot", 3, "birth"))
    store.running(dead, space["four"].key)
    now[0] += 2 * store.lease_seconds
    space["two"].invalidate()
    assert [info.running for info in store.workers()] == [b""]


def test_init_tells_of_a_barrier(folder: Path) -> None:
    import jug

    (folder / "work.py").write_text(JUGFILE + "barrier()\nlate = 1\n")
    _, space = jug.init("work.py", store=MemoryStore())
    assert space["__jug__hasbarrier__"]
    assert "late" not in space


def test_init_exits_or_propagates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import jug

    (folder / "work.py").write_text("raise KeyError('gone')\n")
    with pytest.raises(KeyError, match="gone"):
        jug.init("work.py", store=MemoryStore(), on_error="propagate")
    with pytest.raises(SystemExit) as left:
        jug.init("work.py", store=MemoryStore())
    assert left.value.code == 1
    assert "KeyError" in capsys.readouterr().err
    with pytest.raises(ValueError, match="on_error"):
        jug.init("work.py", on_error="ignore")


def test_set_jugdir_begins_a_session_and_changes_none(folder: Path) -> None:
    import jug

    store = jug.set_jugdir("dict_store")
    assert jug.set_jugdir(None) is store
    with pytest.warns(UserWarning, match="changes nothing here"):
        assert jug.set_jugdir("elsewhere") is store
    with pytest.raises(UsageError, match="not written to a file"):
        jug.dict_store.select("dict_store:x")


def test_walks_over_tasks_as_in_jug(folder: Path) -> None:
    import jug.task
    from jug.task import describe, recursive_dependencies, topological_sort

    _, space = jug.init("work.py", store=MemoryStore())
    assert len(jug.task.alltasks) == 3
    two, four = space["two"], space["four"]
    shuffled = [four, two]
    topological_sort(shuffled)
    assert shuffled == [two, four]
    assert list(recursive_dependencies(four)) == [two]
    assert list(recursive_dependencies(four, 0)) == []
    two.run()
    described = describe([four, {"x": space["part"]}])
    assert described[0]["args"][0]["meta"]["computed"] is True
    assert described[1]["x"]["base"]["name"] == "work.double"


def test_results_and_descriptions_are_written_to_files(folder: Path) -> None:
    import jug
    import numpy as np
    from jug.io import write_metadata, write_task_out

    _, space = jug.init("work.py", store=MemoryStore())
    space["two"].run()
    write_task_out(space["two"], "two.pkl", "two.json", "json").run()
    assert json.loads((folder / "two.json").read_text())["name"] == "work.double"
    assert (folder / "two.pkl").stat().st_size > 0
    with pytest.raises(ValueError, match="'yaml' or 'json'"):
        write_metadata(space["two"], "x", "toml").run()
    array = Task(np.arange, 3)
    array.run()
    write_task_out(array, "array.npy").run()
    assert np.load(folder / "array.npy").tolist() == [0, 1, 2]


# -- helpers --------------------------------------------------------------------------


def test_matchers_are_jugs(said: list[str]) -> None:
    from jug.utils import prepare_name_matcher, prepare_task_matcher

    strict = prepare_name_matcher("func*")
    assert strict("mod.func_other")
    assert not strict("mod.myfunc")
    assert prepare_task_matcher("/f.n/")("mod.fun")
    assert not prepare_task_matcher("f.n")("mod.fun")
    with pytest.raises(ValueError, match="empty pattern"):
        prepare_task_matcher("")


def test_moving_and_globbing(folder: Path) -> None:
    from jug.utils import glob_sort, sync_move

    (folder / "b.txt").write_text("b")
    sync_move("b.txt", folder / "a.txt")
    assert glob_sort("*.txt") == ["a.txt"]


def test_the_summary_table_lists_counts(said: list[str]) -> None:
    from types import SimpleNamespace

    from jug.io import get_terminal_size, print_task_summary_table

    lines: list[str] = []
    for short in (True, False):
        options = SimpleNamespace(short=short, print_out=lines.append)
        print_task_summary_table(options, [("Ready", {"f": 2, "g": 1})])
    assert lines[:2] == ["Ready:  3 tasks", "** Total: 3 tasks."]
    assert len(lines) == 6
    assert len(get_terminal_size()) == 2


# -- hooks ----------------------------------------------------------------------------


def tell(method: str, *args: Any) -> None:
    for listener in events.listeners():
        getattr(listener, method)(*args)


def test_jugs_hooks_hear_of_events(hooks: Any) -> None:
    heard: list[tuple[str, Any]] = []
    for name in ("task-loadable", "task-pre-execute", "task-executed1"):
        hooks.register_hook(f"execute.{name}", lambda task, name=name: heard.append((name, task)))
    hooks.register_hook("execute.finished_post_status")(lambda: heard.append(("end", None)))
    for _ in range(2):
        hooks.register_hook_once("execute.finished_pre_status", 1, lambda: heard.append(("pre", 0)))
    task: Any = object()
    tell("task_loadable", task)
    tell("task_started", task)
    tell("task_done", task, 0.5)
    tell("task_failed", task, KeyError())
    tell("finished", 1, 0)
    names = [name for name, _ in heard]
    assert names[:3] == ["task-loadable", "task-pre-execute", "task-executed1"]
    assert len(heard) == 5
    with pytest.raises(ValueError, match=r"A hook is one of .*; got 'execute\.nothing'"):
        hooks.register_hook("execute.nothing", print)


def test_exit_checks_leave_by_systemexit(hooks: Any, tmp_path: Path) -> None:
    from jug.hooks import exit_checks

    now = [0.0]
    exit_checks.exit_after_n_tasks(2)
    tell("task_done", None, 0.1)
    with pytest.raises(SystemExit):
        tell("task_done", None, 0.1)
    hooks.reset_all_hooks()
    exit_checks.exit_after_time(minutes=1, clock=lambda: now[0])
    tell("task_done", None, 0.1)
    now[0] = 60.0
    with pytest.raises(SystemExit):
        tell("task_done", None, 0.1)
    hooks.reset_all_hooks()
    exit_checks.exit_if_file_exists(tmp_path / "stop")
    tell("task_started", None)
    (tmp_path / "stop").touch()
    with pytest.raises(SystemExit):
        tell("task_started", None)


def test_exit_when_true_and_variables(hooks: Any, tmp_path: Path) -> None:
    from jug.hooks import exit_checks

    answers = [False, True]
    exit_checks.exit_when_true(lambda: answers.pop(0))
    tell("task_done", None, 0.1)
    with pytest.raises(SystemExit):
        tell("task_done", None, 0.1)
    hooks.reset_all_hooks()
    exit_checks.exit_when_true(bool, function_takes_Task=True)
    with pytest.raises(SystemExit):
        tell("task_done", "task", 0.1)
    hooks.reset_all_hooks()
    stop = tmp_path / "stop"
    stop.touch()
    given = {"JUG_MAX_TASKS": "1", "JUG_MAX_HOURS": "1", "JUG_EXIT_IF_FILE_EXISTS": str(stop)}
    exit_checks.exit_env_vars(given)
    with pytest.raises(SystemExit):
        tell("task_done", None, 0.1)
    with pytest.raises(SystemExit):
        tell("task_started", None)


def test_mean_times_are_printed_at_the_end(
    hooks: Any, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import jug
    from jug.hooks.execution import register_time_tasks

    _, space = jug.init("work.py", store=MemoryStore())
    register_time_tasks()
    register_time_tasks()
    for seconds in (1.0, 3.0):
        tell("task_done", space["two"], seconds)
    tell("finished", 2, 0)
    assert "work.double          2.00s (2 tasks)" in capsys.readouterr().out
    events.LISTENERS.clear()
