"""The jugfiles that come along, through the command line, with several workers."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

JUGFILES = Path(__file__).resolve().parents[2] / "jugfiles"


def taskgraph(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    program = [sys.executable, "-m", "taskgraph", *arguments]
    return subprocess.run(
        program, cwd=folder, capture_output=True, text=True, timeout=240, check=False
    )


def blobs(seed: int, centres: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Return a made-up image of bright discs on noise, and its labels."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:160, :160]
    image, labels = rng.normal(20, 3, (160, 160)), np.zeros((160, 160), np.uint16)
    for number in range(1, centres + 1):
        row, column = divmod(number - 1, 4)
        away = (rows - 28 - 50 * row) ** 2 + (columns - 22 - 38 * column) ** 2
        image[away < 144] += 90 + 5 * number
        labels[away < 144] = number
    return image.clip(0, 255).astype(np.uint8), labels


@pytest.fixture
def own_images(tmp_path):
    """Write two images with labels, as a user would have them; return their folders."""
    tifffile = pytest.importorskip("tifffile")
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    for seed in range(2):
        image, labels = blobs(seed)
        tifffile.imwrite(tmp_path / "images" / f"field{seed}.tif", image)
        tifffile.imwrite(tmp_path / "labels" / f"field{seed}.tif", labels)
    return ["--images", str(tmp_path / "images"), "--labels", str(tmp_path / "labels")]


def test_the_learned_way_stands_beside_published_figures_with_its_limit(tmp_path, own_images):
    """By image only with the flag; a fold of one image learns from the other."""
    jugfile = str(JUGFILES / "segment_nuclei.py")
    common = ["execute", jugfile, "--store", str(tmp_path / "store"), "--json", "--"]
    user = ["--quick", "--out", str(tmp_path / "out"), *own_images]
    done = taskgraph(*common, *user, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "out" / "published.txt").exists()
    done = taskgraph(*common, "--by-image", "2", *user, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out" / "published.txt").read_text()
    assert "tell no experiments apart" in text
    assert "2500 px dropped" in text
    with (tmp_path / "out" / "published.csv").open(newline="") as file:
        rows = {row["way"]: row for row in csv.DictReader(file)}
    assert float(rows["published: merging (Lin et al.)"]["hausdorff"]) == 12.9
    assert float(rows["ours: learned"]["f1"]) > 0.9
    assert float(rows["ours: default, large"]["missing"]) == 12, "no disc has 2,500 pixels"


def test_segment_nuclei_on_own_images(tmp_path, own_images):
    """Table and overlays; a second run runs nothing; an invalidate only what it touched."""
    jugfile = str(JUGFILES / "segment_nuclei.py")
    common = [jugfile, "--store", str(tmp_path / "store")]
    user = ["--", "--quick", "--out", str(tmp_path / "out"), *own_images]
    first = taskgraph("execute", *common, "-j", "2", "--json", *user, folder=tmp_path)
    assert first.returncode == 0, first.stderr
    total = json.loads(first.stdout.splitlines()[-1])["total"]
    with (tmp_path / "out" / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 2
    assert max(float(row["f1"]) for row in rows) > 0.95, "twelve discs on noise are easy"
    assert list((tmp_path / "out").glob("*.png"))

    again = taskgraph("execute", *common, "--json", *user, folder=tmp_path)
    assert json.loads(again.stdout.splitlines()[-1])["executed"] == 0

    choice = ["--name", "segment", "--where", "method=watershed"]
    gone = taskgraph("invalidate", *common, *choice, "--yes", "--json", *user, folder=tmp_path)
    assert gone.returncode == 0, gone.stderr
    removed = json.loads(gone.stdout)["results"]
    assert 0 < removed < total
    third = taskgraph("execute", *common, "-j", "2", "--json", *user, folder=tmp_path)
    assert json.loads(third.stdout.splitlines()[-1])["executed"] == removed
