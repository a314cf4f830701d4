"""Settings: what beats what, and that nothing misspelt goes by in silence."""

from __future__ import annotations

import os

import click
import pytest

from taskgraph.cli.root import group
from taskgraph.config import SETTINGS, check_environment, read_settings, variable
from taskgraph.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("TASKGRAPH_"):
            monkeypatch.delenv(name)
    return tmp_path


def jobs(*args):
    """Return the number of workers that `taskgraph execute` would start."""
    command = group.get_command(click.Context(group), "execute")
    with command.make_context("execute", list(args)) as ctx:
        return ctx.params["jobs"]


def test_command_line_beats_environment_beats_file_beats_default(folder, monkeypatch):
    assert jobs() == 1
    (folder / "taskgraph.toml").write_text("[execute]\njobs = 3\n")
    assert jobs() == 3
    monkeypatch.setenv("TASKGRAPH_JOBS", "5")
    assert jobs() == 5
    assert jobs("-j", "7") == 7


def test_the_nearest_file_upwards_from_the_jugfile_counts(folder):
    inner = folder / "a" / "b"
    inner.mkdir(parents=True)
    (folder / "taskgraph.toml").write_text("jobs = 2\n")
    (folder / "a" / "pyproject.toml").write_text("[tool.taskgraph]\njobs = 4\n")
    assert jobs() == 2
    assert jobs("a/b/jugfile.py") == 4
    (inner / "pyproject.toml").write_text("[project]\nname = 'taskgraph-user'\n")
    assert jobs("a/b/jugfile.py") == 4, "a file without our table is passed by"


def test_paths_in_a_file_start_at_its_folder(folder):
    (folder / "taskgraph.toml").write_text(
        'store = "results"\njugfile = "cells.py"\n[execute]\nstop-file = "stop"\n'
        'resources = {gpu = 1, memory = "8G"}\n'
    )
    settings = read_settings(folder)
    assert settings.of("status") == {
        "store": str(folder / "results"),
        "jugfile": str(folder / "cells.py"),
    }
    assert settings.of("execute")["stop_file"] == [str(folder / "stop")]
    assert settings.of("execute")["resources"] == ["gpu=1", "memory=8G"]
    (folder / "taskgraph.toml").write_text('store = "redis://host/1"\n')
    assert read_settings(folder).of("status")["store"] == "redis://host/1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("jbos = 2", "'jbos'; the closest known one is jobs"),
        ("[execute]\nstroe = 'x'", "'execute.stroe'; the closest known one is store"),
        ("[status]\njobs = 2", "'status.jobs'"),
        ("[exceute]\njobs = 2", "the closest known one is execute"),
        ("jobs = 'many'", "jobs must be a whole number; got 'many'"),
        ("jobs = true", "jobs must be a whole number; got True"),
        ("jobs = ", "is TOML"),
    ],
)
def test_an_unknown_key_or_an_unusable_value_is_an_error(folder, text, said):
    (folder / "taskgraph.toml").write_text(text)
    with pytest.raises(ConfigError, match=said.replace("[", r"\[")) as caught:
        read_settings(folder)
    assert "taskgraph.toml" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_plug_in_may_have_a_table_of_its_own(folder):
    (folder / "taskgraph.toml").write_text("[datasets]\nroot = 'x'\n")
    with pytest.raises(ConfigError):
        read_settings(folder)
    assert read_settings(folder, lambda: ("datasets",)).of("datasets") == {"root": "x"}


def test_an_unknown_variable_is_an_error():
    check_environment({"TASKGRAPH_JOBS": "2", "PATH": ""})
    with pytest.raises(ConfigError, match=r"TASKGRAPH_JOBS\. Got TASKGRAPH_JBOS"):
        check_environment({"TASKGRAPH_JBOS": "2"})


def test_the_settings_are_options_of_the_commands():
    """Each setting is an option of its commands, with its variable, and the reverse."""
    ctx = click.Context(group)
    found = {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        for param in command.params:
            if param.envvar:
                found.setdefault(param.envvar, set()).add(name)
    readers = set(found["TASKGRAPH_STORE"])
    for key, setting in SETTINGS.items():
        if key != "jugfile":
            assert found.pop(variable(key)) == set(setting.commands or readers), key
    assert not found


def test_no_file_means_no_settings(folder):
    assert read_settings(folder).of("execute") == {}
