"""The study of protein location through the command line: made-up images, and a user's own."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

JUGFILE = str(Path(__file__).resolve().parents[2] / "jugfiles" / "location.py")


def taskgraph(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    program = [sys.executable, "-m", "taskgraph", *arguments]
    return subprocess.run(
        program, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )


def test_the_small_study(tmp_path):
    """Table and figure; words are better by protein than textures; twice runs nothing."""
    common = [JUGFILE, "--store", str(tmp_path / "store")]
    user = ["--", "--small", "--out", str(tmp_path / "out")]
    first = taskgraph("execute", *common, "-j", "2", "--json", *user, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    with (tmp_path / "out" / "scores.csv").open(newline="") as file:
        rows = {row["way"]: row for row in csv.DictReader(file)}
    local, textures = rows["local, seed 0"], rows["global, seed 0"]
    assert float(local["accuracy"]) > 0.85
    assert float(textures["accuracy"]) < float(local["accuracy"])
    assert {row["left out"] for row in rows.values()} == {"group"}
    picture = (tmp_path / "out" / "leak.png").read_bytes()
    assert picture.startswith(b"\x89PNG")

    again = taskgraph("execute", *common, "--json", *user, folder=tmp_path)
    assert json.loads(again.stdout.splitlines()[-1])["executed"] == 0


def test_own_images_are_found(tmp_path):
    """In a csv, and in folders of classes and groups: the same images are the same tasks."""
    from bioimage_tasks.datasets.made_location import LOCATIONS, located
    from bioimage_tasks.io import write_image

    lines = []
    for place, where in enumerate(LOCATIONS):
        for protein in (place, place + 2):
            for number in range(2):
                path = f"{where}/p{protein}/{number}.png"
                write_image(tmp_path / "images" / path, located(where, protein, number))
                lines.append(f"images/{path},{where},{where}/p{protein}\n")
    (tmp_path / "own.csv").write_text("image,class,group\n" + "".join(sorted(lines)))
    executed = []
    for own in ("own.csv", "images"):
        user = ["--images", own, "--seeds", "1", "--words", "8", "--out", "out"]
        common = [JUGFILE, "--store", str(tmp_path / "store"), "-j", "2", "--json", "--", *user]
        done = taskgraph("execute", *common, folder=tmp_path)
        assert done.returncode == 0, done.stderr
        executed.append(json.loads(done.stdout.splitlines()[-1])["executed"])
    assert executed[0] > 40
    assert executed[1] == 0


def test_what_to_give_is_said(tmp_path):
    done = taskgraph("execute", JUGFILE, "--store", str(tmp_path / "store"), folder=tmp_path)
    assert done.returncode != 0
    assert "give one of --root FOLDER, --images CSV or FOLDER, --small" in done.stderr
