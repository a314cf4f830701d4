"""References are what they show, not where they lie; collections pair by name."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from bioimage_tasks import datasets, io
from bioimage_tasks.datasets import base, packaged

IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)


@pytest.fixture
def folder(tmp_path):
    """Two images with labels, as a user would lay them out."""
    for stem in ("b", "a"):
        io.write_image(tmp_path / "images" / f"{stem}.png", IMAGE + ord(stem))
        io.write_labels(tmp_path / "labels" / f"{stem}.tif", (IMAGE > 20).astype(np.int32))
    return tmp_path


def test_folders_are_paired_by_stem(folder):
    (folder / "images" / "notes.txt").write_text("no image")
    pairs = datasets.FolderCollection(folder / "images", folder / "labels", groups={"b": "day 2"})
    first, second = pairs.images()
    assert (first.name, first.group, second.name, second.group) == ("a", "", "b", "day 2")
    assert first.labels_path.endswith("a.tif")
    assert np.array_equal(first.read(), IMAGE + ord("a"))
    assert first.gold.read().max() == 1
    assert isinstance(pairs, datasets.Collection)


@pytest.mark.parametrize(
    ("gone", "message"),
    [("labels/b.tif", "images/b.png has no labels"), ("images/a.png", "labels/a.tif has no image")],
)
def test_a_missing_partner_is_named(folder, gone, message):
    (folder / gone).unlink()
    with pytest.raises(FileNotFoundError, match=message):
        datasets.FolderCollection(folder / "images", folder / "labels").images()


def test_folders_that_cannot_be_used(folder):
    with pytest.raises(FileNotFoundError, match=r"must exist; got .*nowhere"):
        datasets.FolderCollection(folder / "nowhere").images()
    with pytest.raises(FileNotFoundError, match=r"must hold files ending with \.png"):
        datasets.FolderCollection(folder).images()
    io.write_image(folder / "images" / "a.tif", IMAGE)
    with pytest.raises(ValueError, match=r"stem of its own.*a\.png and .*a\.tif"):
        datasets.FolderCollection(folder / "images").images()


def test_identity_is_content_channel_and_region(folder):
    first = datasets.ImageRef(str(folder / "images" / "a.png"))
    moved = folder / "elsewhere.png"
    moved.write_bytes((folder / "images" / "a.png").read_bytes())
    same = datasets.ImageRef(str(moved), group="plate 7", name="another")
    assert first.__taskgraph_hash__() == same.__taskgraph_hash__()
    for other in (
        datasets.ImageRef(str(folder / "images" / "b.png")),
        replace(first, channel=0),
        replace(first, region=(0, 0, 2, 2)),
        datasets.LabelsRef(first.path),
    ):
        assert other.__taskgraph_hash__() != first.__taskgraph_hash__()


def test_tasks_of_a_moved_image_keep_their_keys(folder):
    from bioimage_tasks.tasks import segment

    first = datasets.ImageRef(str(folder / "images" / "a.png"))
    moved = folder / "moved.png"
    moved.write_bytes((folder / "images" / "a.png").read_bytes())
    same = datasets.ImageRef(str(moved), group="g")
    other = datasets.ImageRef(str(folder / "images" / "b.png"))
    assert segment(first, "watershed").key == segment(same, "watershed").key
    assert segment(first, "watershed").key != segment(other, "watershed").key
    assert segment(first, "watershed").key != segment(first, "watershed", depth=0.1).key


def test_a_digest_is_read_again_when_the_file_changes(folder):
    path = folder / "images" / "a.png"
    before = base.content_digest(path)
    assert base.content_digest(path) == before
    io.write_image(path, IMAGE)
    os.utime(path, ns=(1, 1))
    assert base.content_digest(path) != before


def test_a_file_that_changes_under_its_tasks_is_refused_every_time(folder):
    image = datasets.ImageRef(str(folder / "images" / "a.png"))
    image.__taskgraph_hash__()
    io.write_image(image.path, IMAGE[::-1])
    for _attempt in range(2):
        with pytest.raises(ValueError, match=r"must not change while.*a\.png"):
            image.read()


def test_regions_and_tiles_cover_the_image_once(folder):
    image = datasets.FolderCollection(folder / "images", folder / "labels").images()[0]
    parts = datasets.tiles(image, 2, 3)
    assert len(parts) == len({part.name for part in parts}) == 6
    assert sum(part.read().size for part in parts) == IMAGE.size
    assert np.array_equal(parts[0].read(), image.read()[:3, :2])
    assert parts[5].gold.read().shape == parts[5].shape() == parts[5].read().shape
    inner = datasets.tiles(parts[5], 1, 2)[1]
    assert np.array_equal(inner.read(), parts[5].read()[:, 1:])
    with pytest.raises(ValueError, match=r"tiles: rows and columns must lie in 1\.\.6"):
        datasets.tiles(image, 7, 1)
    with pytest.raises(ValueError, match=r"within 6 x 8 pixels; got \(0, 0, 9, 9\)"):
        replace(image, region=(0, 0, 9, 9)).read()


def test_references_travel_by_pickle(folder):
    image = datasets.FolderCollection(folder / "images", folder / "labels").images()[0]
    assert pickle.loads(pickle.dumps(image)) == image


def test_packaged_images(field):
    outlined, plain = datasets.PackagedNuclei().images()
    assert outlined.shape() == field[0].shape == (512, 512)
    assert field[1].max() == 125
    assert (plain.shape(), plain.gold) == ((1024, 1344), None)


def test_a_missing_package_says_how_to_get_it():
    with pytest.raises(
        FileNotFoundError, match=r"pip install it; no_such_package is not installed"
    ):
        packaged.packaged_file("no_such_package", "x.tif", "pip install it")
    with pytest.raises(FileNotFoundError, match=r"numpy has no x\.tif"):
        packaged.packaged_file("numpy", "x.tif", "pip install it")


def test_u2os_has_its_48_fields(collection):
    images = datasets.NucleiU2osHand(collection("nuclei-u2os-hand")).images()
    assert len(images) == 48
    assert {image.group for image in images} == {"u2os"}
    assert sum(int(image.gold.read().max()) for image in images) == 1831


def test_concatenate_keeps_order(folder):
    one = datasets.FolderCollection(folder / "images")
    assert [image.name for image in datasets.concatenate([one, one])] == ["a", "b", "a", "b"]


def test_importing_loads_nothing_heavy():
    """Neither the package, nor its rooms, nor the door load what only methods need."""
    code = (
        "import sys, bioimage_tasks; light = set(sys.modules); import bioimage_tasks.tasks; "
        "bioimage_tasks.datasets.stardist_field; "
        "heavy = {'torch', 'sklearn', 'skimage', 'scipy', 'mahotas', 'PIL', 'stardist', 'numba'}; "
        "print(sorted(heavy & set(sys.modules)), 'numpy' in light)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[] False"
