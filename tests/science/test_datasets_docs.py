"""docs/datasets.md tells the truth: its code runs, its tables name what there is."""

from __future__ import annotations

import inspect
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from bioimage_tasks import datasets, io
from bioimage_tasks.datasets import annotations

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "datasets.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def run(blocks):
    names = {}
    for block in blocks:
        exec(compile(block, "docs/datasets.md", "exec"), names)
    return names


@pytest.fixture
def folder(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for stem in "ab":
        image = rng.integers(0, 255, (80, 90)).astype(np.uint8)
        io.write_image(tmp_path / "images" / f"{stem}.png", image)
        io.write_labels(tmp_path / "labels" / f"{stem}.png", image // 64)
    monkeypatch.chdir(tmp_path)


def test_a_block_that_is_wrong_is_seen(folder):
    with pytest.raises(AttributeError):
        run([BLOCKS[0], "first.no_such_thing"])


def test_the_code_of_the_page_runs(folder):
    names = run(BLOCKS)
    assert len(BLOCKS) == 5
    assert names["plane"].shape == (64, 64)
    assert names["volume"].shape == (5, 80, 90)
    assert len(names["train"]) == len(names["test"]) == 1
    assert names["batch"]["image"].shape == (2, 1, 64, 64)


def rows(heading):
    """Return the first cells of the table below a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([\w-]+)`", section, flags=re.MULTILINE)


def test_the_tables_name_every_kind_and_option():
    assert set(rows("Annotations")) == set(annotations.kinds())
    told = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", PAGE, flags=re.MULTILINE)))
    options = set(inspect.signature(datasets.ImageCollection).parameters) - {"root"}
    assert options <= set(told)


def test_the_yaml_of_the_page_is_a_configuration(tmp_path):
    text = re.search(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL).group(1)
    (tmp_path / "many.yaml").write_text(text)
    config = datasets.read_config(tmp_path / "many.yaml", "n_samples=20", "dsb2018.part=test")
    first, second = config.replace_root("/scratch").override(seed=1).collections()
    assert (type(first), type(second)) == (datasets.get("dsb2018"), datasets.CsvCollection)
    assert (first.part, second.part, first.n_samples, first.seed) == ("test", "training", 20, 1)
    assert str(second.root) == "/scratch/plates/images.csv"


def test_the_configuration_of_the_page_reads_its_collections(tmp_path, monkeypatch):
    """The block as it stands, but for its folder; dsb2018 in miniature beside a csv."""
    shared = runpy.run_path(str(Path(__file__).parent / "collections" / "conftest.py"))
    draw = shared["Draw"]()
    shared["builders"]()["dsb2018"](tmp_path / "scratch" / "dsb2018", draw)
    draw.save(tmp_path / "scratch" / "plates" / "a.png", draw.labels().astype(np.uint8))
    draw.text(tmp_path / "scratch" / "plates" / "images.csv", "file,dose\na.png,1\n")
    (tmp_path / "many.yaml").write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL).group(1))
    monkeypatch.chdir(tmp_path)
    block = re.search(r"```\n(config = .*?)```", PAGE, re.DOTALL).group(1)
    names = {"datasets": datasets, "augment": lambda image, mask: {"image": image, "mask": mask}}
    exec(block.replace("/scratch", str(tmp_path / "scratch")), names)
    assert [type(one).__name__ for one in names["collections"]] == ["Dsb2018", "CsvCollection"]
    assert {image.about("dose") for image in names["images"]} >= {1}
    assert set(names["collections"][0][0]) == {"image", "mask"}


def test_a_collection_is_a_dataset_of_torch(folder):
    data = pytest.importorskip("torch.utils.data")
    collection = datasets.FolderCollection("images", "labels")
    (batch,) = data.DataLoader(collection, batch_size=2)
    assert tuple(batch["image"].shape) == tuple(batch["mask"].shape) == (2, 80, 90)
