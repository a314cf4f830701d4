"""Another project's ``taskgraph`` that Python finds first: one clear error, and none of it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import entry_points

import pytest

from bioimage_tasks import start

PROGRAM = """
from importlib.metadata import distribution
(script,) = [e for e in distribution("bioimage-taskgraph").entry_points if e.name == "taskgraph"]
import sys
sys.argv = ["taskgraph", "--help"]
sys.exit(script.load()())
"""


@pytest.fixture
def stranger(tmp_path):
    """Return the path of another project's package, which says so when it is loaded."""
    package = tmp_path / "taskgraph"
    package.mkdir()
    (package / "__init__.py").write_text("print('the stranger runs')\n__version__ = '9.0'\n")
    return package / "__init__.py"


def python(program, first):
    """Run a program with a folder that comes first; return (exit status, output, errors)."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(first)},
        cwd=first, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_the_program_starts_in_a_package_of_our_own():
    (script,) = entry_points(group="console_scripts", name="taskgraph")
    assert script.load() is start.main


def test_the_program_refuses_it_in_one_line(stranger, tmp_path):
    """The rule, what to do, and where it lies; exit status 4, no traceback."""
    code, out, err = python(PROGRAM, stranger.parents[1])
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert err.startswith("taskgraph: error: The import name `taskgraph` must belong to")
    assert "`pip uninstall taskgraph`" in err
    assert f"it found {stranger}." in err
    stranger.unlink()
    stranger.parent.rmdir()
    code, out, _ = python(PROGRAM, tmp_path)
    assert (code, out.startswith("Usage: taskgraph")) == (0, True)


def test_a_module_of_that_name_is_refused_too(tmp_path):
    """Such as a script of the user's."""
    (tmp_path / "taskgraph.py").write_text("print('the stranger runs')\n")
    code, out, err = python(PROGRAM, tmp_path)
    assert (code, out) == (4, "")
    assert f"it found {tmp_path / 'taskgraph.py'}." in err


@pytest.mark.parametrize("module", ["backends.file_store", "bioimage_tasks.tasks"])
def test_who_needs_the_core_says_the_same(stranger, module):
    """As an ImportError; what needs no core goes on."""
    code, _, err = python(f"import {module}", stranger.parents[1])
    assert code == 1
    last = err.splitlines()[-1]
    assert last.startswith("ImportError: The import name `taskgraph` must belong to")
    assert f"it found {stranger}." in last
    assert python("import bioimage_tasks.metrics", stranger.parents[1]) == (0, "", "")


def test_no_core_at_all_and_a_folder_without_code_are_told(monkeypatch, tmp_path, capsys):
    """After `pip uninstall taskgraph` took away files that both had; a namespace package."""
    monkeypatch.setattr(start, "find_spec", lambda name: None)
    assert start.main() == 4
    assert capsys.readouterr().err.endswith("it found none.\n")
    folder = ModuleSpec("taskgraph", None, is_package=True)
    folder.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(start, "find_spec", lambda name: folder)
    with pytest.raises(ImportError, match=f"it found {tmp_path}"):
        start.check_core()


def test_ours_is_handed_the_command_line(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["taskgraph", "--version"])
    monkeypatch.setattr("taskgraph.processes.IS_PROGRAM", False)
    assert start.main() == 0
    assert capsys.readouterr().out.startswith("taskgraph ")
