"""Where taskgraph can't run, it says so at once and names the way out."""

from __future__ import annotations

import fcntl
import os
import resource
import select
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


def test_waiting_for_descriptors_beyond_what_select_takes():
    """A program that calls ``taskgraph.ops`` may have more than 1,024 files open."""
    reading, writing = os.pipe()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard <= 1100:
        pytest.skip(f"the limit of open files is {hard} here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    high = fcntl.fcntl(reading, fcntl.F_DUPFD, 1100)
    try:
        with pytest.raises(ValueError, match="out of range"):
            select.select([high], [], [], 0)
        assert processes.readable([high], 0.0) == []
        os.write(writing, b"x")
        assert processes.readable([high], 1.0) == [high]
    finally:
        for number in (reading, writing, high):
            os.close(number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
