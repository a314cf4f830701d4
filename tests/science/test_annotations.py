"""Every published form of annotation gives the labels that were put into it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bioimage_tasks import io
from bioimage_tasks.datasets import LabelsRef, annotations
from bioimage_tasks.datasets.annotations import Source, decode, paint, registry
from bioimage_tasks.datasets.annotations.coco import _unpacked

SHAPE = (40, 60)


def scene():
    """Three rectangles that don't touch, numbered in the order of their first pixels."""
    labels = np.zeros(SHAPE, np.int32)
    labels[2:12, 3:20] = 1
    labels[5:30, 30:50] = 2
    labels[33:40, 0:9] = 3  # closed off by two borders of the image
    return labels


def same(found, expected):
    """Compare labels up to their numbers."""
    pairs = set(zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True))
    one = len({a for a, _b in pairs}) == len({b for _a, b in pairs}) == len(pairs)
    return one and np.array_equal(found == 0, expected == 0)


def outline(labels):
    """The innermost pixels of each object that lie beside another value."""
    padded = np.pad(labels, 1, mode="edge")
    inner = padded[1:-1, 1:-1]
    around = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    return (labels > 0) & np.any([each != inner for each in around], axis=0)


def test_the_comparison_sees_a_merge_a_split_and_a_shift():
    labels = scene()
    assert same(labels, np.where(labels, 4 - labels, 0))
    merged = np.where(labels == 2, 1, labels)
    for planted in (merged, np.roll(labels, 1, 0)):
        assert not same(planted, labels)
        assert not same(labels, planted)


def test_a_label_image_keeps_its_numbers_and_flips(tmp_path):
    labels = scene()
    io.write_labels(tmp_path / "a.tif", labels * 70_000)
    found = LabelsRef(str(tmp_path / "a.tif")).read()
    assert found.dtype == np.int32
    assert np.array_equal(found, labels)
    turned = LabelsRef(str(tmp_path / "a.tif"), how=(("flip", "y"),)).read()
    assert np.array_equal(turned, labels[::-1])
    with pytest.raises(ValueError, match=r"flip must be one of , y, x; got 'z'"):
        LabelsRef(str(tmp_path / "a.tif"), how=(("flip", "z"),)).read()


@pytest.mark.parametrize("kind", ["foreground", "outlines"])
@pytest.mark.parametrize("form", ["bool", "rgb", "rgba", "inverted", "equals", "mirrored"])
def test_masks_and_outlines_in_every_disguise(tmp_path, kind, form):
    labels = scene()
    drawn = labels > 0 if kind == "foreground" else outline(labels)
    byte = drawn.astype(np.uint8) * 255
    how = {
        "rgb": {"channel": 2}, "inverted": {"invert": True}, "equals": {"equals": 255},
        "mirrored": {"flip": "x"},
    }.get(form, {})  # fmt: skip
    image = {
        "bool": drawn,
        "rgb": np.dstack([np.roll(byte, 3, 0), 255 - byte, byte]),
        "rgba": np.dstack([byte, byte, byte, np.full_like(byte, 255)]),
        "inverted": ~drawn,
        "equals": np.where(drawn, 255, 90).astype(np.uint8),
        "mirrored": byte[:, ::-1],
    }[form]
    io.write_image(tmp_path / "a.png", image)
    found = decode(Source((str(tmp_path / "a.png"),)), kind, **how)
    assert same(found, labels)


def test_outlines_one_wide_hand_drawn_by_discs(tmp_path):
    """Circles as closed lines: filled again exactly, and touching ones stay apart."""
    rows, columns = np.mgrid[:80, :120]
    labels = np.zeros((80, 120), np.int32)
    for number, (y, x) in enumerate([(20, 20), (20, 49), (55, 60), (60, 100)], 1):
        labels[(rows - y) ** 2 + (columns - x) ** 2 <= 14**2] = number
    io.write_image(tmp_path / "a.png", outline(labels))
    assert same(decode(Source((str(tmp_path / "a.png"),)), "outlines"), labels)


def test_open_lines_are_no_objects_and_a_border_can_be_background(tmp_path):
    lines = outline(scene())
    lines[2, 5:8] = False  # a gap
    io.write_image(tmp_path / "a.png", lines)
    source = Source((str(tmp_path / "a.png"),))
    assert decode(source, "outlines").max() == 2
    assert decode(source, "outlines", background="border").max() == 1
    for flat, expected in ((np.zeros(SHAPE, bool), 0), (np.ones(SHAPE, bool), 0)):
        io.write_image(tmp_path / "a.png", flat)
        assert decode(source, "outlines").max() == expected


