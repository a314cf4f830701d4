"""What the layouts of collections share: partners beside images, options that can't be."""

from __future__ import annotations

import pytest

from bioimage_tasks import datasets
from bioimage_tasks.datasets import layouts


def test_a_folder_of_images_and_one_of_partners(tmp_path):
    paths = [tmp_path / name for name in ("b_img.png", "a_img.png", "a_mask.png", "b_mask.png")]
    found = layouts.partnered(
        paths[:2], paths[2:], "mask", key=lambda path: path.stem.partition("_")[0]
    )
    assert [name for name, _, _ in found] == ["a", "b"]
    assert found[0][1:] == (str(paths[1]), str(paths[2]))
    with pytest.raises(FileNotFoundError, match=r"a_img\.png has no mask; .*b_mask\.png has no"):
        layouts.partnered(paths[:2], paths[2:], "mask")
    with pytest.raises(ValueError, match="stem of its own"):
        layouts.partnered(paths, paths, key=lambda path: path.suffix)


def test_names_where_there_are_none_are_told(tmp_path):
    with pytest.raises(ValueError, match="FolderCollection: its channels have no names; give num"):
        datasets.FolderCollection(tmp_path, channels="dna")
    with pytest.raises(ValueError, match="it has no annotations to choose among; got 'cells'"):
        datasets.FolderCollection(tmp_path, annotation="cells")
