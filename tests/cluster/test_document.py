"""The page about clusters shows the example scripts as they are run by the tests beside it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples" / "cluster").glob("*.sh"))


def scripts(text):
    """Return the scripts that a document shows."""
    return re.findall(r"^```bash\n(#!.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def test_the_reader_finds_scripts_and_no_other_blocks():
    text = "```bash\n#!/bin/sh\nx\n```\n\n```bash\nqsub a\n```\n\n```text\n#! no\n```\n"
    assert scripts(text) == ["#!/bin/sh\nx\n"]


def test_the_page_shows_the_scripts_word_for_word():
    shown = scripts((ROOT / "docs" / "cluster.md").read_text())
    assert sorted(shown) == sorted(path.read_text() for path in EXAMPLES)
    assert len(shown) == 2


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_script_is_one_that_bash_reads(path):
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
