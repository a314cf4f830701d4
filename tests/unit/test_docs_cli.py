"""docs/cli.md tells the truth: each command, each option, each setting, each exit status."""

from __future__ import annotations

import runpy
from pathlib import Path

import click

from taskgraph import errors
from taskgraph.cli.catalogue import COMMANDS
from taskgraph.cli.root import group

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def missing(text):
    """Return the commands and options that a document does not name."""
    ctx = click.Context(group)
    names = list(COMMANDS)
    for name in COMMANDS:
        command = group.get_command(ctx, name)
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                names += [*param.opts, *param.secondary_opts]
    return sorted({name for name in names if name not in text})


def test_the_checker_sees_a_missing_option():
    assert missing(DOCUMENT.replace("--idle-exit", "")) == ["--idle-exit"]


def test_each_command_and_option_is_in_the_document():
    assert missing(DOCUMENT) == []


def test_the_reference_is_what_the_script_writes():
    script = runpy.run_path(str(ROOT / "scripts" / "write_cli_docs.py"))
    same = script["whole"](DOCUMENT) == DOCUMENT
    assert same, "docs/cli.md is out of date: python scripts/write_cli_docs.py"


def test_the_exit_statuses_of_errors_are_in_the_table():
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    codes = {one.exit_code for one in classes if issubclass(one, errors.TaskGraphError)}
    assert codes == {1, 2, 3, 4}
    for code in (0, *codes):
        assert f"| {code} | " in DOCUMENT
