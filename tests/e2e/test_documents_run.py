"""The README's example, the tutorial and the toy backend are run as a reader would run them.

A ``python`` block whose first line is a comment with a file's name is written to that file;
each ``$ command`` of a ``console`` block is run in the same folder, and what the block shows
below it must be what was printed (``...`` stands for anything).
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the fenced blocks of a document as (language, text)."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def steps(text: str) -> list[tuple[str, str]]:
    """Return the commands of a console block, each with the output shown below it."""
    found: list[tuple[str, str]] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append((line[2:].strip(), ""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + line)
    return found


def run(command: str, folder: Path) -> str:
    """Run one line of a console block and return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}"
    return done.stdout


def replay(text: str, folder: Path) -> int:
    """Write the files and run the commands of a document; return how many commands ran."""
    count = 0
    for language, body in blocks(text):
        named = re.match(r"# ([\w.-]+\.\w+)\n", body)
        if language == "python" and named:
            (folder / named[1]).write_text(body.partition("\n")[2])
        elif language == "console":
            for command, expected in steps(body):
                printed = run(command, folder)
                count += 1
                if expected.strip():
                    same = doctest.OutputChecker().check_output(expected, printed, FLAGS)
                    assert same, f"$ {command}\n{printed}\n-- the document shows --\n{expected}"
    return count


def test_a_document_that_shows_the_wrong_output_is_caught(tmp_path):
    text = "```python\n# a.py\nprint(2 + 2)\n```\n\n```console\n$ python a.py\n5\n```\n"
    with pytest.raises(AssertionError, match="the document shows"):
        replay(text, tmp_path)
    assert replay(text.replace("5", "4"), tmp_path) == 1


@pytest.mark.parametrize("name", ["README.md", "docs/tutorial.md", "docs/write-a-backend.md"])
def test_the_document_runs_as_it_is_written(name, tmp_path):
    assert replay((ROOT / name).read_text(), tmp_path) >= 1
