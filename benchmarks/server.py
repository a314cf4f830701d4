"""A redis-server of the benchmark's own: started in a folder, measured, ended.

In: a folder. Out: URLs and the seconds of CPU that the server has used. It keeps an
append-only file, synced every second, as a store that others rely on would.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

#: Seconds within which the server must answer.
START_SECONDS = 10.0
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Return a port of the loopback device that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Tell whether a server is ready on a port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as line:
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def cpu_of(pid: int) -> float:
    """Return user and system seconds of a process and of its ended children; 0 without one."""
    if not pid:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


class Server:
    """``with Server(folder) as server:`` a fresh and empty server on a free port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid if self._process else 0

    @property
    def host(self) -> str:
        """Its address as a URL without database and project."""
        return f"redis://127.0.0.1:{self.port}"

    def __enter__(self) -> Server:
        program = shutil.which("redis-server")
        if program is None:
            raise SystemExit("scenarios on Redis need redis-server: install Debian's package")
        self.folder.mkdir()
        options = {
            "port": self.port, "bind": "127.0.0.1", "dir": self.folder, "save": "",
            "appendonly": "yes", "appendfsync": "everysec",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([program, *words], stdout=subprocess.DEVNULL)
        end = time.monotonic() + START_SECONDS
        while not answers(self.port):
            if time.monotonic() > end or self._process.poll() is not None:
                self.__exit__()
                raise SystemExit(f"redis-server must start within {START_SECONDS:.0f} s")
            time.sleep(0.02)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
