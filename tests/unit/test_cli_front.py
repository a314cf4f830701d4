"""The front door itself: exit statuses, errors on one line, jug's words, lightness."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from taskgraph.cli import find_stranger, main, plugins, trouble
from taskgraph.cli.catalogue import COMMANDS
from taskgraph.cli.root import group
from taskgraph.cli.text import paint, shorten, table
from taskgraph.cli.where import split_words
from taskgraph.errors import StoreFull, TaskGraphError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "jugfile.py").write_text("from taskgraph import Task\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return tmp_path


def fails(capsys, *args):
    """Return status and the one line on standard error that begins with the program's name."""
    code = main(args)
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    errors = [line for line in told.err.splitlines() if line.startswith("taskgraph: error:")]
    assert len(errors) == 1, told.err
    return code, errors[0]


def test_each_command_has_the_help_that_the_table_says():
    ctx = click.Context(group, info_name="taskgraph")
    for name, entry in COMMANDS.items():
        command = group.get_command(ctx, name)
        assert command.name == name
        assert command.help.partition("\n")[0] == entry.help
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert param.help, f"{name} {param.name}"


def test_the_help_loads_no_command_and_nothing_heavy():
    program = (
        "import sys\nfrom taskgraph.cli import main\nmain(['--help'])\n"
        "print(*[m for m in sys.modules if m.startswith('taskgraph.ops') or m in "
        "('numpy', 'importlib.metadata', 'taskgraph.cli.status')], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "sleep-until" in done.stdout
    assert done.stderr.strip() == ""


def test_the_supervisor_loads_neither_numpy_nor_what_forks_do_not_need():
    program = (
        "import sys\nimport taskgraph.cli.execute, taskgraph.ops.execute, taskgraph.progress\n"
        "import taskgraph.cli.defaults\n"
        "print(*[m for m in ('numpy', 'asyncio', 'importlib.metadata', 'taskgraph.compat.finder',"
        " 'taskgraph.worker') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


# -- bad input --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["stauts"], 2, "there is status"),
        (["webstatus"], 2, "status --watch"),
        (["status", "--debug"], 2, "-v shows tracebacks"),
        (["status", "--nonsense"], 2, "No such option"),
        (["status", "nothing.py"], 4, "There is no jugfile at nothing.py"),
        (["status", "jugfile.py", "more"], 2, "comes after --"),
        (["show"], 2, "one task is named"),
        (["show", "no_such_task"], 2, "no_such_task"),
        (["execute", "-j", "0"], 2, "--jobs"),
        (["execute", "--resources", "gpu"], 2, "NAME=AMOUNT"),
        (["execute", "--memory", "much"], 2, "'much'"),
        (["execute", "--idle-exit", "soon"], 2, "'soon'"),
        (["status", "--store", "tape:x"], 2, "'tape'"),
        (["failures", "--pattern", "/(/"], 2, "regular expression"),
        (["import-jug"], 2, "jugfile.jugdata"),
    ],
)
def test_bad_input_gives_one_clear_line(capsys, args, code, said):
    status, line = fails(capsys, *args)
    assert status == code
    assert said in line


def test_a_jugfile_that_raises_is_named_with_its_line(capsys, folder):
    (folder / "jugfile.py").write_text("x = 1\nx / 0\n")
    code, line = fails(capsys, "count")
    assert code == 4
    assert "ZeroDivisionError" in line
    main(["count"])
    assert "jugfile.py:2" in capsys.readouterr().err
    main(["count", "-v"])
    assert "Traceback" in capsys.readouterr().err


def test_a_folder_that_is_no_store_is_refused(capsys, folder):
    (folder / "data").mkdir()
    (folder / "data" / "thesis.txt").write_text("precious")
    code, _ = fails(capsys, "status", "--store", "data")
    assert code == 4
    assert [path.name for path in (folder / "data").iterdir()] == ["thesis.txt"]


# -- exit statuses -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StoreFull("no room"), 4),
        (TaskGraphError("no"), 4),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
        (click.exceptions.Exit(7), 7),
        (click.UsageError("what"), 2),
        (ZeroDivisionError("a bug"), 4),
    ],
)
def test_every_error_has_its_exit_status(capsys, error, code):
    assert trouble.report(error, 0) == code


def test_a_bug_never_ends_with_the_status_of_a_failed_task(capsys):
    assert trouble.report(RuntimeError("bug"), 0) == 4
    assert "RuntimeError" in capsys.readouterr().err


def test_a_closed_pipe_is_quiet():
    program = f"{sys.executable} -m taskgraph --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout.strip() in ("0", "141")
    assert done.stderr == ""


def test_click_runners_and_the_program_agree():
    result = CliRunner().invoke(group, ["--version"])
    assert result.exit_code == 0
    assert result.output.startswith("taskgraph ")
    assert CliRunner().invoke(group, []).output.startswith("Usage: taskgraph")
    assert CliRunner().invoke(group, ["count", "--pattern"]).exit_code == 2


