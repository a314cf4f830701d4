"""Named axes, sizes of pixels, and reads that touch only the planes they need."""

from __future__ import annotations

import sys
import types

import numpy as np
import pytest
import tifffile

from bioimage_tasks import io
from bioimage_tasks.io import axes, pixelsize, tiff, zarrs

RNG = np.random.default_rng(3)
STACK = RNG.integers(0, 4000, (2, 3, 5, 40, 50)).astype(np.uint16)
SIZE = {"Z": 1.5, "Y": 0.325, "X": 0.25}


def write(path, array=STACK, letters="TCZYX"):
    io.write_image(path, array, axes=letters, pixel_size=SIZE)
    return io.open_image(path)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.zarr"])
def test_five_axes_come_back_by_name(tmp_path, name):
    image = write(tmp_path / name)
    assert (image.axes, image.shape, image.dtype) == ("TCZYX", STACK.shape, np.uint16)
    assert np.array_equal(io.read_image(image.path), STACK)
    known = {"Y", "X"} if name == "a.tif" else set(SIZE)
    assert image.pixel_size == pytest.approx({axis: SIZE[axis] for axis in known})
    plane = image.read(channel=1, plane=(("Z", 4), ("T", 1)))
    assert np.array_equal(plane, STACK[1, 1, 4])
    cut = image.read(channel=(2, 0), plane=(("Z", 0), ("T", 0)), region=(3, 7, 20, 50))
    assert np.array_equal(cut, np.moveaxis(STACK[0, [2, 0], 0, 3:20, 7:50], 0, -1))
    volume = image.read(channel=0, plane=(("Z", "all"), ("T", 1)))
    assert np.array_equal(volume, STACK[1, 0])
    assert np.array_equal(
        image.read(channel=0, plane=(("Z", "max"), ("T", 0))), STACK[0, 0].max(axis=0)
    )
    mean = image.read(channel=0, plane=(("Z", "mean"), ("T", 0)))
    assert np.allclose(mean, STACK[0, 0].mean(axis=0))
    assert np.array_equal(image.read(plane=(("Z", "all"), ("T", "all"))), np.moveaxis(STACK, 1, -1))


def test_what_is_not_there_or_left_open_is_an_error(tmp_path):
    image = write(tmp_path / "a.ome.tif")
    every = (("Z", 0), ("T", 0))
    for asked, message in (
        ({}, r"choose a plane first, .*a\.ome\.tif has 2 along T"),
        ({"plane": (("Z", 5), ("T", 0))}, r"Z must lie in 0\.\.4 .*got 5"),
        ({"plane": (*every, ("Q", 0))}, r"chooses along T, Z .*got Q"),
        ({"plane": (("Z", "median"), ("T", 0))}, r"'all', 'max' or 'mean'; got 'median'"),
        ({"plane": every, "channel": 3}, r"channel must lie in 0\.\.2 .*got 3"),
        ({"plane": every, "channel": ()}, r"channel must lie in 0\.\.2"),
        ({"plane": every, "region": (0, 0, 41, 2)}, r"within 40 x 50 pixels"),
    ):
        with pytest.raises(ValueError, match=message):
            image.read(**asked)
    flat = write(tmp_path / "flat.tif", STACK[0, 0, 0], "YX")
    assert flat.read(plane=(("Z", 0), ("T", "all"))).shape == (1, 40, 50)
    with pytest.raises(ValueError, match=r"T must lie in 0\.\.0 .*flat\.tif; got 5"):
        flat.read(plane=(("T", 5),))
    with pytest.raises(ValueError, match=r"one letter of TCZYXS for each of the 5 axes"):
        io.open_image(image.path, axes="ZYX")
    assert io.open_image(image.path, axes="ZCTYX").sizes["Z"] == 2


