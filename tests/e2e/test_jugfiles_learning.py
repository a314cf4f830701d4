"""The studies of learning through the command line: small forms, two workers, then nothing."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

JUGFILES = Path(__file__).resolve().parents[2] / "jugfiles"


def taskgraph(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    program = [sys.executable, "-m", "taskgraph", *arguments]
    return subprocess.run(
        program, cwd=folder, capture_output=True, text=True, timeout=400, check=False
    )


def run_small(name: str, folder: Path, *more: str) -> list[dict[str, str]]:
    """Run a study's small form twice; the second run executes nothing. Return its table."""
    common = [str(JUGFILES / f"{name}.py"), "--store", str(folder / "store"), "--json"]
    user = ["--", "--small", "--out", str(folder / "out"), *more]
    first = taskgraph("execute", *common, "-j", "2", *user, folder=folder)
    assert first.returncode == 0, first.stderr
    again = taskgraph("execute", *common, *user, folder=folder)
    assert json.loads(again.stdout.splitlines()[-1])["executed"] == 0
    with (folder / "out" / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_nets(tmp_path):
    """Coverage of a day never seen is predicted; intervals and leaks stand in the table."""
    rows = {row["way"]: row for row in run_small("nets", tmp_path)}
    assert {"regions", "surf 1", "tiles", "mean of published", "non-negative"} <= set(rows)
    assert {row["left out"] for row in rows.values()} == {"group"}
    assert float(rows["tiles"]["q2_fold"]) > 0.6
    for name in ("q2", "q2_fold"):
        row = rows["tiles"]
        low, value, high = (float(row[name + end]) for end in (" from", "", " to"))
        assert low <= value <= high
    tiles = rows["tiles"]
    leak = 100 * (float(tiles["q2 by image"]) - float(tiles["q2"]))
    assert float(tiles["leak, points"]) == pytest.approx(leak, abs=0.01)
    figures = {path.name for path in (tmp_path / "out").glob("*.png")}
    assert figures == {"residuals.png", "predictions.png", "samples.png"}


def test_nets_wants_a_folder_or_small(tmp_path):
    done = taskgraph("status", str(JUGFILES / "nets.py"), folder=tmp_path)
    assert done.returncode != 0
    assert "--root FOLDER or --small" in done.stderr


def test_count_cells(tmp_path):
    """Made-up discs are counted; the table says that images were left out."""
    rows = {row["way"]: row for row in run_small("count_cells", tmp_path)}
    assert {row["left out"] for row in rows.values()} == {"image"}
    guess = float(rows["rbc mean, seed 0"]["mae"])
    assert float(rows["rbc density, seed 0"]["mae"]) < 0.5 * guess
    assert float(rows["rbc combined, seed 0"]["mae"]) < 0.6 * guess
    assert float(rows["rbc nested, seed 0"]["mae"]) < 0.5 * guess
    assert "may not hold for the next experiment" in (tmp_path / "out" / "scores.txt").read_text()
