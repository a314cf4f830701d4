"""``execute``: run what a jugfile asks for, with N workers under one supervisor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from taskgraph.board import Board
from taskgraph.errors import StoreError, TaskGraphError, UsageError
from taskgraph.jugfile import check_jugfile
from taskgraph.ops.context import jugfile_label, store_url
from taskgraph.orders import STORE_PATIENCE, Orders
from taskgraph.outcome import Outcome
from taskgraph.processes import check_platform
from taskgraph.provenance import cores, machine_resources
from taskgraph.registry import open_store
from taskgraph.session import Session
from taskgraph.supervisor import Display, Supervisor
from taskgraph.template import Job
from taskgraph.threads import Threads
from taskgraph.units import parse_resources


class Silence:
    """A display that shows nothing."""

    def update(self, done: int, running: int, failed: int) -> None:
        """Show nothing."""

    def line(self, text: str) -> None:
        """Write a line to standard error: it tells of trouble."""
        sys.stderr.write(text + "\n")

    def set_total(self, total: int) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Show nothing."""


def execute(jugfile: Path | str | Session, store: str | None = None, **options: Any) -> Outcome:
    """``outcome = execute("jugfile.py", jobs=4)``: run all tasks that have no result.

    The supervisor is started as a fresh program, never as a fork of the caller, so this
    is safe in a notebook and beside any library. Options are those of :func:`run_here`.
    With an open session, as ``taskgraph.session()`` gives, its tasks run in this process;
    options are then those of ``ops.desk.execute_session``.

    Returns
    -------
    Outcome
        With ``exit_code`` 0 when all is done.

    Raises
    ------
    TaskGraphError
        If it could not run at all.
    """
    if isinstance(jugfile, Session):
        from taskgraph.ops.desk import execute_session

        return execute_session(jugfile, **options)
    request = {"jugfile": str(jugfile), "store": store, "options": options}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    child = subprocess.run(
        [sys.executable, "-m", "taskgraph.ops.execute"],
        input=json.dumps(request),
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        check=False,
    )
    lines = child.stdout.splitlines()
    if not lines:
        raise TaskGraphError(f"The supervisor must not die; it ended with {child.returncode}.")
    outcome = Outcome.from_json(lines[-1])
    if outcome.error:
        raise TaskGraphError(outcome.error)
    return outcome


def run_here(
    jugfile: Path | str,
    store: str | None = None,
    *,
    jobs: int = 1,
    argv: Sequence[str] = (),
    names: Sequence[str] = (),
    pattern: str | None = None,
    idle_exit: float | None = None,
    max_tasks: int | None = None,
    max_seconds: float | None = None,
    stop_files: Sequence[str] = (),
    resources: Mapping[str, Any] | None = None,
    memory: float | None = None,
    store_patience: float = STORE_PATIENCE,
    grace: float = 10.0,
    interrupted_code: int = 3,
    verbose: int = 0,
    template: bool = True,
    display: Display | None = None,
    prepare: Callable[[], None] = lambda: None,
) -> Outcome:
    """Run with this process as the supervisor.

    Parameters
    ----------
    jugfile, store
        As everywhere; the store is made when there is none.
    jobs : int
        Workers.
    argv : sequence of str
        What the jugfile finds behind its own name in ``sys.argv``.
    names, pattern
        Run only these tasks (see ``ops.select``); what they depend on is not pulled in.
    idle_exit, max_tasks, max_seconds
        When workers leave with work undone (exit code 3).
    stop_files : sequence of str
        Files whose presence asks to stop.
    resources : mapping, optional
        Budget shared by all workers; default: the machine's memory and GPUs.
    memory : float, optional
        Bytes of results a worker may keep for dependents.
    store_patience : float
        Seconds that the store may be full or away before a worker gives up.
    grace : float
        Seconds that running tasks get after a signal.
    interrupted_code : int
        Exit code after a signal, when work is left.
    verbose : int
        1: show what tasks print.
    template : bool
        ``False``: the jugfile is read for each worker in a process of its own, for
        jugfiles whose libraries can't be forked with what they have loaded.
    display : Display, optional
        Where progress is shown.
    prepare : callable
        Called in the process that reads the jugfile, before it does.
    """
    check_platform()
    path = check_jugfile(Path(jugfile))
    if jobs < 1:
        raise UsageError(f"The number of workers must be at least 1, got {jobs}.")
    url = store_url(path, store)
    opened = open_store(url, create=True)
    budget = {**machine_resources(), **(parse_resources(resources) or {})}
    job = Job(
        jugfile=path,
        store=opened,
        board=Board(jobs, budget),
        orders=Orders(
            idle_exit=idle_exit,
            max_tasks=max_tasks,
            max_seconds=max_seconds,
            memory=memory if memory is not None else budget["memory"] / 16 / jobs,
            store_patience=store_patience,
            verbose=verbose > 0,
        ),
        argv=tuple(argv),
        select=_selector(names, pattern),
        threads=Threads(cores(), jobs),
        one_template=template,
        prepare=prepare,
        after_load=_write_snapshot,
        jugfile_name=jugfile_label(path, url),
    )
    supervisor = Supervisor(
        job,
        display or Silence(),
        grace=grace,
        interrupted_code=interrupted_code,
        stop_requested=lambda: _stop_file(stop_files),
    )
    return supervisor.run()


def _stop_file(files: Sequence[str]) -> str:
    """Return why to stop: the first of these files that is there."""
    return next((f"{name} is there" for name in files if Path(name).exists()), "")


def _selector(names: Sequence[str], pattern: str | None) -> Callable[[Session], bytearray | None]:
    """Return the function that marks the selected nodes of a session."""

    def chosen(session: Session) -> bytearray | None:
        if not names and pattern is None:
            return None
        from taskgraph.ops.select import Selection, select

        marks = bytearray(len(session.graph))
        for node in select(session, Selection(names=tuple(names), pattern=pattern)):
            marks[node] = 1
        return marks

    return chosen


def _write_snapshot(session: Session) -> None:
    """Write the graph for ``status --quick``, unless it is there already."""
    from taskgraph.ops.snapshot import write_snapshot

    try:
        write_snapshot(session)
    except StoreError as error:  # the snapshot is a convenience, results are not at stake
        sys.stderr.write(f"the graph snapshot could not be written: {error}\n")


def main() -> int:
    """Read a request from standard input, run it, write the outcome."""
    request = json.loads(sys.stdin.read())
    # Whatever prints, and however long it lives, writes to standard error: the caller reads
    # the answer up to the end of the pipe, which only this process may hold.
    answer = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    try:
        outcome = run_here(
            request["jugfile"],
            request["store"],
            prepare=lambda: os.close(answer),
            **request["options"],
        )
    except TaskGraphError as error:
        outcome = Outcome(error=str(error), exit_code=error.exit_code)
    with os.fdopen(answer, "w") as out:
        out.write(outcome.to_json() + "\n")
    return outcome.exit_code


if __name__ == "__main__":
    sys.exit(main())
