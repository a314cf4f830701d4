"""What other loaders got wrong with these sets, and what each one needs an eye for."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bioimage_tasks import datasets
from bioimage_tasks.datasets import layouts
from bioimage_tasks.datasets.livecell import annotated_names


def grow(name, trees, draw, root, **options):
    trees[name](root, draw)
    return datasets.get(name)(root, **options)


def test_dsb2018_counts_beyond_a_byte_whatever_the_order_of_files(draw, tmp_path):
    """Masks in uint8 wrap at 256, and glob order differs by file system."""
    image = tmp_path / "stage1_train" / "busy" / "images" / "busy.png"
    draw.save(image, draw.same(np.zeros((40, 60), np.uint8), 4))
    for number in np.random.default_rng(0).permutation(300):
        mask = np.zeros((40, 60), np.uint8)
        mask[2 * (number // 30), 2 * (number % 30)] = 255
        draw.save(image.parent.parent / "masks" / f"m{number:03d}.png", mask)
    (one,) = datasets.get("DSB2018")(tmp_path).images()
    labels = one.gold.read()
    assert labels.max() == 300
    assert labels[0, 0] == 1
    assert labels[18, 58] == 300


def test_dsb2018_asks_for_what_its_tables_name(trees, draw, tmp_path):
    one = grow("dsb2018", trees, draw, tmp_path)
    table = tmp_path / "stage1_train_labels.csv"
    table.write_text(table.read_text() + "ffff,1 2\n")
    with pytest.raises(FileNotFoundError, match=r"stage1_train_labels\.csv must be there.*ffff"):
        one.images()
    solution = tmp_path / "stage1_solution.csv"
    solution.write_text(solution.read_text().replace("7c3d", "0000"))
    with pytest.raises(FileNotFoundError, match="0000"):
        datasets.get("dsb2018")(tmp_path, part="test").images()


def test_dsb2018_runs_go_down_the_columns(trees, draw, tmp_path):
    (image,) = grow("dsb2018", trees, draw, tmp_path, part="test").images()
    assert np.array_equal(image.gold.read(), draw.labels(4))


def test_bbbc039_labels_each_component_beyond_a_byte(draw, tmp_path):
    draw.text(tmp_path / "metadata" / "training.txt", "a.png\n")
    draw.text(tmp_path / "metadata" / "validation.txt", "")
    draw.save(tmp_path / "images" / "a.tif", np.zeros((40, 60), np.uint16))
    mask = np.zeros((40, 60, 4), np.uint8)
    mask[::2, ::2, 0] = 1
    mask[0, 1, 0] = 2  # touches two
    draw.save(tmp_path / "masks" / "a.png", mask)
    (image,) = datasets.get("bbbc039")(tmp_path).images()
    assert image.gold.read().max() == 20 * 30 + 1
    assert image.about("list") == "training"


def test_bbbc018_is_turned_and_read_past_the_image_beneath(trees, draw, tmp_path):
    images = grow("bbbc018", trees, draw, tmp_path).images()
    for image in (images[0], images[2]):
        labels = image.gold.read()
        assert labels[5, 5] == 1
        assert not labels[12:].any()


def test_bbbc020_keeps_nuclei_and_cells_apart_and_skips_the_empty_file(trees, draw, tmp_path):
    one = grow("bbbc020", trees, draw, tmp_path, annotation="cells")
    first, _hour, none, control = one.images()
    assert all("_c1_" in path for path in first.gold.paths)
    nuclei = datasets.get("bbbc020")(tmp_path).images()[0].gold
    assert all("_c5_" in path for path in nuclei.paths)
    assert len(nuclei.paths) == 2
    assert none.gold is control.gold is None
    merged = first.read()
    assert merged[..., 1].max() > merged[..., 0].max()


def test_bbbc020_takes_either_name_of_its_folders(trees, draw, tmp_path):
    one = grow("bbbc020", trees, draw, tmp_path)
    before = [image.gold and image.gold.read().max() for image in one.images()]
    for kind in ("nuclei", "cells"):
        wrong = tmp_path / f"BBC020_v1_outlines_{kind}"
        wrong.rename(tmp_path / f"BBBC020_v1_outlines_{kind}")
    assert [image.gold and image.gold.read().max() for image in one.images()] == before
    assert one.check(tmp_path) == []


def test_bbbc006_planes_are_chosen_by_number(trees, draw, tmp_path):
    one = grow("bbbc006", trees, draw, tmp_path, z=17)
    assert all("_z_17" in path for path in one.images()[0].channel_paths)
    with pytest.raises(FileNotFoundError, match="BBBC006_v1_images_z_03"):
        datasets.get("bbbc006")(tmp_path, z=3).images()
    with pytest.raises(ValueError, match=r"Bbbc006: z must lie in \[0, 33\]; got 34"):
        datasets.get("bbbc006")(tmp_path, z=34)


def test_cellpose_specialised_is_the_first_89(draw, tmp_path):
    for number in range(91):
        draw.save(tmp_path / "train" / f"{number:03d}_img.png", np.zeros((4, 4, 3), np.uint8))
        draw.save(tmp_path / "train" / f"{number:03d}_masks.png", np.ones((4, 4), np.uint16))
    cellpose = datasets.get("cellpose")
    assert len(cellpose(tmp_path)) == 91
    assert [i.name for i in cellpose(tmp_path, specialised=True).images()][-1] == "088"


def test_livecell_knows_which_file_annotates_an_image(trees, draw, tmp_path):
    one = grow("livecell", trees, draw, tmp_path)
    used = [image.gold.path.rpartition("_")[2] for image in one.images()]
    assert used == ["train.json", "train.json", "val.json"]
    for folder in (tmp_path / "images").iterdir():
        folder.rename(tmp_path / folder.name)
    (tmp_path / "images").rmdir()
    assert len(one.images()) == 3
    json = tmp_path / "livecell_coco_train.json"
    assert len(annotated_names(json)) == 2
    json.write_text(json.read_text().replace("d04h", "d05h"))
    with pytest.raises(FileNotFoundError, match=r"d04h.*is in no annotation.*d05h"):
        one.images()


def test_the_folder_inside_an_archive_may_be_the_root(trees, draw, tmp_path):
    inner = {
        "tnbc": "TNBC_NucleiSegmentation", "s-bsst265": "S-BSST265", "bbbc041": "malaria",
        "stardist": "dsb2018", "frunet": "code/data", "digital-pathology": "nuclei",
    }  # fmt: skip
    for name, folder in inner.items():
        outer = grow(name, trees, draw, tmp_path / name)
        assert datasets.get(name)(tmp_path / name / folder).images() == outer.images()
        assert outer.check(tmp_path / name / folder) == []


def test_murphylab_goes_without_the_labels_of_a_whole_cell_line(trees, draw, tmp_path):
    one = grow("murphylab", trees, draw, tmp_path)
    shutil.rmtree(tmp_path / "data" / "preprocessed-data" / "ic100")
    assert [image.gold is None for image in one.images()] == [False] * 3 + [True] * 3
    assert "preprocessed-data/ic100" in " ".join(one.check(tmp_path))


def test_bbbc016_reads_its_plate_map_when_all_fields_are_there(draw, tmp_path):
    for at in range(72):
        well, field = f"{'ABCDEFGH'[at // 9]}{at // 3 % 3 + 1:02d}", at % 3
        for end in ("d0", "d2"):
            name = f"AS_09125_030101000001_{well}f{field:02d}{end}.TIF"
            draw.save(tmp_path / "BBBC016_v1_images" / name, np.zeros((2, 2), np.uint8))
    doses = "\n".join(f"{at}" for at in range(72))
    draw.text(tmp_path / "BBBC016_v1_platemap.txt", f"DESCRIPTION\n{doses}\n")
    images = datasets.get("bbbc016")(tmp_path).images()
    assert [image.about("dose") for image in images] == [str(at) for at in range(72)]
    assert len({image.group for image in images}) == 24


@pytest.mark.parametrize("name", ["bbbc013", "bbbc014"])
def test_plate_maps_with_another_number_of_wells_are_refused(trees, draw, tmp_path, name):
    one = grow(name, trees, draw, tmp_path)
    assert [image.about("dose") for image in one.images()] == ["0", "1", "48"]
    path = tmp_path / f"{one.acronym}_v1_platemap_all.txt"
    path.write_text("heading\n1\n2\n")
    with pytest.raises(ValueError, match=r"a heading and 96 entries; got 2 in"):
        one.images()
    path.unlink()
    assert one.images()[0].about("dose") is None


def test_a_grey_image_of_dsb2018_stays_grey(draw, tmp_path):
    image = tmp_path / "stage1_train" / "a" / "images" / "a.png"
    draw.save(image, draw.grey(draw.labels()))
    draw.save(image.parent.parent / "masks" / "m.png", draw.labels().astype("uint8"))
    assert datasets.get("dsb2018")(tmp_path)[0]["image"].shape == (24, 32)


def test_frunet_pairs_by_what_is_left_of_a_name(draw, tmp_path):
    for image, mask in (("img_3", "gt_3"), ("cell 4", "cell 4 mask")):
        draw.save(tmp_path / "dataset_x" / f"{image}.tif", np.zeros((4, 4), np.uint16))
        draw.save(tmp_path / "annotations_x" / f"{mask}.tif", np.ones((4, 4), np.uint16))
    assert [i.name for i in datasets.get("frunet")(tmp_path).images()] == ["x/3", "x/cell 4"]


def test_counts_that_are_no_numbers_are_refused(trees, draw, tmp_path):
    one = grow("bbbc002", trees, draw, tmp_path)
    path = tmp_path / "BBBC002_v1_counts.txt"
    path.write_text(path.read_text().replace("\t1\t2", "\tmany\t2"))
    with pytest.raises(ValueError, match=r"a name and two numbers; got .*many"):
        one.images()
    path.unlink()
    assert one.images()[0].info == ()


@pytest.mark.parametrize(
    ("name", "table", "part"),
    [
        ("bbbc039", "metadata/validation.txt", "training"),
        ("bbbc041", "malaria/test.json", "test"),
        ("blood-count-bccd", "counts.csv", "training"),
        ("blood-count-bccd", "boxes.csv", "training"),
        ("denoise-bpae-pairs", "pairs.csv", "training"),
        ("dsb2018", "stage1_solution.csv", "test"),
        ("livecell", "livecell_coco_train.json", "training"),
        ("nets-coverage", "coverage.csv", "training"),
        ("subcellular-location", "labels.csv", "training"),
    ],
)
def test_a_table_that_is_needed_is_asked_for(trees, draw, tmp_path, name, table, part):
    one = grow(name, trees, draw, tmp_path, part=part)
    (tmp_path / table).unlink()
    with pytest.raises(FileNotFoundError, match=table.rpartition("/")[2]):
        one.images()


@pytest.mark.parametrize(
    ("name", "table"), [("bbbc021", "BBBC021_v1_image.csv"), ("bbbc021", "BBBC021_v1_moa.csv")]
)
def test_a_table_that_only_adds_may_be_absent(trees, draw, tmp_path, name, table):
    one = grow(name, trees, draw, tmp_path)
    (tmp_path / table).unlink()
    assert one.images()[0].about("moa") is None
    assert one.check(tmp_path) == []


def test_an_image_that_the_solution_does_not_know_is_named(trees, draw, tmp_path):
    one = grow("dsb2018", trees, draw, tmp_path, part="test")
    draw.save(tmp_path / "stage1_test" / "eeee" / "images" / "eeee.png", draw.grey(draw.labels()))
    with pytest.raises(FileNotFoundError, match=r"must annotate every image; got no eeee"):
        one.images()


def test_masks_of_a_field_that_is_not_there_are_named(trees, draw, tmp_path):
    one = grow("bbbc020", trees, draw, tmp_path)
    shutil.rmtree(tmp_path / "BBBC020_v1_images" / "jw-1h 1")
    with pytest.raises(FileNotFoundError, match=r"jw-1h 1_c5_9\.TIF has no image"):
        one.images()
    shutil.rmtree(tmp_path / "BBC020_v1_outlines_cells")
    (tmp_path / "BBBC020_v1_images" / "jw-1h 1").mkdir()
    draw.save(
        tmp_path / "BBBC020_v1_images" / "jw-1h 1" / "jw-1h 1_(c1+c5).TIF",
        draw.same(draw.grey(draw.labels())),
    )
    assert [kind for kind, _labels in one.images()[0].annotations] == ["nuclei"]


def test_an_empty_annotation_file_knows_nobody(tmp_path):
    (tmp_path / "empty.json").touch()
    assert annotated_names(tmp_path / "empty.json") == set()


# -- helpers ---------------------------------------------------------------------------------
def test_a_name_that_tells_no_channel_is_refused(tmp_path):
    split = layouts.by_end({"dna": ("d0", "d"), "actin": ("d1",)})
    paths = [tmp_path / name for name in ("a_d0.tif", "a_d1.tif", "b x d.tif", "b x d1.tif")]
    found = layouts.channel_files(paths, split, ("dna", "actin"))
    assert list(found) == ["a", "b x"]
    assert found["a"][1].endswith("a_d1.tif")
    with pytest.raises(ValueError, match=r"must tell its channel, one of dna, actin; got .*c\.tif"):
        layouts.channel_files([*paths, tmp_path / "c.tif"], split, ("dna", "actin"))
    with pytest.raises(ValueError, match=r"one file for channel dna of a; got .*a_d\.tif"):
        layouts.channel_files([*paths, tmp_path / "a_d.tif"], split, ("dna", "actin"))
    with pytest.raises(FileNotFoundError, match=r"c_d0\.tif has no partner actin"):
        layouts.channel_files([*paths, tmp_path / "c_d0.tif"], split, ("dna", "actin"))


@pytest.mark.parametrize(
    ("name", "well"),
    [
        ("mcf-z-stacks-03212011_a01_s1_w1f", "A01"),
        ("AS_09125_050116000001_A24f00d0_slice6", "A24"),
        ("ADSASS092408-GHAD2-D6-20x_O23_s9", "O23"),
        ("no well at all", ""),
    ],
)
def test_wells_are_found_in_names(name, well):
    assert layouts.well(name) == well


# -- the shared folders ----------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "images", "objects", "groups"),
    [
        ("nuclei-u2os-hand", 48, None, 1),
        ("nuclei-fluo-dsb2018", 46, 955, 2),
        ("histology-he-dsb2018", 40, 1665, 1),
        ("em-membrane-isbi2012", 30, None, 5),
        ("nets-coverage", 42, None, 15),
        ("subcellular-location", 104, None, 8),
        ("blood-count-bccd", 60, None, 1),
        ("denoise-bpae-pairs", 8, None, 4),
        ("3d-nuclei-stardist", 2, 51 + 125, 2),
    ],
)
def test_the_shared_folders_hold_what_they_say(collection, name, images, objects, groups):
    root = collection(name)
    one = datasets.get(name)
    found = one(root).images()
    assert one.check(root) == []
    assert (len(found), len({image.group for image in found})) == (images, groups)
    if objects is not None:
        assert sum(int(image.gold.read().max()) for image in found) == objects
    pixels = found[0].read()
    gold = found[0].gold
    assert gold is None or gold.read().shape == pixels.shape[: gold.read().ndim]


def test_the_coverage_is_that_of_the_areas(collection):
    images = datasets.get("nets-coverage")(collection("nets-coverage")).images()
    second = [image for image in images if image.marks("human2")]
    assert len(second) == 13
    for image in second[::4]:
        for who, key in (("human1", "coverage"), ("human2", "coverage_2")):
            areas = image.marks(who).read()
            assert (areas > 0).mean() == pytest.approx(image.about(key), abs=1e-4)


def test_the_blood_counts_are_those_of_the_boxes(collection):
    images = datasets.get("blood-count-bccd")(collection("blood-count-bccd")).images()
    for image in images:
        classes = [kind.lower() for kind in image.marks("boxes").read().classes]
        assert classes.count("rbc") == image.about("rbc")
        assert len(classes) == image.about("count")
