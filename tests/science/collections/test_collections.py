"""Every published collection keeps its word on a tree of its exact layout.

A collection without a tree fails. The trees are built by ``trees_*.py``.
"""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bioimage_tasks import datasets
from bioimage_tasks.datasets import ImageRef
from bioimage_tasks.datasets.published import Published

NAMES = tuple(n for n in datasets.names() if issubclass(datasets.get(n), Published))

#: BioImageLoader's 28, by the acronyms it gave them.
TWENTY_EIGHT = {
    "DSB2018",
    "StarDist",
    "ComPath",
    "FRUNet",
    "S_BSST265",
    "BBBC006",
    "BBBC020",
    "BBBC039",
    "Cellpose",
    "LIVECell",
    "TNBC",
    "BBBC004",
    "BBBC008",
    "MurphyLab",
    "BBBC007",
    "BBBC009",
    "BBBC018",
    "BBBC030",
    "DigitPath",
    "UCSB",
    "BBBC002",
    "BBBC013",
    "BBBC014",
    "BBBC015",
    "BBBC016",
    "BBBC021",
    "BBBC026",
    "BBBC041",
}


@pytest.fixture(params=NAMES)
def grown(request, trees, draw, tmp_path):
    """A collection's class, the folder of its tree, and what is to be found there."""
    assert request.param in trees, f"{request.param} needs a tree in trees_*.py"
    root = tmp_path / "root"
    return datasets.get(request.param), root, trees[request.param](root, draw)


def test_all_28_are_there_and_every_tree_has_a_collection(trees):
    assert len(TWENTY_EIGHT) == 28
    assert {datasets.get(acronym).acronym for acronym in TWENTY_EIGHT} == TWENTY_EIGHT
    assert set(trees) == set(NAMES)


def test_each_says_what_it_is():
    for name in NAMES:
        one = datasets.get(name)
        for attribute in ("title", "licence", "citation", "layout", "annotated", "expected"):
            assert getattr(one, attribute), f"{name} has no {attribute}"
        assert one.url.startswith("http"), name
        assert "doi:" in one.citation or name == "blood-count-bccd", name
        asked = {remote.name for remote in one.remotes}
        assert set(one.first) <= asked, name
        assert len(asked) == len(one.remotes), name


def test_it_lists_names_groups_and_info(grown):
    cls, root, tree = grown
    images = cls(root, **tree.options).images()
    assert [image.name for image in images] == tree.names
    assert [image.group for image in images] == tree.groups
    assert bool(cls.grouping) == any(tree.groups)
    for key, value in tree.info.items():
        if key == "boxes":
            assert len(images[0].marks("boxes").read()) == value
        else:
            assert images[0].about(key) == value
    assert cls(root).images() == images


def test_it_reads_images_and_labels(grown):
    cls, root, tree = grown
    images = cls(root, **tree.options).images()
    first = images[0].read()
    assert (first.shape, str(first.dtype)) == (tree.shape, tree.dtype)
    for image, count in zip(images, tree.objects, strict=True):
        pixels, gold = image.read(), image.gold
        assert (gold is None) == (count is None), image.name
        if gold is not None:
            labels = gold.read()
            flat = pixels.shape[:-1] if pixels.ndim > labels.ndim else pixels.shape
            assert (labels.dtype, labels.shape) == (np.int32, flat)
            assert int(labels.max()) == count, image.name
            assert pixels[labels > 0].mean() > 2 * pixels[labels == 0].mean(), image.name


def test_channels_have_names(grown):
    cls, root, tree = grown
    if not tree.channels:
        return
    assert cls.channel_names == tree.channels
    whole = cls(root).images()[0].read()
    for number, name in enumerate(tree.channels):
        one = cls(root, channels=name).images()[0].read()
        assert np.array_equal(one, whole[..., number])
    means = whole.reshape(-1, len(tree.channels)).mean(axis=0)
    assert len(set(means)) == len(tree.channels), "the tree must tell its channels apart"


