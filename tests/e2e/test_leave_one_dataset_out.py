"""The study of collections left out, through the command line, with two workers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

JUGFILE = Path(__file__).resolve().parents[2] / "jugfiles" / "leave_one_dataset_out.py"


def execute(folder: Path, *user: str) -> subprocess.CompletedProcess[str]:
    """Run the study to its end with two workers."""
    command = [sys.executable, "-m", "taskgraph", "execute", str(JUGFILE), "-j", "2", "--json"]
    command += ["--store", str(folder / "store"), "--", "--out", str(folder / "out"), *user]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )


def test_made_up_collections_give_a_matrix_and_a_second_run_executes_nothing(tmp_path):
    first = execute(tmp_path, "--small")
    assert first.returncode == 0, first.stderr
    with (tmp_path / "out" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {(row["collection"], row["setting"]): float(row["f1"]) for row in rows}
    assert len(cells) == 3 * 7
    assert min(f1 for (_, way), f1 in cells.items() if way == "candidates + IoU") > 0.8
    assert "default" in (tmp_path / "out" / "table.txt").read_text()
    for name in ("matrix.png", "matrix-ap.png"):
        assert (tmp_path / "out" / name).stat().st_size > 1000

    again = execute(tmp_path, "--small")
    assert json.loads(again.stdout.splitlines()[-1])["executed"] == 0


def test_one_collection_alone_is_refused(tmp_path):
    done = execute(tmp_path)
    assert done.returncode != 0
    assert "two --collection or more" in done.stderr + done.stdout
