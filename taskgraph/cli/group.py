"""The group of all commands: lists them from a table, loads one when it is called."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

import click

from taskgraph import processes
from taskgraph.cli import plugins, trouble
from taskgraph.cli.catalogue import COMMANDS, JUG_COMMANDS
from taskgraph.cli.command import VERBOSE

COMPLETE = "_TASKGRAPH_COMPLETE"


class Group(click.Group):
    """All commands, built in and plugged in."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order of the help."""
        return [*COMMANDS, *sorted(set(plugins.installed()) - set(COMMANDS))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command."""
        if cmd_name in COMMANDS:
            module = import_module(f"taskgraph.cli.{COMMANDS[cmd_name].module}")
            command: click.Command = module.command
            return command
        return plugins.load(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; name near ones where there is none."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is not None or ctx.resilient_parsing:
            processes.keep_loaded()
            return name, command, args[1:]
        if name.startswith("-"):
            raise click.NoSuchOption(name, ctx=ctx)
        raise click.UsageError(_unknown(name), ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands by section, without loading them."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in COMMANDS.items():
            sections.setdefault(entry.section, []).append((name, entry.help))
        others = {n: target for n, target in plugins.installed().items() if n not in COMMANDS}
        if others:
            sections["Plug-ins"] = [(n, others[n].partition(":")[0]) for n in sorted(others)]
        for section, rows in sections.items():
            with formatter.section(section):
                formatter.write_dl(rows, col_max=14)

    def main(self, args: Sequence[str] | None = None, *_: Any, **__: Any) -> NoReturn:
        """Run and end the process with the exit status."""
        sys.exit(self.run(sys.argv[1:] if args is None else args))

    def run(self, args: Sequence[str]) -> int:
        """Run one command line; return its exit status."""
        instruction = os.environ.get(COMPLETE)
        if instruction:
            from click.shell_completion import shell_complete

            return shell_complete(self, {}, "taskgraph", COMPLETE, instruction)
        _open_closed_streams()
        meta: dict[str, Any] = {}
        try:
            with self.make_context("taskgraph", list(args) or ["--help"]) as ctx:
                meta = ctx.meta
                self.invoke(ctx)
                sys.stdout.flush()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  # becomes an exit status
            return trouble.report(error, meta.get(VERBOSE, 0))
        return 0


def _open_closed_streams() -> None:
    """Write to nowhere where the shell closed an output (``2>&-``).

    Without this, the first file that is opened gets its number, and what is printed.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w"))


def _unknown(name: str) -> str:
    if name in JUG_COMMANDS:
        return f"jug's command {name!r} is not here: {JUG_COMMANDS[name]}"
    from difflib import get_close_matches

    near = get_close_matches(name, COMMANDS, n=3) or list(COMMANDS)
    return f"There is no command {name!r}; there is {', '.join(near)}"