def test_one_plane_of_a_tiff_decodes_one_page(tmp_path, monkeypatch):
    image = write(tmp_path / "a.ome.tif")
    decoded = []
    page = tiff._page

    def counted(*arguments):
        decoded.append(arguments)
        return page(*arguments)

    monkeypatch.setattr(tiff, "_page", counted)
    image.read(channel=1, plane=(("Z", 4), ("T", 1)))
    assert len(decoded) == 1
    image.read(channel=1, plane=(("Z", "all"), ("T", 1)))
    assert len(decoded) == 1 + 5


@pytest.mark.parametrize("samples", [(), (3,)])
@pytest.mark.parametrize("region", [(0, 0, 100, 90), (17, 33, 18, 34), (15, 16, 70, 88)])
def test_only_the_tiles_of_a_region_are_decoded(tmp_path, monkeypatch, samples, region):
    image = RNG.integers(0, 255, (100, 90, *samples)).astype(np.uint8)
    photometric = "rgb" if samples else "minisblack"
    path = tmp_path / "tiled.tif"
    tifffile.imwrite(path, image, tile=(32, 16), compression="zlib", photometric=photometric)
    placed = []
    place = tiff._place

    def counted(*arguments):
        placed.append(arguments)
        place(*arguments)

    monkeypatch.setattr(tiff, "_place", counted)
    top, left, bottom, right = region
    found = io.open_image(path).read(region=region)
    assert np.array_equal(found, image[top:bottom, left:right])
    rows = (bottom - 1) // 32 - top // 32 + 1
    assert len(placed) == rows * ((right - 1) // 16 - left // 16 + 1)


def test_one_plane_of_a_zarr_reads_its_chunks_alone(tmp_path):
    image = write(tmp_path / "a.zarr")
    for chunk in (tmp_path / "a.zarr" / "0" / "c").glob("0/*/*/*/*"):
        chunk.write_bytes(b"damaged")
    assert np.array_equal(image.read(channel=0, plane=(("Z", 1), ("T", 1))), STACK[1, 0, 1])
    with pytest.raises(ValueError, match=r"Image\.read: .*whole image.*a\.zarr"):
        image.read(channel=0, plane=(("Z", 1), ("T", 0)))


def test_both_versions_of_ome_zarr_are_read(tmp_path):
    for version in ("0.4", "0.5"):
        folder = tmp_path / f"{version}.zarr"
        zarrs.write_zarr(folder, STACK[0, 0], "ZYX", SIZE, version)
        image = io.open_image(folder)
        assert (image.axes, image.pixel_size) == ("ZYX", SIZE)
        assert np.array_equal(image.read(plane=(("Z", 2),)), STACK[0, 0, 2])
    assert (tmp_path / "0.4.zarr" / ".zattrs").is_file()
    with pytest.raises(ValueError, match=r"level must .*0\.5\.zarr has 5 x 40 x 50; got 1"):
        zarrs.open_zarr(tmp_path / "0.5.zarr", level=1)
    with pytest.raises(ValueError, match=r"0\.4 or 0\.5; got '0\.1'"):
        zarrs.write_zarr(tmp_path / "x.zarr", STACK[0, 0], "ZYX", SIZE, "0.1")
    with pytest.raises(ValueError, match="in order; got 'YXZ'"):
        io.write_image(tmp_path / "x.zarr", STACK[0, 0], axes="YXZ")
    assert not (tmp_path / "x.zarr").exists()


def test_labels_in_a_zarr_are_not_limited(tmp_path):
    labels = np.arange(70_000, dtype=np.int32).reshape(700, 100)
    io.write_labels(tmp_path / "labels.zarr", labels)
    assert np.array_equal(io.read_labels(tmp_path / "labels.zarr"), labels)


def test_a_zarr_is_written_over_and_a_stray_folder_is_none(tmp_path):
    write(tmp_path / "a.zarr")
    io.write_image(tmp_path / "a.zarr", STACK[0, 0, 0])
    assert np.array_equal(io.read_image(tmp_path / "a.zarr"), STACK[0, 0, 0])
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]
    (tmp_path / "stray.zarr").mkdir()
    with pytest.raises(ValueError, match=r"must be an OME-Zarr image .*stray\.zarr"):
        io.open_image(tmp_path / "stray.zarr")


