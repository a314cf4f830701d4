"""``taskgraph shell``: a Python shell with the jugfile's names and tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import jugfile_options
from taskgraph.cli.text import plural
from taskgraph.cli.trouble import note
from taskgraph.cli.where import Where

if TYPE_CHECKING:
    from taskgraph.session import Session
    from taskgraph.task import Task


@click.command("shell", cls=Command)
@jugfile_options()
def command(where: Where) -> None:
    """Open a Python shell with the jugfile's tasks.

    There are the jugfile's own names, tasks (all of them), value(task), invalidate(task),
    find(hash or name) and status(). IPython is used where it is installed.
    """
    session = where.session()
    names = namespace(session)
    banner = (
        f"{plural(len(session.graph), 'task')} of {where.jugfile} in {session.store.url}\n"
        "tasks, value(task), invalidate(task), find('hash or name'), status()"
    )
    with session:
        interact(names, banner)


def namespace(session: Session) -> dict[str, Any]:
    """Return the names that the shell begins with."""
    from taskgraph.ops.invalidate import invalidate
    from taskgraph.ops.select import find_task

    def forget(*tasks: Any) -> Any:
        """Remove the results of tasks and all computed from them."""
        from taskgraph.session import nodes_of

        return invalidate(session, nodes_of(session, tasks))

    def find(text: str) -> Task:
        """Return the task with this hash or name."""
        return session.graph.tasks[find_task(session, text)]

    def status() -> None:
        """Print the table of states."""
        from taskgraph.cli.status import long_table
        from taskgraph.cli.text import width
        from taskgraph.ops.status import status_of

        click.echo(long_table(status_of(session), width()))

    own = vars(session.module) if session.module is not None else {}
    return {
        **{name: obj for name, obj in own.items() if not name.startswith("__")},
        "tasks": list(session.graph.tasks),
        "value": session.value,
        "invalidate": forget,
        "find": find,
        "status": status,
        "session": session,
    }


def interact(
    names: dict[str, Any], banner: str, *, ipython: Callable[[], Any] | None = None
) -> None:
    """Run the shell: IPython, else Python's own."""
    try:
        shell = (ipython or _ipython)()
    except ImportError:
        import code

        note("IPython is not installed (pip install 'bioimage-taskgraph[shell]'): a plain shell")
        code.interact(banner=banner, local=names, exitmsg="")
        return
    click.echo(banner)
    shell(argv=["--no-banner"], user_ns=names)


def _ipython() -> Any:
    from IPython import start_ipython

    return start_ipython
