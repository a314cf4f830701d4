"""OME-Zarr at several levels: against metadata and chunks written by hand, and around again.

By hand is from the specification, by json and bytes alone: no zarr, no code of ours.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from bioimage_tasks import io
from bioimage_tasks.datasets import ImageRef, LabelsRef
from bioimage_tasks.io import ngff, pyramid, zarrs

RNG = np.random.default_rng(5)


def array_04(folder, array, separator="/"):
    """Write an array as zarr 2, one chunk a plane, uncompressed."""
    folder.mkdir(parents=True)
    chunks = [1] * (array.ndim - 2) + list(array.shape[-2:])
    head = {"zarr_format": 2, "shape": array.shape, "chunks": chunks, "dtype": array.dtype.str,
            "compressor": None, "fill_value": 0, "order": "C", "filters": None,
            "dimension_separator": separator}  # fmt: skip
    (folder / ".zarray").write_text(json.dumps(head))
    for place in np.ndindex(array.shape[:-2]):
        chunk = folder / separator.join(map(str, (*place, 0, 0)))
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(array[place].tobytes())


def array_05(folder, array, names):
    """Write an array as zarr 3, one chunk a plane, uncompressed."""
    folder.mkdir(parents=True)
    chunks = [1] * (array.ndim - 2) + list(array.shape[-2:])
    head = {"zarr_format": 3, "node_type": "array", "shape": array.shape,
            "data_type": str(array.dtype), "fill_value": 0, "dimension_names": names,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}]}  # fmt: skip
    (folder / "zarr.json").write_text(json.dumps(head))
    for place in np.ndindex(array.shape[:-2]):
        chunk = folder / "c" / "/".join(map(str, (*place, 0, 0)))
        chunk.parent.mkdir(parents=True, exist_ok=True)
        chunk.write_bytes(array[place].tobytes())


def group(folder, attributes, version):
    folder.mkdir(parents=True, exist_ok=True)
    if version == "0.4":
        (folder / ".zgroup").write_text('{"zarr_format": 2}')
        (folder / ".zattrs").write_text(json.dumps(attributes))
    else:
        head = {"zarr_format": 3, "node_type": "group"}
        head["attributes"] = {"ome": {"version": "0.5", **attributes}}
        (folder / "zarr.json").write_text(json.dumps(head))


AXES = [
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "nanometer"},
    {"name": "x", "type": "space", "unit": "nanometer"},
]


def scaled(path, scale, *more):
    return {"path": path, "coordinateTransformations": [{"type": "scale", "scale": scale}, *more]}


def foreign(folder, version):
    """Make an image as another program would: three levels, 27 x 22 pixels, labels."""
    levels = [RNG.integers(0, 900, (2, 3, 27 >> n, 22 >> n)).astype("<u2") for n in range(3)]
    shifts = [{"type": "translation", "translation": [0, 0, 50, 100]},
              {"type": "translation", "translation": [0, 0, 150, 200]}]  # fmt: skip
    datasets = [scaled("full", [1, 2, 100, 100]), scaled("half", [1, 2, 200, 200], shifts[0]),
                scaled("s/2", [1, 2, 400, 400], shifts[1])]  # fmt: skip
    shared = [{"type": "scale", "scale": [1, 0.5, 2, 2]},
              {"type": "translation", "translation": [0, 4, 1000, 0]}]  # fmt: skip
    own = {"axes": AXES, "datasets": datasets, "coordinateTransformations": shared}
    if version == "0.4":
        own["version"] = "0.4"
    group(folder, {"multiscales": [own]}, version)
    for each, array in zip(datasets, levels, strict=True):
        if version == "0.4":
            array_04(folder / each["path"], array, "." if each["path"] == "half" else "/")
        else:
            array_05(folder / each["path"], array, ["c", "z", "y", "x"])
    return levels


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_every_level_of_a_foreign_image(tmp_path, version):
    arrays = foreign(path := tmp_path / "foreign.ome.zarr", version)
    for number, array in enumerate(arrays):
        image = io.open_image(path, level=number)
        assert (image.axes, image.shape, image.level) == ("CZYX", array.shape, number)
        assert image.pixel_size == pytest.approx({"Z": 1.0, "Y": 0.2 * 2**number,
                                                  "X": 0.2 * 2**number})  # fmt: skip
        assert np.array_equal(image.read(channel=1, plane=(("Z", 2),)), array[1, 2])
        assert np.array_equal(io.read_image(path, level=number), array)
        assert io.plane_shape(path, level=number) == array.shape[-2:]
    levels = image.levels
    assert [each.shape for each in levels] == [each.shape for each in arrays]
    # The shared scale and shift come after each level's own: (50 * 2 + 1000) nm.
    assert levels[0].origin == pytest.approx({"Z": 4.0, "Y": 1.0, "X": 0.0})
    assert levels[1].origin == pytest.approx({"Z": 4.0, "Y": 1.1, "X": 0.2})
    assert levels[2].origin == pytest.approx({"Z": 4.0, "Y": 1.3, "X": 0.4})


@pytest.mark.parametrize(
    ("finer", "level"), [(0.1, 0), (0.2, 0), (0.39, 0), (0.4, 1), (0.65, 1), (0.8, 2), (9, 2)]
)
def test_the_coarsest_level_that_is_fine_enough(tmp_path, finer, level):
    foreign(tmp_path / "a.zarr", "0.5")
    assert io.open_image(tmp_path / "a.zarr", resolution=finer).level == level


def test_only_the_chunks_of_the_level_are_read(tmp_path):
    arrays = foreign(path := tmp_path / "a.zarr", "0.5")
    for chunk in [*path.glob("full/c/**/0"), *path.glob("half/c/0/*/0/0")]:
        if chunk.is_file():
            chunk.write_bytes(b"damaged")
    half = io.open_image(path, level=1)
    assert np.array_equal(half.read(channel=1, plane=(("Z", "all"),)), arrays[1][1])
    with pytest.raises(ValueError, match=r"whole image.*a\.zarr"):
        half.read(channel=0, plane=(("Z", 1),))


def test_bad_levels_say_which_there_are(tmp_path):
    path, plain = tmp_path / "a.zarr", tmp_path / "a.tif"
    foreign(path, "0.4")
    io.write_image(plain, np.zeros((9, 8), np.uint8))
    for bad in (3, -1, 0.5, "1"):
        with pytest.raises(ValueError, match=rf"open_image: level must be a whole number in 0\.\.2,"
                           rf".*a\.zarr has 2 x 3 x 27 x 22, .*; got {bad!r}"):  # fmt: skip
            io.open_image(path, level=bad)
    with pytest.raises(ValueError, match=r"in the place of level; got resolution=0\.4 and level=1"):
        io.open_image(path, level=1, resolution=0.4)
    with pytest.raises(ValueError, match=r"must be positive.*got resolution=-1"):
        io.open_image(path, resolution=-1)
    with pytest.raises(ValueError, match=r"level must .*0\.\.0.*a\.tif has 9 x 8; got 1"):
        io.read_image(plain, level=1)
    with pytest.raises(ValueError, match=r"needs the size of a pixel, which .*a\.tif does not"):
        io.open_image(plain, resolution=0.5)
    with pytest.raises(ValueError, match=r"only an OME-Zarr has several levels.*got levels=2"):
        io.write_image(plain, np.zeros((9, 8), np.uint8), levels=2)
    with pytest.raises(ValueError, match=r"levels must lie in 1\.\.5 for 9 x 8 pixels.*got 6"):
        io.write_image(tmp_path / "b.zarr", np.zeros((9, 8), np.uint8), levels=6)


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"plate": {"wells": [{"path": "B/03"}]}}, r"a plate: .* PATH/B/03/0"),
        ({"well": {"images": [{"path": "2"}]}}, r"a well: .* PATH/2"),
        ({"bioformats2raw.layout": 3}, r"a collection of images: .* PATH/0"),
        ({"labels": ["nuclei"]}, r"a group of labels: open PATH/nuclei"),
        ({}, r"must have 'multiscales'; got only"),
        ({"multiscales": []}, r"as in OME-NGFF; got IndexError"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": []}]}, r"there must be levels"),
        ({"multiscales": [{"axes": [{"name": "u", "type": "space"}] * 2, "datasets": [
            scaled("0", [1, 1])]}]}, r"called x, y or z; got 'u'"),
        ({"multiscales": [{"axes": ["y", "y"], "datasets": [scaled("0", [1, 1])]}]}, "one axis"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": [scaled("0", [1])]}]},
         r"a number for each of 2 axes; got \[1\.0\]"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": [scaled("0", [1, 0])]}]}, "positive"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": [
            scaled("0", [1, 1], {"type": "affine", "affine": []})]}]}, r"scales and translations"),
        ({"multiscales": [{"axes": ["y", "x"], "datasets": [
            scaled("0", [1, 1], {"type": "scale", "path": "s"})]}]}, r"in numbers"),
    ],
)  # fmt: skip
def test_what_is_no_image_says_what_to_open(tmp_path, attributes, message):
    group(tmp_path / "a.zarr", attributes, "0.5")
    with pytest.raises(ValueError, match=rf"open_image: .*a\.zarr: .*{message}"):
        io.open_image(tmp_path / "a.zarr")


def test_a_field_of_a_plate_and_old_versions_are_read(tmp_path):
    arrays = foreign(tmp_path / "plate.zarr" / "B" / "03" / "0", "0.4")
    group(tmp_path / "plate.zarr", {"plate": {"wells": [{"path": "B/03"}]}}, "0.4")
    field = tmp_path / "plate.zarr" / "B" / "03" / "0"
    assert np.array_equal(io.read_image(field, level=2), arrays[2])
    key = ImageRef(str(field), level=2).__taskgraph_hash__()
    io.write_labels(field / "labels" / "a", (arrays[0][0] > 9).astype(np.int32))
    assert ImageRef(str(field), level=2).__taskgraph_hash__() == key
    old = tmp_path / "old.zarr"
    array_04(old / "0", arrays[0][None])
    group(old, {"multiscales": [{"version": "0.1", "datasets": [{"path": "0"}]}]}, "0.4")
    image = io.open_image(old)
    assert (image.axes, image.pixel_size, image.levels[0].origin) == ("TCZYX", {}, {})
    phases = ngff.parse({"multiscales": [{"axes": [{"name": "phase", "type": "phase"}, *AXES[2:]],
                                          "datasets": [scaled("0", [1, 1, 1])]}]})  # fmt: skip
    assert phases.axes == "CYX"


def naive_means(array, axes):
    """Return the means of blocks, pixel by pixel, halves to even."""
    shape = [(n + 1) // 2 if axis in axes else n for n, axis in zip(array.shape, "TCZYX"[-array.ndim:], strict=True)]  # fmt: skip
    found = np.zeros(shape, array.dtype)
    for place in np.ndindex(*shape):
        block = array[tuple(slice(2 * p, 2 * p + 2) if s != n else slice(p, p + 1)
                            for p, s, n in zip(place, shape, array.shape, strict=True))]  # fmt: skip
        mean = block.astype(float).mean()
        found[place] = mean if array.dtype.kind == "f" else np.rint(mean)
    return found


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("shape", [(37, 22), (3, 21, 18), (2, 3, 9, 14), (2, 2, 5, 13, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_levels_are_means_and_the_metadata_tells_their_place(tmp_path, version, shape, dtype):
    axes = "TCZYX"[-len(shape) :]
    image = (RNG.random(shape) * 250).astype(dtype)
    size = {axis: value for axis, value in {"Z": 0.9, "Y": 0.3, "X": 0.3}.items() if axis in axes}
    path = tmp_path / "a.zarr"
    zarrs.write_zarr(path, image, axes, size, version, levels=4)
    expected, factor = image, dict.fromkeys(axes, 1)
    for number in range(4):
        level = io.open_image(path, level=number)
        assert np.allclose(io.read_image(path, level=number), expected, rtol=1e-6)
        assert (level.dtype, level.axes) == (dtype, axes)
        assert level.pixel_size == pytest.approx({a: size[a] * factor[a] for a in size})
        assert level.levels[number].origin == pytest.approx(
            {a: size[a] * (factor[a] - 1) / 2 for a in size}
        )
        # Planes 0.9 um apart are halved too once pixels are 1.2 um.
        halved = "ZYX" if 0.9 * factor.get("Z", 1) <= 1.42 * 0.3 * factor["Y"] else "YX"
        expected = naive_means(expected, halved)
        factor = {a: n * (2 if a in halved else 1) for a, n in factor.items()}


def test_what_is_on_disk_is_what_the_specification_asks_for(tmp_path):
    """Read by json alone."""
    image = RNG.integers(0, 99, (3, 40, 30)).astype(np.uint16)
    for version in ("0.4", "0.5"):
        zarrs.write_zarr(tmp_path / version, image, "CYX", {"Y": 0.5}, version, levels=2, name="n")
    old = json.loads((tmp_path / "0.4" / ".zattrs").read_text())
    new = json.loads((tmp_path / "0.5" / "zarr.json").read_text())["attributes"]["ome"]
    assert new["version"] == old["multiscales"][0].pop("version").replace("4", "5")
    assert new["multiscales"] == old["multiscales"]
    assert new["multiscales"] == [{
        "name": "n",
        "axes": [{"name": "c", "type": "channel"},
                 {"name": "y", "type": "space", "unit": "micrometer"},
                 {"name": "x", "type": "space"}],
        "datasets": [scaled("0", [1.0, 0.5, 1.0]),
                     scaled("1", [1.0, 1.0, 2.0],
                            {"type": "translation", "translation": [0.0, 0.25, 0.5]})],
        "type": "mean",
    }]  # fmt: skip
    array = json.loads((tmp_path / "0.5" / "1" / "zarr.json").read_text())
    assert array["dimension_names"] == ["c", "y", "x"]
    assert array["shape"] == [3, 20, 15]
    head = json.loads((tmp_path / "0.4" / "1" / ".zarray").read_text())
    assert head["dimension_separator"] == "/"


def test_levels_end_where_a_plane_fits_into_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(pyramid, "CHUNK", 32)
    io.write_image(tmp_path / "a.zarr", RNG.integers(0, 9, (100, 33)).astype(np.uint8))
    image = io.open_image(tmp_path / "a.zarr")
    assert [each.shape for each in image.levels] == [(100, 33), (50, 17), (25, 9)]
    io.write_image(tmp_path / "b.zarr", np.zeros((30, 32), np.uint8))
    assert len(io.open_image(tmp_path / "b.zarr").levels) == 1


def test_blocks_hold_every_pixel_once_and_no_more_bytes_than_allowed(monkeypatch):
    monkeypatch.setattr(pyramid, "BYTES", 40_000)
    for shape, chunks in (((3, 5, 70, 90), (1, 1, 32, 32)), ((100, 8, 8), (1, 8, 8))):
        seen = np.zeros(shape, int)
        for block in pyramid.blocks(shape, chunks, 2):
            seen[block] += 1
            assert seen[block].size * 2 <= 40_000
            assert all(part.start % edge == 0 for part, edge in zip(block, chunks, strict=True))
        assert (seen == 1).all()


def test_a_mapped_image_is_read_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr(pyramid, "CHUNK", 32)
    monkeypatch.setattr(pyramid, "BYTES", 32 * 32 * 4)
    mapped = np.lib.format.open_memmap(tmp_path / "a.npy", "w+", np.uint16, (150, 90))
    mapped[:] = RNG.integers(0, 4000, mapped.shape)
    taken = []

    class Watched(np.memmap):
        def __getitem__(self, key):
            part = np.asarray(super().__getitem__(key))
            taken.append(part.size)
            return part

    io.write_image(tmp_path / "a.zarr", mapped.view(Watched))
    assert max(taken) <= 32 * 32
    assert sum(taken) == mapped.size
    assert np.array_equal(io.read_image(tmp_path / "a.zarr"), mapped)
    assert np.array_equal(io.read_image(tmp_path / "a.zarr", level=1), naive_means(mapped, "YX"))


def nearest_by_distance(labels, levels):
    """Return labels whose pixel lies nearest in space, the upper left of equals."""
    fine = [np.arange(n) * levels[0].pixel_size[a] + levels[0].origin[a]
            for a, n in zip("YX", labels.shape, strict=True)]  # fmt: skip
    found = []
    for level in levels:
        coarse = [np.arange(n) * level.pixel_size[a] + level.origin[a]
                  for a, n in zip("YX", level.shape[-2:], strict=True)]  # fmt: skip
        where = [np.abs(np.round(c[:, None] - f[None], 9)).argmin(1)
                 for c, f in zip(coarse, fine, strict=True)]  # fmt: skip
        found.append(labels[np.ix_(*where)])
    return found


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_labels_lie_on_the_levels_of_their_image(tmp_path, version):
    path = tmp_path / "a.zarr"
    image = RNG.integers(0, 99, (2, 61, 45)).astype(np.uint16)
    zarrs.write_zarr(path, image, "CYX", {"Y": 0.5, "X": 0.5}, version, levels=4)
    labels = np.repeat(np.repeat(np.arange(1, 13).reshape(4, 3), 16, 0), 15, 1)[:61].astype(
        np.int32
    )
    assert io.label_names(path) == ()
    io.write_labels(path / "labels" / "nuclei", labels)
    io.write_labels(path / "labels" / "cells", labels * 0 + 1)
    assert io.label_names(path) == ("cells", "nuclei")
    own = io.open_image(path / "labels" / "nuclei")
    assert own.axes == "YX"
    assert [each.shape for each in own.levels] == [e.shape[1:] for e in io.open_image(path).levels]
    assert own.levels[2].origin == pytest.approx(io.open_image(path).levels[2].origin)
    for level, expected in enumerate(nearest_by_distance(labels, own.levels)):
        assert np.array_equal(io.read_image(own.path, level=level), expected)
    assert np.array_equal(io.read_labels(path / "labels" / "nuclei"), labels)
    head = path / "labels" / "nuclei" / (".zattrs" if version == "0.4" else "zarr.json")
    told = json.loads(head.read_text())
    told = told if version == "0.4" else told["attributes"]["ome"]
    assert told["image-label"]["source"] == {"image": "../../"}
    assert [each.name for each in (path / "labels").iterdir() if each.is_dir()].count("nuclei") == 1


def test_labels_fit_the_levels_of_another_program(tmp_path):
    """Sizes rounded down, shifts of its own: the levels' pixels decide."""
    arrays = foreign(path := tmp_path / "a.zarr", "0.4")
    labels = RNG.integers(0, 9, arrays[0].shape[1:]).astype(np.int32)
    io.write_labels(path / "labels" / "all", labels)
    own = io.open_image(path / "labels" / "all", level=2)
    assert (own.axes, own.shape) == ("ZYX", arrays[2].shape[1:])
    assert own.levels[2].origin == pytest.approx({"Z": 4.0, "Y": 1.3, "X": 0.4})
    # Level 2: 0.8 um apart from 0.3 (Y) and 0.4 (X) on; 0.2 um fine: pixels 1.5 and 2, 5.5 and 6.
    assert np.array_equal(own.read(plane=(("Z", 1),))[:2, :2], labels[1][np.ix_([1, 5], [2, 6])])