def test_values_are_split_into_components_beyond_255(tmp_path):
    """BBBC039: 1 where alone, 2 and 3 where touching, so values repeat; many objects."""
    values = np.zeros((80, 120), np.uint8)
    values[1::4, 1::4] = 1
    values[1::4, 2::4] = 2  # touches a 1
    rgba = np.dstack([values, values * 0, values * 0, np.full_like(values, 255)])
    io.write_image(tmp_path / "a.png", rgba)
    found = decode(Source((str(tmp_path / "a.png"),)), "components")
    assert found.max() == 2 * 20 * 30
    assert np.array_equal(found > 0, values > 0)


def test_more_than_65535_objects_do_not_wrap(tmp_path):
    dots = np.zeros((560, 560), bool)
    dots[::2, ::2] = True
    io.write_image(tmp_path / "a.png", dots)
    found = decode(Source((str(tmp_path / "a.png"),)), "foreground")
    assert found.max() == 280 * 280
    assert found.dtype == np.int32


def test_one_mask_per_object(tmp_path):
    labels = scene()
    paths = []
    for number in (3, 1, 2, 9):  # 9: an empty file is no object
        paths.append(str(tmp_path / f"{number}.png"))
        io.write_image(paths[-1], (labels == number).astype(np.uint8) * 255)
    reference = LabelsRef(paths[0], kind="masks", paths=tuple(sorted(paths)))
    assert np.array_equal(reference.read(), labels)
    assert reference.__taskgraph_hash__() != LabelsRef(paths[0], kind="masks").__taskgraph_hash__()
    io.write_image(paths[1], np.ones((3, 3), bool))
    with pytest.raises(ValueError, match=r"shape of the first, \(40, 60\); got \(3, 3\) in"):
        decode(Source(tuple(paths)), "masks")


def test_overlap_goes_to_the_smaller_then_to_the_first():
    square = np.indices((4, 4)).reshape(2, -1)
    whole, part = tuple(square), (np.array([1, 2]), np.array([1, 1]))
    for objects, inner in (([whole, part], 2), ([part, whole], 1)):
        labels = paint((4, 4), objects)
        assert labels[1, 1] == labels[2, 1] == inner
        assert np.count_nonzero(labels == inner) == 2
    assert paint((4, 4), [part, part]).max() == 1
    assert paint((4, 4), []).max() == 0


def runs_of(mask):
    """Write a mask as the Data Science Bowl does; independent of the decoder."""
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [0]])
    starts, ends = np.nonzero(np.diff(flat) == 1)[0], np.nonzero(np.diff(flat) == -1)[0]
    return " ".join(f"{start + 1} {end - start}" for start, end in zip(starts, ends, strict=True))


@pytest.fixture
def bowl(tmp_path):
    labels = scene()
    lines = ["ImageId,EncodedPixels,Height,Width,Usage"]
    for number, image in ((1, "a"), (1, "b"), (2, "a"), (3, "a")):  # rows not grouped
        lines.append(f"{image},{runs_of(labels == number)},40,60,Public")
    (tmp_path / "solution.csv").write_text("\n".join(lines))
    return tmp_path / "solution.csv"


def test_runs_down_the_columns_counted_from_one(bowl):
    assert runs_of(np.array([[0, 1], [1, 1]], bool)) == "2 3"
    labels = scene()
    assert np.array_equal(LabelsRef(str(bowl), kind="runs", select="a").read(), labels)
    assert np.array_equal(LabelsRef(str(bowl), kind="runs", select="b").read(), labels == 1)
    a, b = (LabelsRef(str(bowl), kind="runs", select=each).__taskgraph_hash__() for each in "ab")
    assert a != b


def test_runs_without_a_size_need_an_image(bowl, tmp_path):
    short = tmp_path / "labels.csv"
    short.write_text("ImageId,EncodedPixels\na,1 40 41 40\n")
    with pytest.raises(ValueError, match="name one with like=PATH"):
        decode(Source((str(short),), "a"), "runs")
    io.write_image(tmp_path / "a.png", np.zeros(SHAPE, np.uint8))
    found = decode(Source((str(short),), "a", str(tmp_path / "a.png")), "runs")
    assert np.array_equal(np.nonzero(found.any(axis=0))[0], [0, 1])


@pytest.mark.parametrize(
    ("runs", "message"),
    [("1 2 3", "pairs of start and length"), ("0 2", "pairs of start"), ("2399 3", "within 40 x"),
     ("1 x", "whole numbers; got '1 x'")],
)  # fmt: skip
def test_bad_runs_are_told(tmp_path, runs, message):
    path = tmp_path / "bad.csv"
    path.write_text(f"ImageId,EncodedPixels,Height,Width\na,{runs},40,60\n")
    with pytest.raises(ValueError, match=message):
        decode(Source((str(path),), "a"), "runs")
    with pytest.raises(ValueError, match="must annotate 'z'"):
        decode(Source((str(path),), "z"), "runs")


