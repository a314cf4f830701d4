"""What every collection can do: options, sampling, transforms, checks, batches, splits."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from bioimage_tasks import datasets, io
from bioimage_tasks.datasets import (
    ImageCollection,
    ImageRef,
    LabelsRef,
    pairing,
    registry,
    splits,
)
from bioimage_tasks.datasets import transforms as T

RNG = np.random.default_rng(2)


class Planted(ImageCollection):
    """Two channels and two annotations in a tree made by :func:`tree`."""

    name, acronym = "planted", "PLT"
    licence = citation = layout = "made by the test"
    expected = ("images/*.tif", "cells/*.png")
    parts = ("training", "test")
    channel_names = ("DNA", "actin")
    annotation_names = ("nuclei", "cells")

    def list_images(self, root, part):
        images = pairing.keyed(pairing.files(root, f"images/{part}-*.TIF"))
        cells = pairing.keyed(root.glob(f"cells/{part}-*.png"))
        pairing.check_partners(images, cells, "cells", without={"test-0"})
        return [
            ImageRef(
                path,
                group=key[-1],
                name=key,
                channel=(0, 1),
                annotations=(
                    ("nuclei", LabelsRef(cells[key])),
                    ("cells", LabelsRef(cells[key], kind="foreground")),
                )
                if key in cells
                else (),
            )
            for key, path in images.items()
        ]


@pytest.fixture
def tree(tmp_path):
    for part, count in (("training", 6), ("test", 3)):
        for number in range(count):
            image = RNG.integers(0, 99, (2, 9, 12)).astype(np.uint8)
            io.write_image(tmp_path / "images" / f"{part}-{number}.tif", image, axes="CYX")
            if (part, number) != ("test", 0):
                labels = np.zeros((9, 12), np.int32)
                labels[1:3, 1:3], labels[5:8, 5:9] = 4, 4
                io.write_labels(tmp_path / "cells" / f"{part}-{number}.png", labels)
    return tmp_path


def names(images):
    return [image.name for image in images]


def test_parts_outputs_channels_and_annotations(tree):
    assert len(Planted(tree)) == 6
    assert names(Planted(tree, part="all").images())[6:] == ["test-0", "test-1", "test-2"]
    first = Planted(tree)[0]
    assert (first["image"].shape, first["mask"].max()) == ((9, 12, 2), 1)
    assert Planted(tree, annotation="cells")[0]["mask"].max() == 2
    assert set(Planted(tree, output="image")[0]) == {"image"}
    assert Planted(tree, output="image").images()[0].gold is None
    assert set(Planted(tree, output="labels")[0]) == {"mask"}
    actin = Planted(tree, channels="actin")[0]["image"]
    assert np.array_equal(actin, first["image"][..., 1])
    swapped = Planted(tree, channels=["actin", "DNA"])[0]["image"]
    assert np.array_equal(swapped, first["image"][..., ::-1])
    grey = Planted(tree, aggregate=(0.25, 0.75))[0]["image"]
    assert np.allclose(grey, first["image"] @ [0.25, 0.75])
    assert set(Planted(tree, part="test")[0]) == {"image"}  # known to have no cells
    with pytest.raises(ValueError, match="labels were asked for and test-0 has none"):
        Planted(tree, part="test", output="labels")[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"part": "val"}, "part must be one of training, test, all; got 'val'"),
        ({"output": "mask"}, "output must be one of both, image, labels"),
        ({"channels": "RNA"}, "channels must be one of DNA, actin; got 'RNA'"),
        ({"annotation": "x"}, "annotation must be one of nuclei, cells; got 'x'"),
        ({"n_samples": 0}, "n_samples must be at least 1; got 0"),
    ],
)
def test_options_that_are_none(tree, options, message):
    with pytest.raises(ValueError, match=f"Planted: {message}"):
        Planted(tree, **options)


def test_indices_and_samples_are_the_same_every_time(tree):
    assert names(Planted(tree, indices=[4, 0]).images()) == ["training-4", "training-0"]
    with pytest.raises(ValueError, match=r"indices must lie in 0\.\.5; got \[6\]"):
        Planted(tree, indices=[6]).images()
    drawn = [names(Planted(tree, n_samples=3, seed=seed).images()) for seed in range(9)]
    assert drawn == [names(Planted(tree, n_samples=3, seed=seed).images()) for seed in range(9)]
    assert len({tuple(each) for each in drawn}) > 3
    assert all(each == sorted(set(each)) and len(each) == 3 for each in drawn)
    many = names(Planted(tree, n_samples=14).images())
    counts = [many.count(name) for name in set(many)]
    assert (len(many), min(counts), max(counts)) == (14, 2, 3)


def test_a_collection_without_a_part_or_folder_says_so(tree):
    class Undivided(Planted):
        parts = ("training",)

    with pytest.raises(ValueError, match="has the parts training; got 'test'"):
        Undivided(tree, part="test").images()
    with pytest.raises(FileNotFoundError, match=r"must exist; got .*nowhere"):
        Planted(tree / "nowhere").images()
    with pytest.raises(NotImplementedError, match="must implement list_images"):
        ImageCollection(tree).images()


def test_check_says_what_is_missing(tree):
    assert Planted.check(tree) == []
    (tree / "cells" / "training-2.png").unlink()
    (found,) = Planted.check(tree)
    assert "training-2.tif has no cells." in found
    assert Planted.check(tree, "test") == []
    for path in (tree / "cells").iterdir():
        path.unlink()
    assert Planted.check(tree) == [f"{tree} has nothing that matches cells/*.png."]
    assert Planted.check(tree / "none") == [f"There is no folder {tree / 'none'}."]


def test_pairs_are_made_by_key_and_the_lonely_are_named(tmp_path):
    a = {f"{number}": f"images/{number}.tif" for number in range(9)}
    with pytest.raises(FileNotFoundError, match=r"images/0\.tif has no cells; .* and 3 more$"):
        pairing.check_partners(a, {"8": "cells/8.png"}, "cells")
    with pytest.raises(FileNotFoundError, match=r"cells/x\.png has no image"):
        pairing.check_partners(a, dict(a) | {"x": "cells/x.png"}, "cells")
    with pytest.raises(FileNotFoundError, match=r"must hold \*\.tif or \*\.tiff; got no such"):
        pairing.files(tmp_path, "*.tif", "*.tiff")
    (tmp_path / "A.TIF").write_bytes(b"")
    (tmp_path / "a.tif").write_bytes(b"")
    (tmp_path / ".a.tif").write_bytes(b"")
    assert len(pairing.files(tmp_path, "*.tif")) == 2
    with pytest.raises(ValueError, match=r"stem of its own.*A\.TIF and .*a\.tif in here"):
        pairing.keyed(tmp_path.iterdir(), lambda path: path.stem.lower(), "here")


def test_collections_are_found_by_name_and_acronym():
    assert datasets.get("FOLDER") is datasets.FolderCollection
    assert {"folder", "csv"} <= set(datasets.names())
    with pytest.raises(ValueError, match=r"there are .*folder.*; got 'none'"):
        datasets.get("none")
    with pytest.raises(ValueError, match=r"must have a licence; got Bare"):
        datasets.register(type("Bare", (ImageCollection,), {"name": "bare"}))
    with pytest.raises(ValueError, match=r"'folder' is already .*got .*Other"):
        datasets.register(type("Other", (Planted,), {"name": "folder"}))
    assert "bare" not in registry._registered


# -- transforms --------------------------------------------------------------------


def test_a_transform_sees_image_and_mask_together(tree):
    def upside_down(image, mask):
        return {"image": image[::-1], "mask": mask[::-1], "extra": 1}

    plain, turned = Planted(tree)[1], Planted(tree, transform=upside_down)[1]
    for key in ("image", "mask"):
        assert np.array_equal(turned[key], plain[key][::-1])
    assert set(turned) == {"image", "mask"}
    for bad, got in ((lambda image, mask: image, "ndarray"), (lambda **s: {"mask": 1}, "mask")):
        with pytest.raises(ValueError, match=rf"dictionary with image, mask; got .*{got}"):
            Planted(tree, transform=bad)[0]


def test_drawing_transforms_follow_from_seed_epoch_and_pixels():
    image = RNG.integers(0, 255, (40, 50, 2)).astype(np.uint8)
    mask = image[..., 0].astype(np.int32)
    steps = T.Compose((T.Crop(size=(16, 20)), T.Flip(), T.Rotate90()))
    seen = set()
    for epoch in range(20):
        found = steps.at_epoch(epoch)(image=image, mask=mask)
        again = steps.at_epoch(epoch)(image=image, mask=mask)
        assert np.array_equal(found["image"], again["image"])
        assert np.array_equal(found["image"][..., 0], found["mask"])
        assert sorted(found["mask"].shape) == [16, 20]
        seen.add(found["mask"].tobytes())
    assert len(seen) > 12
    alone = steps(mask=mask)
    assert set(alone) == {"mask"}


def test_flips_and_turns_reach_every_position():
    image = np.arange(6).reshape(2, 3)
    for transform, count in ((T.Flip(), 4), (T.Rotate90(), 4)):
        drawn = [transform.at_epoch(epoch)(image=image)["image"] for epoch in range(60)]
        assert len({(each.shape, each.tobytes()) for each in drawn}) == count


def test_crops_pad_what_is_too_small():
    image, mask = np.full((5, 6), 9, np.uint8), np.ones((5, 6), np.int32)
    found = T.Crop(size=(8, 4), where="centre")(image=image, mask=mask)
    assert found["image"].shape == found["mask"].shape == (8, 4)
    assert found["image"].min() == 9
    assert found["mask"].sum() == 5 * 4
    with pytest.raises(ValueError, match="size must be at least 1 pixel"):
        T.Crop(size=(0, 4))(image=image)
    with pytest.raises(ValueError, match="where must be one of random, centre"):
        T.Crop(where="left")(image=image)


def test_changes_of_the_image_leave_the_mask():
    rgb = RNG.integers(0, 255, (7, 8, 3)).astype(np.uint8)
    mask = np.ones((7, 8), np.int32)

    def change(transform, image):
        found = transform(image=image, mask=mask)
        assert found["mask"] is mask
        return found["image"]

    scaled = change(T.Normalise(), rgb)
    assert scaled.dtype == np.float32
    low, high = np.percentile(rgb[..., 1], (1, 99.8))
    assert np.allclose(scaled[..., 1], (rgb[..., 1] - low) / (high - low), atol=1e-6)
    assert change(T.Normalise(), np.full((4, 4), 7)).max() == 0
    assert np.array_equal(change(T.ChannelsFirst(), rgb), rgb.transpose(2, 0, 1))
    assert change(T.ChannelsFirst(), rgb[..., 0]).shape == (1, 7, 8)
    assert np.allclose(change(T.ToGray(), rgb), rgb @ [0.299, 0.587, 0.114])
    assert np.array_equal(change(T.Reorder((2, 0)), rgb), rgb[..., [2, 0]])
    for image in (rgb[..., 0], rgb[..., :1]):
        assert np.array_equal(change(T.ToRgb(), image), np.dstack([rgb[..., 0]] * 3))
    assert change(T.ToRgb(), rgb[..., :2])[..., 2].max() == 0
    assert np.array_equal(change(T.ToRgb(), np.dstack([rgb, mask])), rgb)
    for bad, image in (
        (T.Reorder((3,)), rgb), (T.Reorder((0,)), rgb[..., 0]), (T.ToRgb(), np.zeros((2, 2, 5))),
        (T.Normalise(50, 50), rgb), (T.ToGray((1.0,)), rgb),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="must"):
            bad(image=image)


def test_a_transform_of_dictionaries_is_taken(tree):
    def monai_like(data):
        assert set(data) == {"image", "label"}
        return {key: value[::-1] for key, value in data.items()}

    plain = Planted(tree)[0]
    turned = Planted(tree, transform=T.of_dict(monai_like, mask="label"))[0]
    assert np.array_equal(turned["mask"], plain["mask"][::-1])


# -- batches -----------------------------------------------------------------------


def ids(batches):
    return [batch["image"][:, 0].tolist() for batch in batches]


def test_batches_have_a_new_order_every_epoch():
    samples = [{"image": np.array([number])} for number in range(10)]
    plain = ids(datasets.batches(samples, 4))
    assert plain == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert ids(datasets.batches(samples, 4, drop_last=True)) == plain[:2]
    epochs = [ids(datasets.batches(samples, 4, seed=1, epoch=epoch)) for epoch in range(4)]
    assert epochs[2] == ids(datasets.batches(samples, 4, seed=1, epoch=2, threads=5, ahead=9))
    assert len({str(each) for each in epochs}) == 4
    assert all(sorted(n for batch in each for n in batch) == list(range(10)) for each in epochs)
    with pytest.raises(ValueError, match="size must be at least 1; got 0"):
        datasets.batches(samples, 0)


def test_batches_of_a_collection_stack_or_list(tree):
    first, second = datasets.batches(Planted(tree), 4)
    assert first["image"].shape == (4, 9, 12, 2)
    assert second["mask"].shape == (2, 9, 12)
    crop = Planted(tree, transform=T.Compose((T.Crop(size=(3, 4)),)))
    one, two = (next(datasets.batches(crop, 6, epoch=epoch)) for epoch in (0, 1))
    assert not np.array_equal(one["image"], two["image"])
    mixed = [{"image": np.zeros((2, n))} for n in (2, 3)]
    (batch,) = datasets.batches(mixed, 2)
    assert [each.shape for each in batch["image"]] == [(2, 2), (2, 3)]
    with pytest.raises(ValueError, match=r"the same keys, .*\('image',\) and \('image', 'mask'\)"):
        list(datasets.batches(Planted(tree, part="test"), 3))


def test_batches_stop_when_the_reader_does_and_pass_errors_on():
    before = threading.active_count()
    endless = datasets.batches([{"image": np.zeros(1)}] * 1000, 2)
    next(endless)
    endless.close()
    assert threading.active_count() == before

    class Broken(list):
        def __getitem__(self, index):
            raise ValueError(f"planted at {index}")

    with pytest.raises(ValueError, match="planted at 0"):
        list(datasets.batches(Broken([1, 2]), 1))


# -- splits ------------------------------------------------------------------------


def grouped(*sizes):
    return [
        ImageRef(f"{group}-{number}.png", group=group)
        for group, size in zip("abcdefgh", sizes, strict=False)
        for number in range(size)
    ]


def no_group_twice(parts):
    groups = [{image.group for image in part} for part in parts]
    return sum(map(len, groups)) == len(set().union(*groups))


def test_the_check_of_groups_sees_a_planted_leak():
    images = grouped(4, 4)
    assert not no_group_twice(datasets.random_split(images, (0.5, 0.5)))
    assert no_group_twice([images[:4], images[4:]])


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_never_on_two_sides(seed):
    images = grouped(9, 1, 5, 5, 3, 2, 2, 3)
    for fractions in ((0.8, 0.2), (0.5, 0.25, 0.25), (0.98, 0.01, 0.01)):
        parts = datasets.split_by_group(images, fractions, seed)
        assert no_group_twice(parts)
        assert sum(map(len, parts)) == len(images)
        assert all(parts)
    _train, test = datasets.split_by_group(images, (0.8, 0.2), seed)
    assert abs(len(test) - 6) <= 2
    assert parts == datasets.split_by_group(images, fractions, seed)
    folds = datasets.group_folds(images, 4, seed)
    assert all(no_group_twice(fold) and len(fold[0]) + len(fold[1]) == 30 for fold in folds)
    assert sorted(image.name for _train, test in folds for image in test) == sorted(names(images))
    assert len(datasets.group_folds(images, 8)) == 8


def test_groups_that_cannot_be_told_apart_are_an_error():
    with pytest.raises(ValueError, match=r"group of every image must be known; .*groups=.*for x"):
        datasets.split_by_group([ImageRef("x.png"), *grouped(2, 2)])
    with pytest.raises(ValueError, match=r"as many groups as parts; .*got 1 groups \(a\) for 2"):
        datasets.split_by_group(grouped(5))
    with pytest.raises(ValueError, match=r"got 2 groups .* for 3 parts"):
        datasets.group_folds(grouped(5, 5), 3)
    for bad in ((1.0,), (0.5, 0.6), (1.0, 0.0)):
        with pytest.raises(ValueError, match="above 0 that add up to 1"):
            datasets.split_by_group(grouped(5, 5), bad)
    with pytest.raises(ValueError, match="folds must be at least 2; got 1"):
        datasets.group_folds(grouped(5, 5), 1)


def test_splits_by_chance_and_by_index(tree):
    images = Planted(tree)
    one, two = datasets.random_split(images, (4, 2), seed=3)
    assert sorted(names(one) + names(two)) == names(images.images())
    assert datasets.random_split(images, (4, 2), seed=3) == [one, two]
    assert datasets.random_split(images, (4, 2), seed=4) != [one, two]
    assert [len(part) for part in datasets.random_split(images, (0.5, 0.3, 0.2))] == [3, 2, 1]
    for bad in ((4, 3), (0.5, 0.4), (-1, 7)):
        with pytest.raises(ValueError, match="add up to"):
            datasets.random_split(images, bad)
    chosen, rest = datasets.split_by_indices(images, [5, 0])
    assert (names(chosen), len(rest)) == (["training-5", "training-0"], 4)
    with pytest.raises(ValueError, match=r"come once; got \[1\]"):
        datasets.split_by_indices(images, [1, 1])
    with pytest.raises(ValueError, match=r"0\.\.5; got \[9\]"):
        datasets.subset(images, [9])
    assert len(datasets.concatenate([images, images])) == 12
    assert len(datasets.Samples(splits.listed(images))[1:3]) == 2
