"""References choose channels, planes and annotations; identity is what is chosen."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

from bioimage_tasks import datasets, io
from bioimage_tasks.datasets import BoxesRef, ImageRef, LabelsRef, PointsRef, digests, pixels

RNG = np.random.default_rng(8)
RGB = RNG.integers(0, 255, (12, 15, 3)).astype(np.uint8)


@pytest.fixture
def rgb(tmp_path):
    io.write_image(tmp_path / "rgb.png", np.dstack([RGB, np.full((12, 15), 255, np.uint8)]))
    return ImageRef(str(tmp_path / "rgb.png"))


def test_channels_of_one_file(rgb):
    assert np.array_equal(replace(rgb, channel=1).read(), RGB[..., 1])
    assert np.array_equal(replace(rgb, channel=(2, 0)).read(), RGB[..., [2, 0]])
    cut = replace(rgb, channel=(0, 1, 2), region=(1, 2, 5, 9))
    assert np.array_equal(cut.read(), RGB[1:5, 2:9])
    assert cut.shape() == (4, 7)
    with pytest.raises(ValueError, match=r"channels of .*rgb\.png differ"):
        rgb.read()
    with pytest.raises(ValueError, match=r"channel must lie in 0\.\.3"):
        replace(rgb, channel=(0, 4)).read()


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [
        ("mean", RGB.mean(axis=-1)),
        ("sum", RGB.sum(axis=-1, dtype=float)),
        ("max", RGB.max(axis=-1)),
        ("luma", RGB @ np.array([0.299, 0.587, 0.114])),
        ((0.5, 0.25, 0.25), RGB @ np.array([0.5, 0.25, 0.25])),
    ],
)
def test_grey_is_made_of_the_colours_and_never_of_alpha(rgb, aggregate, expected):
    found = replace(rgb, aggregate=aggregate).read()
    assert np.allclose(found, expected)
    assert np.allclose(replace(rgb, aggregate=aggregate, region=(0, 0, 3, 4)).read(), found[:3, :4])


def test_bad_weights_are_told(rgb):
    with pytest.raises(ValueError, match=r"a weight for each of the 3 channels of .*got \(1,\)"):
        replace(rgb, aggregate=(1,)).read()
    with pytest.raises(ValueError, match="one of mean, sum, max, luma or a weight"):
        replace(rgb, aggregate="median").read()
    grey = RGB[..., 0]
    assert np.array_equal(pixels.aggregated(grey, "luma"), grey)


def test_a_file_for_each_channel(tmp_path):
    paths = []
    for number, name in enumerate(("dna.tif", "actin.png")):
        paths.append(str(tmp_path / name))
        io.write_image(paths[-1], RGB[..., number])
    image = ImageRef(paths[0], channel_paths=tuple(paths))
    assert np.array_equal(image.read(), RGB[..., :2])
    assert np.array_equal(replace(image, channel=1).read(), RGB[..., 1])
    assert np.array_equal(replace(image, channel=(1, 0)).read(), RGB[..., [1, 0]])
    assert np.allclose(replace(image, aggregate="mean").read(), RGB[..., :2].mean(axis=-1))
    assert np.array_equal(replace(image, region=(0, 0, 3, 3)).read(), RGB[:3, :3, :2])
    with pytest.raises(ValueError, match=r"0\.\.1, dna has so many files; got 2"):
        replace(image, channel=2).read()
    io.write_image(paths[0], RGB)
    picked = replace(image, picks=(2, 0))
    assert np.array_equal(picked.read(), RGB[..., [2, 1]])
    io.write_image(paths[1], RGB[:5, :, 1])
    with pytest.raises(ValueError, match=r"one shape; got \(12, 15\), \(5, 15\) for dna"):
        picked.read()


def test_planes_of_a_stack(tmp_path):
    stack = RNG.integers(0, 999, (7, 12, 15)).astype(np.uint16)
    io.write_image(tmp_path / "a.ome.tif", stack, axes="ZYX")
    image = ImageRef(str(tmp_path / "a.ome.tif"))
    assert image.name == "a"
    assert np.array_equal(replace(image, plane=(("Z", 3),)).read(), stack[3])
    assert np.array_equal(replace(image, plane=(("Z", "max"),)).read(), stack.max(axis=0))
    volume = replace(image, plane=(("Z", "all"),), region=(1, 1, 5, 6))
    assert np.array_equal(volume.read(), stack[:, 1:5, 1:6])
    with pytest.raises(ValueError, match="choose a plane first"):
        image.read()


def test_identity_is_what_is_chosen_and_never_what_it_is_called(rgb, tmp_path):
    plain = (digests.content_digest(rgb.path), None, None)
    assert rgb.__taskgraph_hash__() == plain  # pinned: results of earlier versions stay found
    known = replace(
        rgb, group="g", name="n", info=(("count", 3),), annotation="cells",
        annotations=(("cells", LabelsRef(rgb.path)),),
    )  # fmt: skip
    assert known.__taskgraph_hash__() == plain
    chosen = [
        rgb, replace(rgb, channel=1), replace(rgb, channel=(1,)), replace(rgb, aggregate="mean"),
        replace(rgb, aggregate=(1.0, 0.0, 0.0)), replace(rgb, plane=(("Z", 0),)),
        replace(rgb, channel_paths=(rgb.path,)), replace(rgb, region=(0, 0, 1, 1)),
        replace(rgb, channel_paths=(rgb.path,), picks=(1,)),
        replace(rgb, channel_paths=(rgb.path, rgb.path)),
    ]  # fmt: skip
    hashes = [image.__taskgraph_hash__() for image in chosen]
    assert len(set(hashes)) == len(hashes)
    for image in (known, *chosen):
        assert pickle.loads(pickle.dumps(image)) == image


def test_annotations_by_name(tmp_path, rgb):
    mask = np.zeros((12, 15), np.uint8)
    mask[1:3, 1:3] = mask[5:9, 5:9] = 255
    io.write_image(tmp_path / "cells.png", mask)
    io.write_labels(tmp_path / "nuclei.png", (mask > 0).astype(np.int32))
    boxes = BoxesRef(str(tmp_path / "boxes.csv"), select="rgb.png")
    image = replace(
        rgb, info=(("count", 2), ("class", "benign")),
        annotations=(
            ("boxes", boxes),
            ("nuclei", LabelsRef(str(tmp_path / "nuclei.png"))),
            ("cells", LabelsRef(str(tmp_path / "cells.png"), kind="foreground")),
        ),
    )  # fmt: skip
    assert image.gold.read().max() == 1  # the first that has labels
    cells = replace(image, annotation="cells", region=(4, 4, 12, 15))
    assert cells.gold.read().max() == 1
    assert replace(cells, region=None).gold.read().max() == 2
    assert replace(image, annotation="none").gold is None
    assert image.marks("boxes") is boxes
    assert (image.about("count"), image.about("class"), image.about("x", 0)) == (2, "benign", 0)


def test_boxes_and_points(tmp_path):
    csv = tmp_path / "boxes.csv"
    csv.write_text("file,class,xmin,ymin,xmax,ymax\na.jpg,RBC,1,2,3,4\nb.jpg,WBC,5,6,7,8\n")
    found = BoxesRef(str(csv), select="images/b.jpg").read()
    assert (found.corners.tolist(), found.classes, len(found)) == ([[6, 5, 8, 7]], ("WBC",), 1)
    assert len(BoxesRef(str(csv), select="none.jpg").read()) == 0
    objects = tmp_path / "training.json"
    objects.write_text(
        '[{"image": {"pathname": "/images/a.png"}, "objects": [{"category": "ring", '
        '"bounding_box": {"minimum": {"r": 1, "c": 2}, "maximum": {"r": 3, "c": 4}}}]}]'
    )
    found = BoxesRef(str(objects), kind="objects-json", select="a.png").read()
    assert (found.corners.tolist(), found.classes) == ([[1, 2, 3, 4]], ("ring",))
    coco = tmp_path / "coco.json"
    coco.write_text(
        '{"images": [{"id": 1, "file_name": "a.png"}], "categories": [{"id": 2, "name": "cell"}],'
        '"annotations": [{"image_id": 1, "category_id": 2, "bbox": [5, 6, 10, 20]}]}'
    )
    found = BoxesRef(str(coco), kind="coco", select="a.png").read()
    assert (found.corners.tolist(), found.classes) == ([[6, 5, 26, 15]], ("cell",))
    points = tmp_path / "points.csv"
    points.write_text("well,row,col\nA01,1.5,2\nA02,3,4\n")
    how = (("image", "well"), ("row", "row"), ("column", "col"))
    assert PointsRef(str(points), select="A02", how=how).read().tolist() == [[3, 4]]
    assert PointsRef(str(points), how=how).read().shape == (2, 2)
    hashes = {PointsRef(str(points), select=s, how=how).__taskgraph_hash__() for s in ("", "A02")}
    hashes |= {BoxesRef(str(csv), select=s).__taskgraph_hash__() for s in "ab"}
    assert len(hashes) == 4


def test_boxes_that_are_not_there(tmp_path):
    csv = tmp_path / "boxes.csv"
    csv.write_text("file,xmin\na,1\n")
    with pytest.raises(ValueError, match=r"needs columns named file, ymin.*got .*file, xmin"):
        datasets.read_boxes(str(csv))
    csv.write_text("file,y,x\na,1\n")
    with pytest.raises(ValueError, match=r"header's 3 fields; got another number in row 2"):
        datasets.read_points(str(csv))
    json = tmp_path / "a.json"
    json.write_text("[]")
    with pytest.raises(ValueError, match=r"must annotate 'a\.png'"):
        datasets.read_boxes(str(json), "objects-json", "a.png")
    with pytest.raises(ValueError, match="kind must be one of coco, csv, objects-json"):
        datasets.read_boxes(str(json), "xml")
    with pytest.raises(FileNotFoundError):
        datasets.read_points(str(tmp_path / "none.csv"))


def test_a_folder_that_is_an_image_has_a_digest_of_all_its_files(tmp_path):
    io.write_image(tmp_path / "a.zarr", RGB[..., 0])
    image = ImageRef(str(tmp_path / "a.zarr"))
    before = image.__taskgraph_hash__()
    assert image.__taskgraph_hash__() == before
    (tmp_path / "a.zarr").rename(tmp_path / "b.zarr")
    assert ImageRef(str(tmp_path / "b.zarr")).__taskgraph_hash__() == before
    assert np.array_equal(ImageRef(str(tmp_path / "b.zarr")).read(), RGB[..., 0])
    io.write_image(tmp_path / "a.zarr", RGB[..., 1])
    assert image.__taskgraph_hash__() != before
    io.write_image(tmp_path / "a.zarr", RGB[..., 2])
    with pytest.raises(ValueError, match=r"must not change while.*a\.zarr"):
        image.read()


def test_labels_of_a_volume_follow_the_plane_of_the_image(tmp_path):
    stack = RNG.integers(0, 999, (7, 12, 15)).astype(np.uint16)
    labels = (stack // 200).astype(np.int32) * (np.arange(7) > 2)[:, None, None]
    io.write_image(tmp_path / "a.tif", stack, axes="ZYX")
    io.write_labels(tmp_path / "labels.tif", labels)
    image = ImageRef(str(tmp_path / "a.tif"), str(tmp_path / "labels.tif"), plane=(("Z", "all"),))
    assert image.read().shape == image.gold.read().shape == (7, 12, 15)
    cut = replace(image, region=(2, 3, 9, 13))
    assert np.array_equal(cut.gold.read() > 0, labels[:, 2:9, 3:13] > 0)
    plane = replace(cut, plane=(("Z", 4),))
    assert plane.read().shape == plane.gold.read().shape == (7, 10)
    assert np.array_equal(plane.gold.read() > 0, labels[4, 2:9, 3:13] > 0)
    assert replace(image, plane=(("Z", 0),)).gold.read().max() == 0
    hashes = {each.gold.__taskgraph_hash__() for each in (image, cut, plane)}
    assert len(hashes) == 3
    for bad in (7, "max"):
        with pytest.raises(ValueError, match=rf"below 7 or 'all'; got {bad!r} along Z"):
            replace(image, plane=(("Z", bad),)).gold.read()
    io.write_labels(tmp_path / "flat.png", labels[4])
    flat = replace(image, labels_path=str(tmp_path / "flat.png"), plane=(("Z", 4),))
    assert flat.gold.read().shape == (12, 15)


def test_grey_keeps_to_single_precision_where_that_is_exact(tmp_path):
    wide = np.full((3, 3, 2), 65_535, np.uint16)
    assert pixels.aggregated(wide, "sum").dtype == np.float32
    assert pixels.aggregated(wide, "sum").max() == 131_070
    assert pixels.aggregated(wide.astype(np.int32), "mean").dtype == np.float64
    assert pixels.aggregated(wide, "max").dtype == np.uint16


def test_a_region_of_a_tiled_file_decodes_its_tiles_alone(tmp_path, monkeypatch):
    import tifffile

    from bioimage_tasks.io import tiff

    grey = RNG.integers(0, 255, (90, 80)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", grey, tile=(32, 32), compression="zlib")
    placed = []
    place = tiff._place
    monkeypatch.setattr(tiff, "_place", lambda *a: (placed.append(a), place(*a)))
    found = ImageRef(str(tmp_path / "a.tif"), region=(40, 33, 60, 60)).read()
    assert np.array_equal(found, grey[40:60, 33:60])
    assert len(placed) == 1
