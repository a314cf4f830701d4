"""What is compared: how each system is told to execute, look and invalidate.

In: a jugfile's text and a folder. Out: argument lists. An engine knows its command line
and nothing of the measuring.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import graphs

BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Engine:
    """One system: its name, its package and the words of its command line."""

    name: str
    package: str
    store_option: str
    extra: tuple[str, ...] = ()
    has_workers: bool = False  #: one command starts several workers
    server_options: str = ""  #: what its URL of a Redis server ends with
    store: str = "store"
    server: int = 0  #: process that works for the commands without being one of theirs

    def at(self, host: str, server: int) -> Engine:
        """Return this engine with a Redis server as its store, by URL and process."""
        return replace(self, store=host + self.server_options, server=server)

    def write(self, folder: Path, text: str) -> None:
        """Write the jugfile for this engine into ``folder``."""
        (folder / "bench.py").write_text(text.replace("PACKAGE", self.package))

    def command(self, verb: str, *options: str) -> list[str]:
        """Return the argument list of one command on the jugfile of the current folder."""
        place = [self.store_option, self.store]
        return [str(BIN / self.name), verb, "bench.py", *place, *self.extra, *options]

    def execute(self, workers: int) -> list[list[str]]:
        """Return the commands that, started together, are ``workers`` workers."""
        if self.has_workers:
            return [self.command("execute", "-j", str(workers))]
        return [self.command("execute")] * workers

    def status(self) -> list[list[str]]:
        """Return the command that counts the states of all tasks."""
        return [self.command("status", "--short")]

    def invalidate(self, function: str) -> list[list[str]]:
        """Return the command that invalidates one function's results."""
        options = ["--yes"] if self.has_workers else []
        return [self.command("invalidate", "--name", function, *options)]

    def help(self) -> list[list[str]]:
        """Return the command that prints the help."""
        return [[str(BIN / self.name), "--help"]]

    def importing(self) -> list[list[str]]:
        """Return a program that imports the package and does nothing."""
        return [[sys.executable, "-c", f"import {self.package}"]]


class Doit(Engine):
    """doit, the fastest peer of one process: flat graphs only."""

    def write(self, folder: Path, text: str) -> None:
        """Write the flat tasks for doit; the number is taken from the jugfile's text."""
        n = int(text.partition("range(")[2].partition(")")[0])
        (folder / "dodo.py").write_text(graphs.dodo(n))

    def execute(self, workers: int) -> list[list[str]]:
        """Return the one command; doit's own worker processes are not compared."""
        return [[str(BIN / "doit"), "run", "--db-file", "store"]]


OURS = Engine(
    "taskgraph", "taskgraph", "--store", has_workers=True, server_options="/0?project=bench"
)
JUG = Engine("jug", "jug", "--jugdir", extra=("--will-cite",))
DOIT = Doit("doit", "doit", "--db-file")
