"""The words are kept true: errors, commands, links and versions in the documents."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")]
DOCUMENTS += sorted((ROOT / "docs").rglob("*.md"))


def error_names() -> list[str]:
    """Return the names of all exceptions that taskgraph raises on purpose."""
    from taskgraph import errors

    return [
        name
        for name, thing in vars(errors).items()
        if isinstance(thing, type) and issubclass(thing, BaseException)
    ]


def without_heading(text: str, names: list[str]) -> list[str]:
    """Return the names that head no section of a document."""
    heads = set(re.findall(r"^#+ `(\w+)`", text, flags=re.MULTILINE))
    return [name for name in names if name not in heads]


def test_the_checker_sees_an_error_without_a_section():
    assert without_heading("## `A`\nabout `B`\n", ["A", "B"]) == ["B"]


def test_every_error_has_a_section():
    text = (ROOT / "docs" / "errors.md").read_text()
    assert without_heading(text, error_names()) == []


def test_the_errors_page_gives_the_exit_status_of_each():
    from taskgraph import errors

    text = (ROOT / "docs" / "errors.md").read_text()
    for name in error_names():
        status = getattr(getattr(errors, name), "exit_code", None)
        if status is not None:
            section = text.partition(f"## `{name}`")[2].partition("\n#")[0]
            assert f"exit status {status}" in section, name


def test_every_command_has_help_and_a_section():
    import click

    from taskgraph.cli import group as main

    text = (ROOT / "docs" / "cli.md").read_text()
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None, name
        assert command.get_short_help_str(), name
        assert re.search(rf"^#+ .*`(taskgraph )?{name}\b", text, flags=re.MULTILINE), name


def broken_links(path: Path) -> list[str]:
    """Return the relative links of a document that lead nowhere."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text())
    return [link for link in links if "://" not in link and not (path.parent / link).exists()]


def test_the_link_checker_sees_a_dead_link(tmp_path):
    (tmp_path / "a.md").write_text("[here](a.md) [gone](b.md#top) [far](https://example.org/x)")
    assert broken_links(tmp_path / "a.md") == ["b.md"]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    assert broken_links(path) == []


def test_the_changelog_knows_this_version():
    import taskgraph

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    version = config["metadata"]["version"]
    assert taskgraph.__version__ == version
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)