def test_labels_of_another_shape_or_place_are_refused(tmp_path):
    path = tmp_path / "a.zarr"
    io.write_image(path, np.zeros((2, 20, 30), np.uint8), axes="CYX")
    with pytest.raises(ValueError, match=r"without channels, \(20, 30\) for .*; got \(20, 29\)"):
        io.write_labels(path / "labels" / "x", np.zeros((20, 29), np.int32))
    with pytest.raises(ValueError, match=r"lie in its folder labels; write to .*labels/x; got"):
        io.write_labels(path / "x", np.zeros((20, 30), np.int32))
    assert not (path / "labels" / "x").exists()
    with pytest.raises(FileNotFoundError):
        io.label_names(tmp_path / "none.zarr")
    io.write_image(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    assert io.label_names(tmp_path / "a.png") == ()


def test_coarse_levels_of_lone_labels_are_labels(tmp_path, monkeypatch):
    monkeypatch.setattr(pyramid, "CHUNK", 16)
    labels = np.where(RNG.random((50, 50)) < 0.5, 40_000, 7).astype(np.int32)
    io.write_labels(tmp_path / "a.zarr", labels)
    assert set(np.unique(io.read_image(tmp_path / "a.zarr", level=2))) == {7, 40_000}


def test_a_reference_names_a_level_and_its_content_stays_its_identity(tmp_path):
    path = tmp_path / "a.zarr"
    image = RNG.integers(0, 99, (1, 1, 1, 61, 45)).astype(np.uint16)
    io.write_image(path, image, pixel_size={"Y": 0.5, "X": 0.5}, levels=3)
    whole = ImageRef(str(path))
    key = whole.__taskgraph_hash__()
    assert len(key) == 3, "as it was before there were levels"
    assert np.array_equal(whole.read(), image[0, 0, 0])
    half = ImageRef(str(path), level=1, labels_path=str(path / "labels" / "nuclei"))
    io.write_labels(path / "labels" / "nuclei", (image > 50).astype(np.int32)[0, 0, 0])
    assert whole.__taskgraph_hash__() == key, "labels are not the image"
    assert half.shape() == half.read().shape == half.gold.read().shape == (31, 23)
    assert np.array_equal(half.read(), naive_means(image[0, 0, 0], "YX"))
    region = ImageRef(str(path), level=1, region=(2, 3, 9, 8))
    assert np.array_equal(region.read(), half.read()[2:9, 3:8])
    by_size = ImageRef(str(path), resolution=1.2)
    assert np.array_equal(by_size.read(), half.read())
    several = (whole, half, region, by_size, half.gold, LabelsRef(half.labels_path))
    assert len({each.__taskgraph_hash__() for each in several}) == len(several)
    path.rename(tmp_path / "b.zarr")
    moved = ImageRef(str(tmp_path / "b.zarr"), level=1)
    assert moved.__taskgraph_hash__() == (key[0], None, None, ("level", 1, 0.0))
    with pytest.raises(ValueError, match=r"level must .* 0\.\.2.*; got 3"):
        ImageRef(str(tmp_path / "b.zarr"), level=3).read()
    with pytest.raises(ValueError, match=r"only label images in an OME-Zarr have levels.*'coco'"):
        LabelsRef(str(tmp_path / "b.zarr" / "labels" / "nuclei"), kind="coco", level=1).read()