def test_zarr_and_bioio_missing_name_the_extra(tmp_path, monkeypatch):
    write(tmp_path / "a.zarr")
    (tmp_path / "a.czi").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "zarr", None)
    monkeypatch.setitem(sys.modules, "bioio", None)
    with pytest.raises(ModuleNotFoundError, match=r"bioimage-taskgraph\[zarr\]"):
        io.read_image(tmp_path / "a.zarr")
    with pytest.raises(ModuleNotFoundError, match=r"bioimage-taskgraph\[vendor\].*a\.czi"):
        io.open_image(tmp_path / "a.czi")


class FakeBioImage:
    """What bioio gives for a microscope's file, as far as it is used."""

    dims = types.SimpleNamespace(order="TCZYX")
    shape, dtype = STACK.shape, STACK.dtype
    physical_pixel_sizes = types.SimpleNamespace(Z=None, Y=0.1, X=0.1)

    def __init__(self, path):
        if path.stem == "bad":
            raise RuntimeError("no reader for it")

    def get_image_dask_data(self, order, T, C, Z):
        assert order == "TCZYX"
        assert all(isinstance(each, list) or each.stop is not None for each in (T, C, Z))
        return STACK[T][:, C][:, :, Z]


def test_a_microscopes_file_is_read_through_bioio(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bioio", types.SimpleNamespace(BioImage=FakeBioImage))
    for name in ("a.czi", "bad.czi"):
        (tmp_path / name).write_bytes(b"")
    image = io.open_image(tmp_path / "a.czi")
    assert (image.axes, image.pixel_size) == ("TCZYX", {"Y": 0.1, "X": 0.1})
    found = image.read(channel=2, plane=(("Z", 3), ("T", 1)), region=(1, 2, 9, 8))
    assert np.array_equal(found, STACK[1, 2, 3, 1:9, 2:8])
    assert np.array_equal(io.read_image(tmp_path / "a.czi"), STACK)
    with pytest.raises(ValueError, match=r"plug-in that reads \.czi.*bad\.czi: no reader"):
        io.open_image(tmp_path / "bad.czi")


def test_colours_are_channels_and_alpha_is_none(tmp_path):
    rgba = RNG.integers(0, 255, (6, 7, 4)).astype(np.uint8)
    for name in ("a.png", "a.tif"):
        io.write_image(tmp_path / name, rgba)
        image = io.open_image(tmp_path / name)
        assert (image.axes, image.channels, image.colours) == ("YXS", 4, 3)
        assert np.array_equal(image.read(channel=(2, 0)), rgba[..., [2, 0]])
        assert np.array_equal(image.read(channel=1, region=(0, 0, 2, 3)), rgba[:2, :3, 1])


def test_nameless_axes_are_guessed_as_documented(tmp_path):
    assert axes.named("QYX", (3, 9, 9)) == "CYX"
    assert axes.named("QYX", (30, 9, 9)) == "ZYX"
    assert axes.named("QYX", (9, 9, 2)) == "YXC"
    assert axes.named("QQYX", (8, 2, 9, 9)) == "ZCYX"
    assert axes.named("QQYX", (8, 8, 9, 9)) == "ZTYX"
    with pytest.raises(ValueError, match="axes of TCZYXS, one of each"):
        axes.named("QQQQYX", (8, 8, 8, 8, 9, 9))
    tifffile.imwrite(tmp_path / "plain.tif", STACK[0, 0], photometric="minisblack")
    assert io.open_image(tmp_path / "plain.tif").axes == "ZYX"
    assert io.plane_shape(tmp_path / "plain.tif") == (40, 50)


def test_sizes_of_pixels_as_programs_write_them(tmp_path):
    path = tmp_path / "imagej.tif"
    tifffile.imwrite(
        path, STACK[0], imagej=True, resolution=(4.0, 2.0),
        metadata={"axes": "ZCYX", "unit": "um", "spacing": 3.0},
    )  # fmt: skip
    image = io.open_image(path)
    assert image.axes == "ZCYX"
    assert image.pixel_size == {"Y": 0.5, "X": 0.25, "Z": 3.0}
    assert np.array_equal(image.read(channel=1, plane=(("Z", 2),)), STACK[0, 2, 1])
    tifffile.imwrite(path, STACK[0, 0, 0], resolution=(300, 300), resolutionunit="INCH")
    assert io.open_image(path).pixel_size == {}  # a page in print, not a microscope
    tifffile.imwrite(
        path.with_name("x.ome.tif"), STACK[0, 0],
        metadata={"axes": "ZYX", "PhysicalSizeX": 65, "PhysicalSizeXUnit": "nm"},
    )  # fmt: skip
    assert io.open_image(path.with_name("x.ome.tif")).pixel_size == pytest.approx({"X": 0.065})


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [("65", "nm", 0.065), (1, "µm", 1), (0, "µm", None), ("x", "µm", None), (1, "pixel", None),
     (None, "um", None), (float("nan"), "um", None)],
)  # fmt: skip
def test_lengths(value, unit, expected):
    found = pixelsize.micrometres(value, unit)
    assert found == (None if expected is None else pytest.approx(expected))


