"""Writes the reference part of docs/cli.md from the commands themselves.

In: the commands. Out: everything below the marker in docs/cli.md; what stands above is
written by hand. A test compares, so run this after a change of a command:

    python scripts/write_cli_docs.py
"""

from __future__ import annotations

from pathlib import Path

import click

from taskgraph.cli.catalogue import COMMANDS
from taskgraph.cli.root import group
from taskgraph.config import SETTINGS, variable

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
MARKER = "<!-- From here on written by scripts/write_cli_docs.py. -->"


def reference() -> str:
    """Return the text below the marker."""
    ctx = click.Context(group, info_name="taskgraph")
    parts = ["", *_settings(), "## Commands", ""]
    section = ""
    for name, entry in COMMANDS.items():
        if entry.section != section:
            section = entry.section
            parts += [f"### {section}", ""]
        command = group.get_command(ctx, name)
        if command is None:
            raise LookupError(name)
        parts += _command(click.Context(command, info_name=name, parent=ctx))
    return "\n".join(parts).rstrip() + "\n"


def whole(text: str) -> str:
    """Return the document with its reference renewed."""
    return text.partition(MARKER)[0] + MARKER + "\n" + reference()


def _settings() -> list[str]:
    rows = ["| key | variable | counts for |", "|---|---|---|"]
    for key, setting in SETTINGS.items():
        commands = ", ".join(setting.commands) or "all that take a jugfile"
        rows.append(f"| `{key}` | `{variable(key)}` | {commands} |")
    return ["## Settings", "", *rows, ""]


def _command(ctx: click.Context) -> list[str]:
    command = ctx.command
    usage = command.get_usage(ctx).removeprefix("Usage: ")
    rest = [paragraph for paragraph in (command.help or "").split("\n\n") if paragraph.strip()]
    lines = [f"#### `taskgraph {ctx.info_name}`", "", "```text", " ".join(usage.split()), "```", ""]
    for paragraph in rest:
        lines += [" ".join(paragraph.split()), ""]
    rows = [
        param.get_help_record(ctx) for param in command.params if isinstance(param, click.Option)
    ]
    told = [row for row in rows if row is not None]
    if told:
        lines += ["| option | meaning |", "|---|---|"]
        lines += [f"| `{_cell(names)}` | {_cell(text)} |" for names, text in told]
        lines.append("")
    return lines


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(whole(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{DOCUMENT} written")