def test_completion_names_commands(monkeypatch, capsys):
    monkeypatch.setenv("_TASKGRAPH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "taskgraph sta")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert main([]) == 0
    assert capsys.readouterr().out.split() == ["plain,status", "plain,stale"]


# -- another distribution, plug-ins -----------------------------------------------------
def test_another_distributions_taskgraph_is_refused(tmp_path, monkeypatch, capsys):
    assert find_stranger(tmp_path) == ""
    (tmp_path / "taskgraph-9.0.dist-info").mkdir()
    assert "taskgraph-9.0.dist-info" in find_stranger(tmp_path)
    monkeypatch.setattr("taskgraph.__all__", ["target_tasks"])
    assert main(["--help"]) == 4
    assert "another distribution" in capsys.readouterr().err


def plug_in(tmp_path, monkeypatch, body):
    info = tmp_path / "extra-1.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[taskgraph.commands]\ncheer = cheer_on:cheer\n")
    (tmp_path / "cheer_on.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)


def test_a_plug_in_is_listed_and_called(tmp_path, monkeypatch, capsys):
    plug_in(
        tmp_path, monkeypatch,
        "import click\n@click.command()\ndef cheer():\n    click.echo('hurrah')\n",
    )  # fmt: skip
    assert plugins.installed()["cheer"] == "cheer_on:cheer"
    assert main(["--help"]) == 0
    assert "cheer" in capsys.readouterr().out
    assert main(["cheer"]) == 0
    assert capsys.readouterr().out == "hurrah\n"


def test_a_broken_plug_in_is_named(tmp_path, monkeypatch, capsys):
    plug_in(tmp_path, monkeypatch, "import nothing_of_this_name\n")
    sys.modules.pop("cheer_on", None)
    code, line = fails(capsys, "cheer")
    assert code == 4
    assert "cheer_on:cheer" in line


# -- jug's words ---------------------------------------------------------------------------
def test_options_that_jug_has_are_taken(capsys, folder):
    (folder / "jugfile.py").write_text("from jug import TaskGenerator\n")
    assert main(["status", "--jugdir", "%(jugfile)s.none", "--will-cite"]) == 4
    assert "jugfile.none" in capsys.readouterr().err
    assert main(["count", "--aggressive-unload", "--target", "*"]) == 2
    assert main(["count", "--verbose", "debug"]) == 0
    told = capsys.readouterr().err
    assert "is -v here" in told


def test_import_jug_means_ours_unless_told_otherwise(capsys, folder):
    (folder / "jugfile.py").write_text("import jug\nassert 'taskgraph' in jug.__file__\n")
    assert main(["count"]) == 0
    assert "--no-jug-alias" in capsys.readouterr().err


def test_jugrc_is_read_and_its_unknown_keys_are_named(capsys, folder):
    (folder / ".jugrc").write_text("[main]\njugfile=other.py\nnonsense=1\n")
    (folder / "other.py").write_text("")
    assert main(["count", "--json"]) == 0
    told = capsys.readouterr()
    assert "nonsense" in told.err
    (folder / "other.py").unlink()
    assert main(["count"]) == 4


def test_jugs_waiting_cycles_are_an_idle_exit(capsys):
    from taskgraph.cli.execute import _options

    command = group.get_command(click.Context(group), "execute")
    with command.make_context("execute", ["--wait-cycle-time", "2"]) as ctx:
        given = {k: v for k, v in ctx.params.items() if k in _options.__annotations__}
        assert _options(**given)["idle_exit"] == 300
    assert "gives up after 300 s" in capsys.readouterr().err


# -- text ------------------------------------------------------------------------------------
def test_a_table_fits_the_width():
    heads = ["function", "waiting", "done"]
    rows = [["a.very.long.name.of.a.function", "0", "12"], ["b", "0", "3"]]
    assert table(heads, rows).splitlines()[1].endswith("12")
    narrow = table(heads, rows, room=24).splitlines()
    assert max(map(len, narrow)) <= 24
    assert "waiting" not in narrow[0]
    assert "…" in narrow[1]
    assert shorten("abcdefghij", 5) == "ab…ij"


def test_no_colour_without_a_terminal_or_with_no_color(monkeypatch):
    assert paint("x", "done") == "x"
    monkeypatch.setattr("taskgraph.cli.text.sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert paint("x", "done") != "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", "done") == "x"


def test_the_jugfile_is_told_from_tasks(folder):
    assert split_words([]) == (None, ())
    assert split_words(["total"]) == (None, ("total",))
    assert split_words(["cells.py", "total"]) == ("cells.py", ("total",))
    assert split_words(["jugfile", "total"]) == ("jugfile", ("total",))