def aperio(*polygons):
    regions = "".join(
        "<Region><Vertices>"
        + "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for y, x in polygon)
        + "</Vertices></Region>"
        for polygon in polygons
    )
    return f"<Annotations><Annotation><Regions>{regions}</Regions></Annotation></Annotations>"


def test_polygons_of_imagescope(tmp_path):
    box = lambda top, left, bottom, right: [  # noqa: E731
        (top, left), (top, right - 1), (bottom - 1, right - 1), (bottom - 1, left)
    ]  # fmt: skip
    boxes = [box(2, 3, 12, 20), box(5, 30, 30, 50), box(33, 0, 40, 9), [(0, 0), (1, 1)]]
    (tmp_path / "a.xml").write_text(aperio(*boxes))
    io.write_image(tmp_path / "a.png", np.zeros((*SHAPE, 3), np.uint8))
    reference = LabelsRef(
        str(tmp_path / "a.xml"), kind="polygons-xml", like=str(tmp_path / "a.png")
    )
    assert np.array_equal(reference.read(), scene())
    part = LabelsRef(reference.path, (0, 25, 40, 60), kind="polygons-xml", like=reference.like)
    assert np.array_equal(part.read(), scene()[:, 25:] > 0)
    for text in ("<Annotations>", aperio([(0, 0)]).replace("</", "<"), aperio([(1, "x")] * 3)):
        (tmp_path / "a.xml").write_text(text)
        with pytest.raises(ValueError, match=r"must be XML with Region .*a\.xml"):
            decode(Source((reference.path,), like=reference.like), "polygons-xml")


def test_polygons_agree_with_pixel_centres_inside():
    """An independent reference: matplotlib's test of points in a polygon."""
    from matplotlib.path import Path as Polygon

    from bioimage_tasks.datasets.annotations.polygons import polygon_pixels

    rng = np.random.default_rng(1)
    points = np.argwhere(np.ones(SHAPE, bool))
    for _ in range(20):
        angles = np.sort(rng.uniform(0, 2 * np.pi, 9))
        radius = rng.uniform(4, 25, 9)
        corners = np.stack(
            [20 + radius * np.sin(angles), 30 + radius * np.cos(angles)], axis=1
        )  # some leave the image
        inside = Polygon(corners).contains_points(points).reshape(SHAPE)
        found = np.zeros(SHAPE, bool)
        found[polygon_pixels([corners], SHAPE)] = True
        assert np.array_equal(found, inside)


def counts_of(mask):
    flat = mask.T.ravel().astype(int)
    edges = np.concatenate([[0], np.nonzero(np.diff(flat))[0] + 1, [flat.size]])
    counts = np.diff(edges).tolist()
    return [0, *counts] if flat[0] else counts


