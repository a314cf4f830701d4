"""``show``: all that is known of one task.

A node flows in; its arguments, neighbours, provenance and a preview of its result flow
out as text and numbers. The result is described from its first bytes, not loaded as an
object.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from taskgraph import codecs
from taskgraph.ops.arguments import arguments, short
from taskgraph.ops.attempts import attempts
from taskgraph.ops.code import fingerprints
from taskgraph.ops.failures import FailedTask, failed_task
from taskgraph.ops.stale import Judge
from taskgraph.ops.states import FAILED, STATES, states
from taskgraph.session import Session, as_buffer
from taskgraph.store import Head, Record


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A task that this one depends on."""

    name: str
    hash: str
    state: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One task."""

    name: str
    hash: str
    state: str
    arguments: tuple[tuple[str, str], ...]  #: (parameter, short ``repr``)
    dependencies: tuple[Neighbour, ...]
    dependents: int
    options: tuple[tuple[str, str], ...]  #: those that are not the default
    provenance: tuple[tuple[str, str], ...]  #: of its result; empty without one
    stale: bool
    preview: str  #: type, shape and the like of its result
    failure: FailedTask | None


def show(session: Session, node: int) -> Shown:
    """``facts = show(session, node)``: everything about one task."""
    session.look()
    task = session.graph.tasks[node]
    record = session.load([task])[0]  # first: one that is found damaged is not done
    state = states(session)
    ends, _ = session.graph.dependents()
    return Shown(
        name=task.shape.name,
        hash=task.hash(),
        state=STATES[state[node]],
        arguments=tuple((name, short(value)) for name, value in arguments(task).items()),
        dependencies=tuple(
            _neighbour(session, state, source) for source in session.graph.dependencies(node)
        ),
        dependents=ends[node] - (ends[node - 1] if node else 0),
        options=_options(session, node),
        provenance=() if record is None else _provenance(record),
        stale=record is not None and Judge(session).stale(task.shape.name, _head(record)),
        preview="" if record is None else codecs.describe(as_buffer(record)),
        failure=_failure(session, node, state[node] == FAILED),
    )


def _neighbour(session: Session, state: bytearray, node: int) -> Neighbour:
    task = session.graph.tasks[node]
    return Neighbour(task.shape.name, task.hash(), STATES[state[node]])


def _options(session: Session, node: int) -> tuple[tuple[str, str], ...]:
    from dataclasses import fields

    options = session.graph.tasks[node].shape.options
    code = fingerprints(session, {session.graph.name(node)})
    told = [
        (field.name, str(getattr(options, field.name)))
        for field in fields(options)
        if getattr(options, field.name) != field.default
    ]
    return (*told, *(("code", value) for value in code.values() if value))


def _provenance(record: Record) -> tuple[tuple[str, str], ...]:
    """Return what a record tells about its making, without what is unknown."""
    origin = record.origin
    facts: list[tuple[str, object]] = [
        ("started", _date(record.started)),
        ("seconds", round(record.seconds, 6)),
        ("cpu seconds", round(record.cpu, 6)),
        ("peak bytes", record.peak),
        ("result bytes", record.size),
        ("attempt", record.attempt),
        ("epoch", record.epoch),
        ("digest", record.digest.hex()),
        ("host", origin.host),
        ("worker", origin.worker),
        ("job", origin.job),
        ("jugfile", origin.jugfile),
        ("code", origin.fingerprint),
        *((f"version of {package}", version) for package, version in origin.versions),
    ]
    return tuple((name, str(fact)) for name, fact in facts if fact != "")


def _date(started: float) -> str:
    """Return ``2026-11-20 23:24:37+00:00``, in this machine's time zone."""
    moment = datetime.fromtimestamp(started, UTC).astimezone()
    return moment.isoformat(sep=" ", timespec="seconds")


def _head(record: Record) -> Head:
    return Head(
        key=record.key,
        epoch=record.epoch,
        digest=record.digest,
        size=record.size,
        seconds=record.seconds,
        started=record.started,
        origin=record.origin,
    )


def _failure(session: Session, node: int, final: bool) -> FailedTask | None:
    records = attempts(session, session.present()).get(node)
    return failed_task(session, node, records, final) if records else None
