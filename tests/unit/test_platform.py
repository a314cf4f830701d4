"""Where taskgraph can't run, it says so at once and names the way out."""

from __future__ import annotations

import sys

import pytest

from taskgraph import cli, processes
from taskgraph.errors import UsageError


@pytest.mark.parametrize("platform", ["win32", "cygwin"])
def test_windows_is_refused_with_the_remedy(platform):
    with pytest.raises(UsageError, match="install WSL2"):
        processes.check_platform(platform)


@pytest.mark.parametrize("platform", ["linux", "darwin", sys.platform])
def test_others_are_not(platform):
    processes.check_platform(platform)


def test_the_command_line_ends_with_one_line(monkeypatch, capsys):
    def refuse():
        processes.check_platform("win32")

    monkeypatch.setattr(cli, "check_platform", refuse)
    assert cli.main(["status"]) == 2
    assert capsys.readouterr().err.startswith("taskgraph: error: taskgraph runs on Linux")
