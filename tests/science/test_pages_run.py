"""docs/features.md and docs/learning.md tell the truth: their code runs, their names exist."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import features, learning, tasks
from bioimage_tasks.features import registry
from bioimage_tasks.learning.combine import WEIGHINGS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = {
    name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("features", "learning")
}
SETS = features.feature_sets()


def run(text):
    """Run the blocks of a page one after the other, as a reader would; return the names."""
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, "a page", "exec"), names)
    return names


def test_a_block_that_is_wrong_is_seen():
    with pytest.raises(NameError, match="images"):
        run("```python\nx = 1\n```\ntext\n```python\nlen(images)\n```\n")


def test_all_code_of_the_pages_is_run():
    for name, page in PAGES.items():
        fences = re.findall(r"^```(.*)$", page, flags=re.MULTILINE)
        assert set(fences[::2]) == {"python"}, name


def test_the_code_on_features_runs(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_registered", registry._registered.copy())
    names = run(PAGES["features"])
    assert np.median(names["table"].column("shape_area")) == pytest.approx(np.pi * 12**2, rel=0.05)
    assert names["row"].sum() == pytest.approx(len(names["words"].octaves))
    assert "brightest" in features.feature_sets()


def test_the_code_on_learning_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = run(PAGES["learning"])
    assert names["found"].whole_groups
    table = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table[2:5]] == ["svm", "forest", "both"]
    assert names["both"].regression().q2 > 0.3


def table_below(heading):
    """Return the rows of cells of the first table below a heading of the page on features."""
    section = PAGES["features"].partition(f"## {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_sets_tells_columns_and_dimensions():
    """Against what the sets give on an image of two objects."""
    image = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)
    labels = np.zeros((40, 40), np.int32)
    labels[2:18, 2:18], labels[22:38, 20:38] = 1, 2
    told = {row[0].strip("`"): row for row in table_below("Sets")}
    assert sorted(told) == sorted(SETS)
    for name, (_, _, columns, of_images, in_3d, _) in told.items():
        entry = registry._entry(name)
        assert len(features.compute(image, labels, (name,)).names) == int(columns), name
        assert (of_images == "yes") == (not entry.objects), name
        assert (in_3d == "yes") == (3 in entry.dimensions), name


def test_the_page_on_learning_names_what_there_is():
    page = PAGES["learning"]
    for called in re.findall(r"^\| `(\w+)\(", page, flags=re.MULTILINE):
        assert hasattr(learning, called), called
    shown = re.search(r"are tasks \(`bioimage_tasks\.tasks`: (.*?) \.\.\.\)", page)[1]
    for name in re.findall(r"`(\w+)`", shown):
        assert name in tasks.__all__, name
    section = page.partition("## Combinations\n")[2].partition("\n## ")[0]
    assert set(WEIGHINGS) <= set(re.findall(r"`([\w-]+)`", section))
