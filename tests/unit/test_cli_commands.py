"""Each command through the front door, on a small jugfile and a file store."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from taskgraph.cli import main

JUGFILE = """
import sys
from taskgraph import TaskGenerator

@TaskGenerator
def square(x):
    print("squaring", x)
    if "--fail" in sys.argv and x == 2:
        raise ValueError("no two")
    return x * x

@TaskGenerator
def total(parts):
    return sum(parts)

total([square(x) for x in range(4)])
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Give each test a folder with a jugfile, and this process its path and modules back."""
    (tmp_path / "jugfile.py").write_text(JUGFILE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return tmp_path


def execute(*options):
    """Run the supervisor as a program, as everybody does: it forks."""
    command = [sys.executable, "-m", "taskgraph", "execute", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def as_json(capsys, *args):
    code = main([*args, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_from_nothing_to_done(capsys):
    assert main(["check"]) == 3
    assert "no store yet" in capsys.readouterr().err
    done = execute("-j", "2")
    assert done.returncode == 0, done.stderr
    assert "5 of 5 done" in done.stdout
    assert main(["check"]) == 0
    assert main(["status", "--short"]) == 0
    assert capsys.readouterr().out.endswith("5 tasks: 5 done\n")
    assert main(["sleep-until"]) == 0
    assert main(["fsck"]) == 0
    assert "all is well" in capsys.readouterr().out
    again = execute("--json")
    assert json.loads(again.stdout)["executed"] == 0


def test_status_reads_a_jugfile_again_that_looks_at_the_arguments_of_its_tasks(folder, capsys):
    """``status`` keeps no arguments; a jugfile that needs them must read as everywhere."""
    text = "made = [square(x) for x in range(4)]\nassert made[2].args == (2,)\n"
    (folder / "jugfile.py").write_text(f"{JUGFILE}{text}print('read')\n")
    assert main(["status", "--short"]) == 3
    said = capsys.readouterr()
    assert said.out.splitlines()[0] == "read"
    assert said.err.count("no store yet") == 1, "read twice, said once"
    assert main(["check"]) == 3


def test_status_has_a_row_per_function_and_one_for_all(capsys):
    execute()
    assert main(["status"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["function", "waiting"]
    assert [line.split()[0] for line in lines[1:4]] == ["jugfile.square", "jugfile.total", "total"]
    assert lines[3].split()[4] == "5"
    code, quick = as_json(capsys, "status", "--quick")
    assert code == 0
    assert quick["totals"]["done"] == 5
    assert quick["age"] is not None


def test_a_failure_is_told_retried_and_done(capsys):
    done = execute("--", "--fail")
    assert done.returncode == 1
    assert "ValueError: no two" in done.stderr
    assert main(["status"]) == 1
    assert main(["check"]) == 1
    assert main(["sleep-until"]) == 1
    capsys.readouterr()
    assert main(["failures", "--traceback"]) == 0
    told = capsys.readouterr().out
    assert "ValueError: 1 task of jugfile.square: no two" in told
    assert "Traceback" in told
    assert "squaring 2" in told
    assert execute().returncode == 1, "the same code waits for retry"
    assert main(["retry"]) == 0
    assert "1 failed task will be tried again" in capsys.readouterr().out
    assert execute().returncode == 0
    assert main(["failures"]) == 0
    assert "no failures" in capsys.readouterr().out


def test_invalidate_shows_refuses_without_a_terminal_and_goes_with_yes(capsys):
    execute()
    chosen = ["invalidate", "--name", "square", "--where", "x=2"]
    assert main([*chosen, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[:2] == ["total", "2"]
    assert main(chosen) == 2
    assert "add --yes" in capsys.readouterr().err
    assert main(["check"]) == 0, "nothing has gone"
    assert main([*chosen, "--yes"]) == 0
    assert "2 results removed" in capsys.readouterr().out
    assert main(["check"]) == 3
    assert json.loads(execute("--json").stdout)["executed"] == 2


def test_invalidate_asks_on_a_terminal(capsys, monkeypatch):
    execute()
    monkeypatch.setattr("taskgraph.cli.invalidate.sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda text: "n")
    assert main(["invalidate", "--name", "total"]) == 130
    assert main(["check"]) == 0
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda text: "y")
    assert main(["invalidate", "--name", "total"]) == 0
    assert main(["check"]) == 3


def test_invalidate_must_be_told_what(capsys):
    assert main(["invalidate", "--yes"]) == 2
    assert "--name '*' is everything" in capsys.readouterr().err


def test_stale_results_are_listed_and_blessed(capsys, folder):
    execute()
    (folder / "jugfile.py").write_text(JUGFILE.replace("return x * x", "return x ** 2"))
    assert main(["stale"]) == 0
    assert "jugfile.square: 4 stale results" in capsys.readouterr().out
    assert main(["stale", "--accept"]) == 0
    assert "kept as they are" in capsys.readouterr().out
    assert main(["stale"]) == 0
    assert "nothing is stale" in capsys.readouterr().out


def test_show_log_and_run_know_one_task(capsys):
    execute()
    assert main(["show", "total"]) == 0
    text = capsys.readouterr().out
    assert "depends on 4 tasks" in text
    assert "version of python" in text
    _, facts = as_json(capsys, "show", "total")
    assert facts["state"] == "done"
    assert main(["show", facts["hash"][:10]]) == 0
    square = facts["dependencies"][0]["hash"][:12]
    capsys.readouterr()
    assert main(["log", square]) == 0
    assert "[jugfile.square] squaring" in capsys.readouterr().out
    assert main(["run", "total", "--publish"]) == 0
    assert capsys.readouterr().out.endswith("14\n")
    assert main(["run", square, "--", "--fail"]) == 0


def test_count_and_graph_need_no_store(capsys, folder):
    code, found = as_json(capsys, "count")
    assert (code, found["total"]) == (0, 5)
    assert main(["graph"]) == 0
    assert capsys.readouterr().out.startswith("digraph taskgraph {")
    assert main(["graph", "--format", "mermaid", "--per-task", "-o", "g.mmd"]) == 0
    assert (folder / "g.mmd").read_text().count('["jugfile.square') == 4
    assert not (folder / "jugfile.taskgraph").exists()


def test_cleanup_removes_what_the_jugfile_no_longer_makes(capsys, folder):
    execute()
    (folder / "jugfile.py").write_text(JUGFILE.replace("range(4)", "range(3)"))
    code, gone = as_json(capsys, "cleanup", "--dry-run")
    assert (code, gone["results"]) == (0, 2)
    assert main(["cleanup"]) == 0
    assert "2 results" in capsys.readouterr().out
    assert main(["cleanup"]) == 0
    assert capsys.readouterr().out.startswith("0 results")


def test_results_travel_in_a_file(capsys):
    execute()
    assert main(["export", "total", "-o", "all.tgx"]) == 0
    assert main(["import", "--from", "all.tgx", "--store", "other"]) == 0
    assert "5 results taken in" in capsys.readouterr().out
    assert main(["check", "--store", "other"]) == 0
    assert main(["import", "--from", "nothing.tgx"]) == 2
    assert main(["export", "-o", "b.tgx"]) == 2


def test_results_are_carried_over_a_renamed_function(capsys, folder):
    execute()
    (folder / "jugfile.py").write_text(JUGFILE.replace("square", "power"))
    assert main(["check"]) == 3
    assert main(["rekey", "jugfile.square", "jugfile.power"]) == 0
    assert "5 results carried over" in capsys.readouterr().out
    assert main(["check"]) == 0
    assert main(["rekey", "jugfile.square"]) == 2


def test_pack_needs_no_jugfile_when_it_is_given_a_store(capsys, folder):
    execute()
    (folder / "jugfile.py").unlink()
    assert main(["pack", "--store", "jugfile.taskgraph"]) == 0
    assert "with 5 results" in capsys.readouterr().out
    assert main(["fsck", "--no-jugfile", "--store", "jugfile.taskgraph"]) == 0


def test_init_writes_a_store_with_a_project_into_the_configuration(capsys, folder):
    """Only a server's URL gets a project's name; a password gets nowhere."""
    assert main(["init", "--store", "redis://host/0", "pi"]) == 0
    text = (folder / "taskgraph.toml").read_text()
    assert re.fullmatch(
        rf'store = "redis://host/0\?project={folder.name[:40]}-[0-9a-f]{{4}}"\n', text
    )
    capsys.readouterr()
    assert main(["init", "--store", "unix:///socket?db=1", "other"]) == 2
    assert re.search(r"write `store = .*/socket\?db=1&project=", capsys.readouterr().err)
    (folder / "taskgraph.toml").unlink()
    assert main(["init", "--store", "redis://:secret@host/0", "other"]) == 2
    assert "secret" not in capsys.readouterr().err
    assert not (folder / "taskgraph.toml").exists()
    assert main(["init", "--store", "redis://host/0?project=mine", "one"]) == 0
    assert (folder / "taskgraph.toml").read_text() == 'store = "redis://host/0?project=mine"\n'
    (folder / "taskgraph.toml").unlink()
    assert main(["init", "--store", "results", "two"]) == 0
    assert (folder / "taskgraph.toml").read_text() == 'store = "results"\n'


def test_init_writes_a_jugfile_that_runs_and_never_overwrites(capsys, folder):
    assert main(["init"]) == 2
    assert "never overwrites" in capsys.readouterr().err
    assert main(["init", "pi"]) == 0
    done = execute("pi")
    assert done.returncode == 0, done.stderr
    assert main(["log", "pi", "report"]) == 0
    assert "pi is about 3.1" in capsys.readouterr().out


def test_the_debugger_opens_at_the_first_failure_and_nothing_runs_after_it():
    done = execute("--pdb", "--", "--fail")
    assert done.returncode == 1
    assert done.stdout.count("(Pdb)") == 1
    assert execute("--pdb").returncode == 1, "the failure waits for retry"


def test_the_shell_has_tasks_values_and_commands(capsys, monkeypatch):
    from taskgraph.cli import shell

    execute()
    seen = {}

    def talk(banner, local, exitmsg):
        seen.update(local, banner=banner)
        local["status"]()
        seen["answer"] = local["value"](local["find"]("total"))
        seen["gone"] = local["invalidate"](local["find"]("total")).results

    def absent():
        raise ImportError

    monkeypatch.setattr("code.interact", talk)
    monkeypatch.setattr(shell, "_ipython", absent)
    assert main(["shell"]) == 0
    assert (seen["answer"], seen["gone"], len(seen["tasks"])) == (14, 1, 5)
    assert "IPython is not installed" in capsys.readouterr().err
    assert callable(seen["square"])


def test_watching_ends_when_all_is_done(capsys):
    execute()
    assert main(["status", "--watch", "--every", "0.1", "--short"]) == 0


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(capsys, shell):
    assert main(["completion", shell]) == 0
    assert "_TASKGRAPH_COMPLETE" in capsys.readouterr().out
