"""Rooms for forced restarts: a server's older log, handles on one clock, planted faults.

A running :class:`~taskgraph.testing.redis_server.RedisServer` and the function that opens a
store flow in; stores, and a server that has lost its last writes, flow out. A fault is a
change of one store; a trace of calls must hold without it and fail with it. It knows of a
store only that its ``_server.link`` has scripts and a shift of the clock.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from taskgraph.testing.redis_server import RedisServer, need_server, shared_server

NUMBERS = itertools.count()
Fault = Callable[[Any], None]


def new_url(**query: str) -> str:
    """Return the URL of a new project on the server that tests share."""
    need_server()
    return shared_server().url(f"new-{os.getpid()}-{next(NUMBERS)}", tcp=False, **query)


class Past:
    """A server with an older copy of its log."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        several = server.folder / "appendonlydir"  # a folder of files from 7.0 on
        self.log = several if several.exists() else server.folder / "appendonly.aof"
        self.copy = Path(f"{self.log}.{next(NUMBERS)}")

    def remember(self) -> None:
        """Copy the log as it is now; the server must sync always."""
        self.forget()
        _copy(self.log, self.copy)

    def forget(self) -> None:
        """Remove the copy, if there is one."""
        if self.copy.exists():
            _remove(self.copy)

    def return_to(self) -> None:
        """Kill the server; start it with the copy."""
        self.server.kill()
        _remove(self.log)
        _copy(self.copy, self.log)
        self.server.start()


class Room:
    """Handles of one new project, whose clock the test moves."""

    def __init__(self, server: RedisServer, open_store: Callable[..., Any]) -> None:
        self.url = server.url(f"race-{next(NUMBERS)}", lease="30")
        self.handles: list[Any] = []
        self.passed = 0.0
        self._open = open_store

    def open(self, fault: Fault | None = None) -> Any:
        """Return a further handle, perhaps with a fault."""
        store = self._open(
            self.url, create=True, say=lambda text: None, sleep=lambda seconds: None,
            time_shift=round(self.passed * 1000),
        )  # fmt: skip
        if fault is not None:
            fault(store)
        self.handles.append(store)
        return store

    def pass_time(self, seconds: float) -> None:
        """Move the clock that the scripts go by."""
        self.passed += seconds
        for store in self.handles:
            store._server.link.time_shift = round(self.passed * 1000)


def script(name: str, right: str, wrong: str) -> Fault:
    """Return the fault of a store one of whose scripts has another line."""

    def plant(store: Any) -> None:
        link = store._server.link
        text = link.scripts[name]
        assert right in text
        link.scripts[name] = text.replace(right, wrong)
        link.close()

    return plant


def check(trace: Callable[[Callable[..., Any]], None], room: Room, fault: Fault | None) -> None:
    """Run a trace over the store, or see it fail over a store with a fault."""
    if fault is None:
        trace(room.open)
        return
    with pytest.raises(AssertionError):
        trace(lambda: room.open(fault))


def faulty(*faults: Fault) -> pytest.MarkDecorator:
    """Run a test over the store, and over the store with each fault."""
    cases = [None, *faults]
    return pytest.mark.parametrize("fault", cases, ids=["the store", *["a fault"] * len(faults)])


def _copy(source: Path, target: Path) -> None:
    """Copy a file or a folder."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _remove(path: Path) -> None:
    """Remove a file or a folder."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
