"""The studies of pixel classifiers in their small form, through the command line."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

JUGFILES = Path(__file__).resolve().parents[2] / "jugfiles"
pytest.importorskip("sklearn")


def execute(folder: Path, jugfile: str, *user: str) -> dict[str, object]:
    """Run a jugfile with two workers and return the last line of JSON."""
    program = [sys.executable, "-m", "taskgraph", "execute", str(JUGFILES / jugfile)]
    program += ["--store", str(folder / "store"), "-j", "2", "--json", "--", *user]
    done = subprocess.run(
        program, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="") as file:
        return {row["way"]: row for row in csv.DictReader(file)}


@pytest.mark.parametrize(
    ("jugfile", "table", "score", "ways", "pictures"),
    [
        ("em_membranes.py", "membranes.csv", "dice", 2, 1),
        ("histology.py", "histology.csv", "f1", 6, 6),
    ],
)
def test_small_form(tmp_path, jugfile, table, score, ways, pictures):
    """Easy made images are found; a second run executes nothing."""
    user = ["--small", "--out", str(tmp_path / "out")]
    if jugfile == "histology.py":
        user += ["--groups", "3"]
    first = execute(tmp_path, jugfile, *user)
    assert first["executed"] == first["total"] > 0
    found = rows(tmp_path / "out" / table)
    assert len(found) == ways
    assert min(float(row[score]) for row in found.values()) > 0.85
    assert len(list((tmp_path / "out").glob("*.png"))) == pictures
    assert execute(tmp_path, jugfile, *user)["executed"] == 0
