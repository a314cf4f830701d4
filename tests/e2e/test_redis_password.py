"""A password in the URL of a store opens it, and is found nowhere afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from taskgraph.testing.redis_server import RedisServer, need_server

SECRET = "s3cr3tw0rd"
JUGFILE = """
from taskgraph import TaskGenerator
@TaskGenerator
def inverse(x): return 1 / x
results = [inverse(i) for i in range(3)]
"""
COMMANDS = (
    "execute -j2 -v", "status", "status --json", "status --quick", "check", "failures",
    "graph", "doctor", "doctor --json", "fsck", "pack",
)  # fmt: skip


@pytest.mark.redis
def test_no_command_shows_or_keeps_the_password(tmp_path):
    """One task fails, so that texts of errors are among what is shown and stored."""
    need_server()
    path = tmp_path / "job.py"
    path.write_text(JUGFILE)
    with RedisServer(requirepass=SECRET, appendonly="yes") as server:
        url = server.url("p").replace("unix://", f"unix://:{SECRET}@")
        for command in COMMANDS:
            verb, *options = command.split()
            line = [sys.executable, "-m", "taskgraph", verb, str(path), *options, "--store", url]
            ran = subprocess.run(line, capture_output=True, text=True, check=False)
            assert ran.returncode in (0, 1), ran.stderr
            assert SECRET not in ran.stdout + ran.stderr, command
        server.call("BGREWRITEAOF")
        kept = [*tmp_path.rglob("*"), *server.folder.rglob("*")]
        assert not any(SECRET.encode() in f.read_bytes() for f in kept if f.is_file())
