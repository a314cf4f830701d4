"""Tables, overlays, and the example jugfile with its tasks run as plain functions."""

from __future__ import annotations

import csv
import io as text_io
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import plots, segmentation, tables
from bioimage_tasks.io import read_image
from bioimage_tasks.metrics import score
from taskgraph import TaskGenerator

JUGFILE = Path(__file__).resolve().parents[2] / "jugfiles" / "segment_nuclei.py"


@pytest.fixture
def entries(discs):
    _, gold = discs
    good, bad = score(gold, gold), score(np.zeros_like(gold), gold)
    return [("bad", "a", bad), ("good", "a", good), ("good", "b", good), ("bad", "b", good)]


def test_rows_are_means_with_the_best_first(entries):
    rows = tables.mean_rows(entries)
    assert [(row["setting"], row["images"], row["f1"]) for row in rows] == [
        ("good", 2, 1.0),
        ("bad", 2, 0.5),
    ]
    with pytest.raises(ValueError, match="by must be a score; got 'colour'"):
        tables.mean_rows(entries, "colour")
    with pytest.raises(ValueError, match="at least one scored image"):
        tables.mean_rows([])


def test_csv_has_every_score_and_text_is_aligned(entries):
    rows = tables.mean_rows(entries)
    back = list(csv.DictReader(text_io.StringIO(tables.csv_text(rows))))
    assert [list(row) for row in back] == [list(row) for row in rows]
    assert float(back[1]["mean_ap"]) == 0.5
    lines = tables.plain_text(rows).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[2].split()[:2] == ["good", "1.000"]


def test_overlay_draws_both_outlines(discs):
    image, gold = discs
    moved = np.roll(gold, 3, axis=1)
    picture = plots.overlay(image, moved, gold, zoom=2)
    assert picture.shape == (192, 256, 3)
    assert picture.dtype == np.uint8
    for colour in (plots.GOLD_COLOUR, plots.LABELS_COLOUR, plots.BOTH_COLOUR):
        assert (picture == colour).all(axis=2).any()
    alone = plots.overlay(image, gold)
    outline = (alone == plots.LABELS_COLOUR).all(axis=2)
    assert np.array_equal(outline, plots.outlines(gold))
    with pytest.raises(ValueError, match="overlay: labels and gold must have the same shape"):
        plots.overlay(image, gold[:5])
    with pytest.raises(ValueError, match="zoom must be at least 1; got 0"):
        plots.overlay(image, gold, zoom=0)


def test_outlines_are_the_rim_of_each_object():
    labels = np.zeros((6, 7), np.int32)
    labels[1:5, 1:4], labels[1:5, 4:6] = 1, 2
    expected = labels > 0
    expected[2:4, 2] = False
    assert np.array_equal(plots.outlines(labels), expected)


def run_eagerly(monkeypatch, *arguments):
    """Run the jugfile with every task generator replaced by its plain function."""
    import bioimage_tasks.tasks

    for name, value in list(vars(bioimage_tasks.tasks).items()):
        if isinstance(value, TaskGenerator):
            monkeypatch.setattr(bioimage_tasks.tasks, name, value.f)
    monkeypatch.setattr(sys, "argv", [str(JUGFILE), *map(str, arguments)])
    return runpy.run_path(str(JUGFILE))


def test_the_jugfile_scores_a_users_own_folders(monkeypatch, tmp_path, discs):
    from bioimage_tasks.io import write_image, write_labels

    for stem in ("one", "two"):
        write_image(tmp_path / "images" / f"{stem}.png", discs[0])
        write_labels(tmp_path / "labels" / f"{stem}.png", discs[1])
    folders = ["--images", tmp_path / "images", "--labels", tmp_path / "labels"]
    run_eagerly(monkeypatch, *folders, "--quick", "--out", tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "table.csv").read_text().splitlines()))
    assert len(rows) == len(segmentation.methods())
    assert all(float(row["f1"]) == 1 for row in rows)
    assert read_image(tmp_path / "out" / "one.png").shape == (192, 256, 3)


def test_the_jugfile_draws_images_without_gold(monkeypatch, tmp_path, discs):
    from bioimage_tasks.io import write_image

    write_image(tmp_path / "images" / "one.png", discs[0])
    run_eagerly(monkeypatch, "--images", tmp_path / "images", "--out", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["one.png"]


def test_the_jugfile_wants_images_beside_labels(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match="--labels needs --images"):
        run_eagerly(monkeypatch, "--labels", tmp_path)


def test_the_jugfile_is_short():
    assert len(JUGFILE.read_text().splitlines()) < 80