def test_broken_ome_xml_tells_no_size():
    assert pixelsize.of_ome("<OME") == {}
    assert pixelsize.of_ome("<OME/>") == {}


def lzw(path, images, **options):
    from PIL import Image

    first, *rest = [Image.fromarray(image) for image in images]
    first.save(path, compression="tiff_lzw", save_all=True, append_images=rest, **options)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_lzw_is_read_without_imagecodecs(tmp_path, dtype, monkeypatch):
    pages = [RNG.integers(0, 200, (30, 40)).astype(dtype) for _ in range(2)]
    lzw(tmp_path / "one.tif", pages[:1])
    lzw(tmp_path / "two.tif", pages)
    assert np.array_equal(io.read_image(tmp_path / "one.tif"), pages[0])
    assert io.read_image(tmp_path / "one.tif").dtype == dtype
    assert np.array_equal(io.read_image(tmp_path / "two.tif"), np.stack(pages))
    stack = io.open_image(tmp_path / "two.tif", axes="ZYX")
    assert np.array_equal(stack.read(plane=(("Z", 1),), region=(2, 3, 9, 9)), pages[1][2:9, 3:9])
    rgb = RNG.integers(0, 200, (30, 40, 3)).astype(np.uint8)
    lzw(tmp_path / "rgb.tif", [rgb])
    assert np.array_equal(io.read_image(tmp_path / "rgb.tif"), rgb)


@pytest.mark.parametrize(
    "lack", [ValueError(f"<COMPRESSION.LZW: 5> {tiff._NEEDS}"), ModuleNotFoundError("compression")]
)
def test_a_compression_that_nothing_here_reads_names_the_package(tmp_path, monkeypatch, lack):
    lzw(tmp_path / "one.tif", [np.zeros((9, 9), np.uint8)])

    def refuse(*_arguments, **_options):
        raise lack

    monkeypatch.setattr(tifffile.TiffFile, "asarray", refuse)
    monkeypatch.setattr("PIL.Image.open", refuse_by_pillow)
    with pytest.raises(ValueError, match=r"one\.tif needs the package imagecodecs"):
        io.read_image(tmp_path / "one.tif")


def refuse_by_pillow(*_arguments, **_options):
    raise OSError("decoder not available")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".bmp", ".jpg", ".dib"])
