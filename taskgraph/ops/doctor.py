"""``doctor``: look for trouble with this Python, with the store, and with where it stands.

What opens a store flows in, findings with a remedy each flow out. Nothing is repaired and
nothing is computed; the jugfile is not read. What only a backend can know (room, mounts,
permissions, settings of a server) it says itself, if it is
:class:`~taskgraph.store.Diagnosable`; records are `fsck`'s business.

A store that can't be opened is a finding too: its error says the rule, and the checks that
need no store are made all the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import taskgraph
from taskgraph.errors import (
    JugfileError,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreTooNew,
    TaskGraphError,
    UsageError,
)
from taskgraph.processes import check_platform
from taskgraph.provenance import identity
from taskgraph.store import Diagnosable, Finding, Identity, Store, WorkerInfo

LEAST_PYTHON = (3, 11)
#: Our packages; they lie in one folder.
PACKAGES = ("taskgraph", "backends", "bioimage_tasks")
#: What to do about a store that can't be opened, nearest class first.
REMEDIES: tuple[tuple[type[TaskGraphError], str], ...] = (
    (StoreForeign, "name another place with --store; nothing in this one was touched"),
    (StoreTooNew, "upgrade taskgraph here, or use the one that made the store"),
    (StoreFull, "make room where the store lies: nothing else can be looked at before"),
    (JugfileError, "name the jugfile, or its store behind --store"),
    (UsageError, "correct the URL behind --store, or the setting it comes from"),
    (StoreError, "check the path or address, the mount, and your permissions there"),
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a doctor found."""

    store: str  #: its URL, "" when it could not be opened
    findings: tuple[Finding, ...]
    opened: bool

    @property
    def exit_code(self) -> int:
        """0: at most notes; 1: warnings or errors; 4: the store can't be opened."""
        if not self.opened:
            return 4
        return int(any(finding.level in ("warning", "error") for finding in self.findings))


def doctor(opening: Callable[[], Store]) -> Diagnosis:
    """``report = doctor(lambda: open_store("cells.taskgraph"))``: make every check.

    Parameters
    ----------
    opening : callable
        Opens the store; it is closed again.
    """
    findings = [python(), system(), names()]
    try:
        store = opening()
    except TaskGraphError as error:
        return Diagnosis("", (*findings, unopened(error)), opened=False)
    try:
        findings += of_store(store)
    finally:
        store.close()
    return Diagnosis(store.url, tuple(findings), opened=True)


# -- without a store ----------------------------------------------------------------
def python(version: Sequence[int] = sys.version_info[:3]) -> Finding:
    """Look at the version of Python."""
    saw = ".".join(map(str, version))
    if tuple(version[:2]) >= LEAST_PYTHON:
        return Finding("python", "ok", saw)
    least = ".".join(map(str, LEAST_PYTHON))
    return Finding("python", "error", saw, f"install Python {least} or newer")


def system(platform: str = sys.platform) -> Finding:
    """Look at the operating system."""
    try:
        check_platform(platform)
    except UsageError as error:
        return Finding("system", "error", platform, str(error))
    if platform == "linux":
        return Finding("system", "ok", platform)
    saw = f"{platform}: workers whose supervisor was killed end at their next task only"
    return Finding("system", "note", saw, "after a `kill -9`, look for workers that are left")


def names(home: Path = Path(taskgraph.__file__).parents[1]) -> Finding:
    """Look whether another distribution has put packages of our names here.

    Parameters
    ----------
    home : Path
        The folder that our packages lie in.
    """
    others = sorted(path.name for path in home.glob("taskgraph-*.dist-info"))
    strangers = [f"`{name}` is found at {_place(name)}" for name in PACKAGES if not _at(name, home)]
    if not others and not strangers:
        return Finding("names", "ok", f"taskgraph {taskgraph.__version__} in {home}")
    saw = "; ".join([*strangers, *(f"{name} is installed over ours" for name in others)])
    remedy = (
        "make a fresh virtual environment, or uninstall the other distribution and reinstall "
        "bioimage-taskgraph; take what shadows it from PYTHONPATH and the current folder"
    )
    return Finding("names", "error", saw, remedy)


def _place(name: str) -> str:
    try:
        spec = find_spec(name)
    except ValueError:  # a module without a specification
        return ""
    places = spec and (spec.submodule_search_locations or [spec.origin or ""])
    return next(iter(places), "") if places else ""


def _at(name: str, home: Path) -> bool:
    place = _place(name)
    return bool(place) and Path(place).resolve() == (home / name).resolve()


# -- with one -----------------------------------------------------------------------
def unopened(error: TaskGraphError) -> Finding:
    """Return the finding about a store that can't be opened."""
    remedy = next((text for kind, text in REMEDIES if isinstance(error, kind)), "see the message")
    return Finding("store", "error", str(error), remedy)


def of_store(store: Store) -> Iterator[Finding]:
    """Give what can be found out about an open store."""
    saw = f"{store.url}, id {store.id[:12]}, lease {store.lease_seconds:g} s"
    yield Finding("store", "ok", saw)
    try:
        yield hosts(store.workers())
        if isinstance(store, Diagnosable):
            yield from store.diagnose()
    except StoreError as error:
        yield unopened(error)


def hosts(workers: Sequence[WorkerInfo], here: Identity | None = None) -> Finding:
    """Look for hosts of one name: a worker of the other one can't be asked by its pid.

    Parameters
    ----------
    workers : sequence of WorkerInfo
        All of the store.
    here : Identity, optional
        This process.
    """
    alive = [info.identity for info in workers if info.alive]
    boots: dict[str, set[str]] = {}
    for one in (identity() if here is None else here, *alive):
        boots.setdefault(one.host, set()).add(one.boot)
    twins = sorted(host for host, found in boots.items() if len(found) > 1)
    if not twins:
        return Finding("workers", "ok", f"{len(alive):,} alive, {len(workers) - len(alive):,} dead")
    saw = (
        f"several machines or containers are named {twins[0]}: whether a worker of the others "
        "lives is told by its heartbeat alone, after a lease"
    )
    return Finding("workers", "note", saw, "give each container a --hostname of its own")