def packed(counts):
    """COCO's rleToString, written from its C source, as the independent direction."""
    text = ""
    for place, count in enumerate(counts):
        number = count - (counts[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits = number & 0x1F
            number >>= 5
            more = number != -1 if bits & 0x10 else number != 0
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


def test_packed_runs_are_those_of_coco():
    rng = np.random.default_rng(5)
    for _ in range(50):
        counts = rng.integers(0, 3000, rng.integers(1, 40)).tolist()
        assert _unpacked(packed(counts)) == counts
    # From the documentation of pycocotools: a 9 x 10 example.
    assert packed([6, 1, 40, 4, 5, 4, 5, 4, 21]) == "61X13mN000`0"
    assert _unpacked("61X13mN000`0") == [6, 1, 40, 4, 5, 4, 5, 4, 21]


@pytest.fixture
def coco(tmp_path):
    labels = scene()
    polygon = [3, 2, 19, 2, 19, 11, 3, 11]
    objects = [
        {"id": 0, "image_id": 7, "category_id": 1, "segmentation": [polygon],
         "bbox": [3, 2, 17, 10]},
        {"id": 5, "image_id": 7, "category_id": 2, "bbox": [30, 5, 20, 25],
         "segmentation": {"size": [40, 60], "counts": counts_of(labels == 2)}},
        {"id": 1, "image_id": 8, "category_id": 1, "segmentation": [polygon],
         "bbox": [0, 0, 1, 1]},
        {"id": 9, "image_id": 7, "category_id": 1, "bbox": [0, 33, 9, 7],
         "segmentation": {"size": [40, 60], "counts": packed(counts_of(labels == 3))}},
    ]  # fmt: skip
    images = [
        {"id": number, "file_name": f"{name}.tif", "height": 40, "width": 60}
        for number, name in ((7, "a"), (8, "b"), (9, "empty"))
    ]
    categories = [{"id": 1, "name": "cell"}, {"id": 2, "name": "giant"}]
    whole = {"images": images, "annotations": objects, "categories": categories}
    (tmp_path / "coco.json").write_text(json.dumps(whole))
    return tmp_path / "coco.json", whole


def test_coco_polygons_and_both_run_lengths(coco):
    path, whole = coco
    for select in ("a.tif", "some/folder/a.tif", "7"):
        assert np.array_equal(decode(Source((str(path),), select), "coco"), scene())
    assert decode(Source((str(path),), "empty.tif"), "coco").max() == 0
    as_mapping = {str(each["id"]): each for each in whole["annotations"]}
    path.write_text(json.dumps(whole | {"annotations": as_mapping}))  # LIVECell's files
    assert np.array_equal(decode(Source((str(path),), "a.tif"), "coco"), scene())


def test_bad_coco_is_told(coco):
    path, whole = coco
    with pytest.raises(ValueError, match=r"must annotate 'z\.tif'"):
        decode(Source((str(path),), "z.tif"), "coco")
    for bad, message in ((3, "polygons or runs"), ({"counts": [1, 2]}, "add up to the 2400")):
        whole["annotations"][0]["segmentation"] = bad
        path.write_text(json.dumps(whole) + " " * len(message))
        with pytest.raises(ValueError, match=message):
            decode(Source((str(path),), "a.tif"), "coco")
    for text, message in (("{", "must be json"), ("[1]", "must have 'images'")):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            decode(Source((str(path),), "a.tif"), "coco")


# -- the registry ------------------------------------------------------------------


def test_every_decoder_is_found_by_name():
    assert set(annotations.kinds()) >= {
        "instances", "foreground", "outlines", "components", "masks", "runs", "polygons-xml",
        "coco",
    }  # fmt: skip
    with pytest.raises(ValueError, match=r"there are .*outlines.*; got 'none'"):
        annotations.get("none")
    with pytest.raises(ValueError, match=r"'components' takes channel, flip; got unknown x"):
        decode(Source(("a.png",)), "components", x=1)


def test_a_decoder_that_breaks_the_contract_is_refused():
    with pytest.raises(ValueError, match=r"keyword-only, typed and have a default; got 'k'"):
        annotations.register("planted")(lambda source, k: source)
    with pytest.raises(ValueError, match=r"a name of its own; 'masks' is already"):
        annotations.register("masks")(lambda source: source)
    assert "planted" not in registry._registered


def test_an_annotation_that_changes_under_its_tasks_is_refused(tmp_path):
    path = tmp_path / "a.png"
    io.write_labels(path, scene())
    reference = LabelsRef(str(path), kind="foreground")
    reference.__taskgraph_hash__()
    io.write_labels(path, scene()[::-1])
    with pytest.raises(ValueError, match=r"must not change while.*a\.png"):
        reference.read()


def test_outlines_of_real_nuclei_are_filled_again(collection, tmp_path):
    """Hand-drawn borders are ragged: slivers between lines must not become objects."""
    from skimage.segmentation import find_boundaries

    from bioimage_tasks import datasets, metrics

    for image in datasets.NucleiU2osHand(collection("nuclei-u2os-hand")).images()[16:42:25]:
        gold = image.gold.read()
        io.write_image(tmp_path / "a.png", find_boundaries(gold, mode="inner"))
        source = Source((str(tmp_path / "a.png"),))
        assert metrics.score(decode(source, "outlines"), gold).f1 > 0.98
        assert metrics.score(decode(source, "outlines", least=0.0), gold).f1 < 0.7


def test_an_object_in_several_polygons_is_one_object(coco):
    path, whole = coco
    left, right = [0, 0, 4, 0, 4, 4, 0, 4], [10, 0, 14, 0, 14, 4, 10, 4]
    whole["annotations"] = [
        {"id": 1, "image_id": 7, "segmentation": [left, right, [1, 1]]},
        {"id": 2, "image_id": 7, "segmentation": [[50, 30, 51, 30]]},  # encloses nothing
    ]
    path.write_text(json.dumps(whole))
    found = decode(Source((str(path),), "a.tif"), "coco")
    assert (found.max(), np.count_nonzero(found)) == (1, 2 * 25)
    assert found[2, 7] == 0


def test_object_numbers_in_one_sample(tmp_path):
    labels = scene()
    colours = np.dstack([labels * 0 + 7, labels, labels * 0]).astype(np.uint8)
    io.write_image(tmp_path / "a.png", colours)
    source = Source((str(tmp_path / "a.png"),))
    assert np.array_equal(decode(source, "instances", channel=1), labels)
    assert decode(source, "instances").min() == 1  # as colours, background is one too