def test_a_handle_of_a_damaged_file_names_it(tmp_path, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(b"II*\0not an image")
    for look in (io.open_image, io.image_shape, io.plane_shape):
        with pytest.raises(ValueError, match=rf"whole image.*broken\{suffix}"):
            look(path)


def test_a_cut_off_tiff_is_named(tmp_path):
    path = tmp_path / "cut.tif"
    io.write_image(path, STACK)
    path.write_bytes(path.read_bytes()[:-20_000])
    with pytest.raises(ValueError, match=r"whole image.*cut\.tif"):
        io.read_image(path)


def test_dib_and_jpeg_are_written_when_asked(tmp_path):
    grey = RNG.integers(0, 255, (9, 9)).astype(np.uint8)
    io.write_image(tmp_path / "a.dib", grey)
    assert np.array_equal(io.read_image(tmp_path / "a.dib"), grey)
    smooth = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (64, 1))
    io.write_image(tmp_path / "a.jpg", smooth, lossy=True)
    assert np.abs(io.read_image(tmp_path / "a.jpg").astype(int) - smooth).max() < 12
    with pytest.raises(ValueError, match="one letter for each of the 2 axes; got 'ZYX'"):
        io.write_image(tmp_path / "a.tif", grey, axes="ZYX")


def deep_png(path, rgb):
    """Write 16 bits per colour by hand: Pillow can't."""
    import struct
    import zlib

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    height, width, _three = rgb.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)


def test_sixteen_bits_of_colour_are_never_cut_to_eight(tmp_path, monkeypatch):
    rgb = RNG.integers(0, 65_535, (5, 6, 3)).astype(np.uint16)
    path = tmp_path / "deep.png"
    deep_png(path, rgb)
    assert io.open_image(path).dtype == np.uint16
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ValueError, match=r"needs the package imagecodecs.*deep\.png"):
        io.read_image(path)
    fake = types.SimpleNamespace(png_decode=lambda data: rgb)
    monkeypatch.setitem(sys.modules, "imagecodecs", fake)
    assert np.array_equal(io.open_image(path).read(channel=1), rgb[..., 1])


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.jpg", "a.tif", "b.ome.tif", "c.tif"])
@pytest.mark.filterwarnings("ignore")
def test_damaged_bytes_give_pixels_or_an_error_that_names_the_file(tmp_path, name):
    """Decoders raise anything on damaged bytes; nothing but ValueError may come out."""
    rng = np.random.default_rng(4)
    path = tmp_path / name
    if name == "c.tif":
        lzw(path, [STACK[0, 0, 0].astype(np.uint8)])
    elif name == "b.ome.tif":
        write(path, STACK[0, 0], "ZYX")
    else:
        io.write_image(path, STACK[0, 0, 0].astype(np.uint8), lossy=True)
    whole = path.read_bytes()
    refused = 0
    for number in range(60):
        planted = bytearray(whole)
        for place in rng.integers(0, len(whole) if number % 2 else 120, 3):
            planted[place] = rng.integers(256)
        path.write_bytes(planted[: rng.integers(1, len(whole))] if number % 3 == 0 else planted)
        for look in (io.read_image, io.open_image, first_plane):
            told = complaint(look, path)
            refused += told is not None
            assert told is None or name in told
    assert refused > 10


def complaint(look, path):
    try:
        look(path)
    except ValueError as error:
        return str(error)
    return None


def first_plane(path):
    image = io.open_image(path)
    return image.read(channel=0, plane=tuple((a, 0) for a in image.axes if a in "TZ"))


def test_an_image_too_large_for_pillow_is_named(tmp_path, monkeypatch):
    from PIL import Image

    io.write_image(tmp_path / "large.png", np.zeros((40, 50), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    with pytest.raises(ValueError, match=r"large\.png: .*exceeds limit"):
        io.read_image(tmp_path / "large.png")


def test_samples_in_planes_of_their_own(tmp_path):
    rgb = RNG.integers(0, 255, (3, 30, 40)).astype(np.uint8)
    path = tmp_path / "planar.tif"
    tifffile.imwrite(path, rgb, photometric="rgb", planarconfig="separate")
    image = io.open_image(path)
    assert (image.axes, image.colours) == ("SYX", 3)
    assert np.array_equal(image.read(region=(1, 2, 9, 8)), np.moveaxis(rgb[:, 1:9, 2:8], 0, -1))
    assert np.array_equal(image.read(channel=2), rgb[2])