def test_every_annotation_that_it_names_can_be_chosen(grown):
    cls, root, _tree = grown
    for name in cls.annotation_names:
        golds = [image.gold for image in cls(root, annotation=name).images()]
        assert any(gold is not None and gold.read().max() > 0 for gold in golds), name


def test_its_parts_are_apart(grown):
    cls, root, tree = grown
    assert set(cls.parts) == {"training", *tree.parts}
    for part, names in tree.parts.items():
        images = cls(root, part=part).images()
        assert [image.name for image in images] == names
        assert all(image.gold.read().max() > 0 for image in images if image.gold)
    everything = cls(root, part="all").images()
    assert len(everything) == len(tree.names) + sum(map(len, tree.parts.values()))


def test_check_is_silent_on_a_whole_tree_and_names_what_is_gone(grown, tmp_path):
    cls, root, tree = grown
    assert cls.check(root) == []
    gone = root / tree.gone
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    told = cls.check(root)
    assert told, f"{cls.name} does not miss {tree.gone}"
    assert tree.told in " ".join(told)
    assert cls.check(tmp_path / "nowhere") == [f"There is no folder {tmp_path / 'nowhere'}."]
    (tmp_path / "empty").mkdir()
    assert "nothing that matches" in " ".join(cls.check(tmp_path / "empty"))


def test_a_missing_partner_is_an_error_that_names_it(grown):
    cls, root, tree = grown
    gone = root / tree.gone
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    with pytest.raises(FileNotFoundError) as raised:
        cls(root).images()
    assert tree.told in str(raised.value) or gone.name in str(raised.value)


def test_what_finder_and_windows_leave_behind_is_passed_over(grown):
    cls, root, tree = grown
    for folder in {path.parent for path in root.rglob("*") if path.is_file()}:
        (folder / ".DS_Store").write_bytes(b"mac")
        for path in list(folder.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                (folder / f"._{path.name}").write_bytes(b"fork")
    assert cls.check(root) == []
    assert [image.name for image in cls(root).images()] == tree.names


def test_a_moved_tree_is_the_same_content(grown, tmp_path):
    cls, root, _tree = grown
    before = [image.__taskgraph_hash__() for image in cls(root).images()]
    golds = [image.gold and image.gold.__taskgraph_hash__() for image in cls(root).images()]
    root.rename(tmp_path / "moved")
    images = cls(tmp_path / "moved").images()
    assert [image.__taskgraph_hash__() for image in images] == before
    assert [image.gold and image.gold.__taskgraph_hash__() for image in images] == golds


# -- no pixels are read when listing -------------------------------------------------------
def readings(cls, root, monkeypatch):
    """Return what ``images()`` decoded. Headers may be read, pixels may not."""
    import tifffile
    from PIL import ImageFile

    seen = []

    def watch(owner, name):
        original = getattr(owner, name)

        def spy(*args, **kwargs):
            seen.append(f"{owner.__name__}.{name}")
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, spy)

    watch(ImageFile.ImageFile, "load")
    watch(tifffile.TiffFile, "asarray")
    watch(tifffile.TiffPage, "asarray")
    for name in ("read_array", "read_segments", "memmap_array"):
        watch(tifffile.FileHandle, name)
    cls(root).images()
    return seen


class Greedy(Published):
    """A planted fault: looks at the pixels to name its images."""

    name = "greedy"

    def list_images(self, root, part):
        path = str(next(root.iterdir()))
        return [ImageRef(path, name=str(ImageRef(path).read().mean()))]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp"])
def test_the_watch_sees_a_collection_that_reads_pixels(tmp_path, draw, monkeypatch, suffix):
    draw.save(tmp_path / f"a{suffix}", draw.grey(draw.labels()))
    assert readings(Greedy, tmp_path, monkeypatch) != []


def test_listing_reads_no_pixels(grown, monkeypatch):
    cls, root, _tree = grown
    assert readings(cls, root, monkeypatch) == []
