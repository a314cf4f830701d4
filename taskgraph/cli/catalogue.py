"""The commands by name: module, section and one line of help. Loads none of them.

``taskgraph --help`` is written from this table alone; a test compares each line with the
first line of the command's own help.
"""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One built-in command."""

    module: str  #: below ``taskgraph.cli``; it has a ``command``
    section: str
    help: str


RUN, LOOK, CHANGE, KEEP, MORE = (
    "Run",
    "Look",
    "Change what is done",
    "Look after the store",
    "More",
)

COMMANDS = {
    "init": Entry("init", RUN, "Write a small jugfile to start from."),
    "execute": Entry("execute", RUN, "Run all tasks that have no result."),
    "run": Entry("run", RUN, "Run one task here, with its real inputs."),
    "shell": Entry("shell", RUN, "Open a Python shell with the jugfile's tasks."),
    "status": Entry("status", LOOK, "Show how far each function has come."),
    "check": Entry("check", LOOK, "Tell by the exit status whether all is done."),
    "sleep-until": Entry("sleep_until", LOOK, "Wait until all is done, or can't be."),
    "failures": Entry("failures", LOOK, "List what failed, grouped by exception."),
    "show": Entry("show", LOOK, "Show all that is known of one task."),
    "log": Entry("log", LOOK, "Show what a task printed."),
    "count": Entry("count", LOOK, "Count the tasks of each function."),
    "graph": Entry("graph", LOOK, "Draw the graph, coloured by state."),
    "invalidate": Entry("invalidate", CHANGE, "Remove results and all computed from them."),
    "retry": Entry("retry", CHANGE, "Try failed tasks again."),
    "stale": Entry("stale", CHANGE, "List results whose code has changed since."),
    "rekey": Entry("rekey", CHANGE, "Carry results over a renamed function."),
    "cleanup": Entry("cleanup", KEEP, "Remove results that the jugfile no longer makes."),
    "pack": Entry("pack", KEEP, "Merge a store's small files."),
    "fsck": Entry("fsck", KEEP, "Verify every checksum and cross reference."),
    "doctor": Entry("doctor", KEEP, "Look for trouble with the store and where it stands."),
    "migrate": Entry("migrate", KEEP, "Copy a store to another place or backend."),
    "export": Entry("export", KEEP, "Write tasks and all they need to one file."),
    "import": Entry("import_", KEEP, "Take in what `export` wrote."),
    "import-jug": Entry("import_jug", KEEP, "Take over the results of a jug directory."),
    "completion": Entry("completion", MORE, "Print the completion script of a shell."),
}

#: What jug calls otherwise, and the command to type.
JUG_COMMANDS = {
    "demo": "`taskgraph init` writes a jugfile to start from",
    "install-skills": "there is no such thing here",
    "test-jug": "there is no such thing here",
    "webstatus": "`taskgraph status --watch` shows the table live",
}

#: jug's options that are called otherwise or not needed here.
JUG_OPTIONS = {
    "--cache": "use --quick: it reads the graph snapshot, which needs no cache of its own",
    "--cache-file": "use --quick: the graph snapshot lies in the store",
    "--clear": "use --quick: its snapshot is renewed by each execute",
    "--debug": "arguments are always verified; -v shows tracebacks",
    "--failed-only": "locks of dead workers are taken over by themselves; failures go by `retry`",
    "--locks-only": "locks of dead workers are taken over by themselves",
    "--no-status": "the picture is always coloured by state",
}
