"""The front door: ``taskgraph COMMAND [JUGFILE] [OPTIONS] [-- ARGUMENTS OF THE JUGFILE]``.

One file a command, each a thin skin over a function of ``taskgraph.ops``; exit statuses
are those of docs/cli.md. Nothing but click and the called command is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import taskgraph
from taskgraph import processes
from taskgraph.cli.root import group
from taskgraph.errors import UsageError
from taskgraph.processes import check_platform


def main(args: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit status."""
    try:
        check_platform()
    except UsageError as error:
        sys.stderr.write(f"taskgraph: error: {error}\n")
        return error.exit_code
    stranger = find_stranger(Path(__file__).parents[2])
    if stranger:
        sys.stderr.write(f"taskgraph: error: {stranger}\n")
        return 4
    processes.IS_PROGRAM = args is None
    try:
        return group.run(sys.argv[1:] if args is None else args)
    finally:
        processes.keep_loaded()


def find_stranger(folder: Path) -> str:
    """Return what is wrong when another distribution's ``taskgraph`` is mixed with ours.

    Parameters
    ----------
    folder : Path
        Where the package lies, e.g. ``site-packages``.
    """
    mixed = "TaskGenerator" not in getattr(taskgraph, "__all__", ())
    others = [path.name for path in folder.glob("taskgraph-*.dist-info")]
    if not mixed and not others:
        return ""
    return (
        "The import name `taskgraph` must belong to bioimage-taskgraph, and another distribution "
        f"({others[0] if others else taskgraph.__file__}) has put its files there too. Make a "
        "fresh virtual environment, or `pip uninstall taskgraph` and reinstall bioimage-taskgraph."
    )
