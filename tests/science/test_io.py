"""Files in and out: what is written comes back, what is damaged says so."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bioimage_tasks import io

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.bool_])
def test_grey_images_come_back(tmp_path, suffix, dtype):
    image = RNG.integers(0, np.iinfo(np.uint8).max, (7, 9)).astype(dtype)
    path = tmp_path / "deep" / f"image{suffix}"
    io.write_image(path, image)
    back = io.read_image(path)
    assert np.array_equal(back, image)
    assert back.dtype == dtype
    assert io.image_shape(path) == (7, 9)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif"])
def test_colour_images_come_back(tmp_path, suffix):
    image = RNG.integers(0, 255, (7, 9, 3)).astype(np.uint8)
    io.write_image(tmp_path / f"image{suffix}", image)
    assert np.array_equal(io.read_image(tmp_path / f"image{suffix}"), image)
    assert io.image_shape(tmp_path / f"image{suffix}") == (7, 9, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_tiff_holds_any_dtype_and_stack(tmp_path, dtype):
    stack = RNG.normal(0, 9, (5, 7, 9)).astype(dtype)
    io.write_image(tmp_path / "stack.tif", stack)
    assert np.array_equal(io.read_image(tmp_path / "stack.tif"), stack)


def test_ome_tiff_is_read(tmp_path):
    from tifffile import imwrite

    image = RNG.integers(0, 999, (2, 7, 9)).astype(np.uint16)
    imwrite(tmp_path / "image.ome.tif", image, metadata={"axes": "CYX"})
    assert np.array_equal(io.read_image(tmp_path / "image.ome.tif"), image)
    second = io.one_channel(io.read_image(tmp_path / "image.ome.tif"), 1)
    assert np.array_equal(second, image[1])


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("content", [b"", b"not an image at all"])
def test_a_damaged_file_is_named(tmp_path, suffix, content):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    for read in (io.read_image, io.read_labels):
        with pytest.raises(ValueError, match=rf"must be .*image.*broken\{suffix}"):
            read(path)


def test_a_cut_off_png_is_named(tmp_path):
    path = tmp_path / "cut.png"
    io.write_image(path, RNG.integers(0, 255, (64, 64)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"whole image.*cut\.png"):
        io.read_image(path)


def test_missing_files_and_unknown_suffixes(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"read_image: no such file: .*none\.png"):
        io.read_image(tmp_path / "none.png")
    with pytest.raises(ValueError, match=r"must end with one of .*\.png.*notes\.txt"):
        io.read_image(tmp_path / "notes.txt")
    with pytest.raises(ValueError, match=r"JPEG loses detail.*x\.jpg"):
        io.write_image(tmp_path / "x.jpg", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"convert or use \.tif; got float64"):
        io.write_image(tmp_path / "x.png", np.zeros((2, 2)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["labels.png", "labels.tif"])
def test_labels_come_back_sequential(tmp_path, name):
    io.write_labels(tmp_path / name, np.array([[0, 7], [300, 7]], np.int32))
    back = io.read_labels(tmp_path / name)
    assert back.dtype == np.int32
    assert back.tolist() == [[0, 1], [2, 1]]


def test_more_objects_than_a_png_holds_are_refused(tmp_path):
    many = np.arange(70_000, dtype=np.int32).reshape(700, 100)
    with pytest.raises(ValueError, match=r"65,535 objects; use \.tif; got 69999"):
        io.write_labels(tmp_path / "labels.png", many)


def test_colours_and_palettes_are_object_numbers(tmp_path):
    colours = np.zeros((2, 3, 3), np.uint8)
    colours[0, 0], colours[0, 1], colours[1, 1] = (9, 0, 0), (0, 9, 0), (0, 9, 0)
    io.write_image(tmp_path / "rgb.png", colours)
    assert io.read_labels(tmp_path / "rgb.png").tolist() == [[2, 1, 0], [0, 1, 0]]
    grey = np.repeat(np.array([[0, 5, 9]], np.uint8)[..., None], 3, 2)
    io.write_image(tmp_path / "grey.png", grey)
    assert io.read_labels(tmp_path / "grey.png").tolist() == [[0, 1, 2]]
    palette = Image.fromarray(np.array([[0, 2, 1]], np.uint8), "L").convert("P")
    palette.putdata([0, 2, 1])
    palette.save(tmp_path / "palette.png")
    assert io.read_labels(tmp_path / "palette.png").tolist() == [[0, 2, 1]]


def test_channels():
    grey = RNG.integers(0, 255, (5, 6)).astype(np.uint8)
    equal = np.stack([grey] * 3, axis=-1)
    differing = np.stack([grey, grey // 2, grey // 3], axis=-1)
    alpha = np.stack([grey, np.full_like(grey, 255)], axis=-1)
    for image in (grey, equal, alpha):
        assert np.array_equal(io.one_channel(image), grey)
    assert np.array_equal(io.one_channel(differing, 2), grey // 3)
    with pytest.raises(ValueError, match=r"channels of x\.png differ; choose one"):
        io.one_channel(differing, None, "x.png")
    with pytest.raises(ValueError, match=r"channel must lie in 0\.\.2 .*got 3"):
        io.one_channel(differing, 3)
    with pytest.raises(ValueError, match="choose a plane first"):
        io.one_channel(np.zeros((9, 5, 6)))
