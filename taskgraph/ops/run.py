"""``run``: one task, here and now, with its real inputs, in this process.

A node flows in, its value flows out; with ``publish`` also into the store, under a lock
as any worker would have it. No fork, so a debugger and a profiler work.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from taskgraph import codecs
from taskgraph.errors import NotReady, StoreError, TaskFailed
from taskgraph.ops.code import fingerprints
from taskgraph.ops.context import jugfile_label, now, visitor
from taskgraph.session import Session, as_buffer
from taskgraph.store import RESULT, Key, Origin, Record
from taskgraph.task import Task, verify_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes in a unit of ``ru_maxrss``.
_PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Ran:
    """One task that was run here."""

    name: str
    hash: str
    value: Any
    seconds: float
    cpu: float  #: CPU seconds
    published: bool


def run(
    session: Session,
    node: int,
    publish: bool = False,
    pdb: bool = False,
    *,
    clock: Callable[[], float] = now,
) -> Ran:
    """``ran = run(session, node)``: run one task and return its value.

    Parameters
    ----------
    session : Session
        A jugfile that has been read.
    node : int
        Which task; whether it has a result already does not matter.
    publish : bool
        Keep the result in the store.
    pdb : bool
        Stop in the debugger where the task raises.

    Raises
    ------
    NotReady
        If an input has no result.
    TaskFailed
        If the task raises; its exception is the cause.
    StoreError
        With ``publish``, if a live worker is busy with it.
    """
    session.look()
    task = session.graph.tasks[node]
    if not publish:
        value, seconds, cpu, _ = _compute(session, node, pdb)
        return Ran(task.shape.name, task.hash(), value, seconds, cpu, published=False)
    with visitor(session.store) as worker, _lease(session, worker, task) as epoch:
        started = clock()
        value, seconds, cpu, inputs = _compute(session, node, pdb)
        payload, digest = codecs.encode(value)
        record = Record(
            key=task.key,
            kind=RESULT,
            epoch=epoch,
            digest=digest,
            inputs=inputs,
            origin=_origin(session, task, worker),
            started=started,
            seconds=seconds,
            cpu=cpu,
            peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _PEAK_UNIT,
            attempt=1,
            payload=payload,
        )
        session.store.publish(worker, [record])
    return Ran(task.shape.name, task.hash(), value, seconds, cpu, published=True)


@contextmanager
def _lease(session: Session, worker: str, task: Task) -> Iterator[int]:
    """Hold the task's lock; the epoch is read before any input is loaded."""
    claim = session.store.claim(worker, [task.key])
    if not claim.keys:
        raise StoreError(
            f"A task is run by one at a time, and a live worker is busy with {task!r}. Wait for "
            "it, or run without --publish."
        )
    try:
        yield claim.epoch
    finally:
        session.store.release(worker, claim)


def _compute(session: Session, node: int, pdb: bool) -> tuple[Any, float, float, bytes]:
    """Return value, seconds, CPU seconds and the packed ids of the inputs."""
    task = session.graph.tasks[node]
    results, inputs = _inputs(session, node)
    verify_arguments(task)

    def value_of(dependency: Any) -> Any:
        if isinstance(dependency, Task):
            return results[dependency.key]
        return dependency.value(value_of)

    wall, cpu = perf_counter(), process_time()
    try:
        value = task.call(value_of)
    except Exception as error:
        if pdb:
            _debug(error)
        raise TaskFailed(f"{task!r} raised {type(error).__name__}: {error}") from error
    return value, perf_counter() - wall, process_time() - cpu, inputs


def _inputs(session: Session, node: int) -> tuple[dict[Key, Any], bytes]:
    """Load the results that a task depends on."""
    tasks = [session.graph.tasks[source] for source in session.graph.dependencies(node)]
    results: dict[Key, Any] = {}
    ids: list[bytes] = []
    for task, record in zip(tasks, session.load(tasks), strict=True):
        if record is None:
            raise NotReady(
                f"A task needs the results of its dependencies, and {task!r} has none. Run "
                f"`taskgraph execute`, or `taskgraph run {task.hash()[:12]} --publish` first."
            )
        results[task.key] = codecs.decode(as_buffer(record))
        ids += (task.key[:8], record.digest)
    return results, b"".join(ids)


def _origin(session: Session, task: Task, worker: str) -> Origin:
    from taskgraph.compose import record_extra
    from taskgraph.provenance import make_origin, package_versions

    name = task.shape.name
    origin = make_origin(
        name,
        fingerprints(session, {name}).get(name, ""),
        jugfile_label(session.jugfile, session.store.url),
        worker,
        package_versions(),
    )
    return replace(origin, extra=record_extra(task, session.graph))


def _debug(error: BaseException) -> None:
    """Open the debugger where the exception was raised."""
    import pdb

    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    pdb.post_mortem(error.__traceback__)
