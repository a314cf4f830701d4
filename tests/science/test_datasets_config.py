"""Many collections from one file, overridden and checked without running anything of it."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks import datasets, io
from bioimage_tasks.datasets import config as module

IMAGE = np.arange(48, dtype=np.uint8).reshape(6, 8)

TEXT = """
root: data
common:
  output: both
  n_samples: 1
collections:
  folder:
    root: first/images
    labels_folder: LABELS
  second:
    collection: csv
    root: second/images.csv
    part: training
    columns: {image: file}
"""

TOML = """
root = "data"
[common]
output = "both"
n_samples = 1
[collections.folder]
root = "first/images"
labels_folder = "LABELS"
[collections.second]
collection = "csv"
root = "second/images.csv"
part = "training"
columns = {image = "file"}
"""


@pytest.fixture
def data(tmp_path):
    for stem in ("a", "b"):
        io.write_image(tmp_path / "data" / "first" / "images" / f"{stem}.png", IMAGE)
        io.write_labels(tmp_path / "data" / "first" / "labels" / f"{stem}.png", IMAGE // 24)
        io.write_image(tmp_path / "data" / "second" / f"{stem}.png", IMAGE)
    rows = "file,part\na.png,training\nb.png,test\n"
    (tmp_path / "data" / "second" / "images.csv").write_text(rows)
    labels = str(tmp_path / "data" / "first" / "labels")
    for name, text in (("many.yaml", TEXT), ("many.toml", TOML)):
        (tmp_path / name).write_text(text.replace("LABELS", labels))
    return tmp_path


@pytest.mark.parametrize("name", ["many.yaml", "many.toml"])
def test_many_collections_from_one_file(data, name):
    config = datasets.read_config(data / name)
    first, second = config.collections()
    assert isinstance(first, datasets.FolderCollection)
    assert (first.n_samples, second.n_samples, second.part) == (1, 1, "training")
    assert len(config.images()) == 2
    assert config.images()[0].gold.read().max() == 1


def test_overrides_for_all_for_one_and_from_code(data):
    config = datasets.read_config(data / "many.yaml", "n_samples=null", "second.part=all")
    assert [len(each) for each in config.collections()] == [2, 2]
    assert [len(each) for each in config.override(indices=[0]).collections()] == [1, 1]
    # An option that only one has reaches that one.
    assert config.override("columns={image: file}").entries == config.entries
    moved = config.override("second.root=/elsewhere/x.csv").entries[1]
    assert moved.root == "/elsewhere/x.csv"
    for change, message in (
        ("third.part=all", r"collections are folder, second; got 'third\.part=all'"),
        ("prt=all", r"options are .*part.*; got 'prt=all'"),
        ("folder.columns=1", "options are .*channel.*got 'folder"),
        ("part", "a change is option=value; got 'part'"),
    ):
        with pytest.raises(ValueError, match=message):
            config.override(change)


def test_data_elsewhere(data):
    config = datasets.read_config(data / "many.yaml")
    (data / "data").rename(data / "moved")
    moved = config.replace_root(data / "moved")
    assert len(moved.images()) == 2
    assert moved.entries[0].options["labels_folder"] == str(data / "moved" / "first" / "labels")
    assert config.replace_root("/x", str(data)).entries[1].root == "/x/data/second/images.csv"
    with pytest.raises(ValueError, match=r"every root must lie in /other; got .*first"):
        config.replace_root("/x", "/other")


def test_one_transform_for_all_or_for_one(data):
    config = datasets.read_config(data / "many.yaml")

    def black(**sample):
        return {key: value * 0 for key, value in sample.items()}

    assert [each[0]["image"].max() for each in config.collections(black)] == [0, 0]
    by_key = config.collections({"second": black})
    assert [each[0]["image"].max() for each in by_key] == [47, 0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("common:", "comon:", r"many\.yaml: keys are collections, common, root; got comon"),
        ("  folder:", "  fodler:", r"collections\.fodler: .*there are .*folder.*got 'fodler'"),
        ("part: training", "prt: x", r"collections\.second: keys are .*part.*; got prt"),
        ("output: both", "otput: x", r"yaml: common: keys are .*output.*; got otput"),
        ("root: first/images", "", r"collections\.folder: a collection needs a root"),
        ("part: training", "part: val", r"collections\.second: .*training, test, all; got 'val'"),
        ("n_samples: 1", "n_samples: many", r"many\.yaml: collections\.folder: "),
        ("collections:\n", "collections: 3\nx:\n", r"keys are collections"),
        ("part: training", "part: [", r"many\.yaml can't be read"),
        ("part: training", "part: !!python/object/apply:os.system [x]", r"can't be read: .*tag"),
        ("part: training", "transform: os.system", r"keys are .*; got transform"),
    ],
)
def test_mistakes_name_file_key_and_what_is_allowed(data, old, new, message):
    path = data / "many.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        datasets.read_config(path).collections()


def test_files_that_are_no_configuration(data):
    for name, text, message in (
        ("a.json", "{}", r"must end with \.yaml"),
        ("a.yaml", "- 1", "must be a mapping .*got list"),
        ("b.yaml", "collections: 3", "collections: must be a mapping .*got int"),
        ("a.toml", "x =", r"a\.toml can't be read"),
    ):
        (data / name).write_text(text)
        with pytest.raises(ValueError, match=message):
            datasets.read_config(data / name)
    with pytest.raises(FileNotFoundError, match=r"read_config: no such file: .*none\.yaml"):
        datasets.read_config(data / "none.yaml")
    (data / "latin.yaml").write_bytes("collections: {é: 1}".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.yaml can't be read: 'utf-8'"):
        datasets.read_config(data / "latin.yaml")


def test_every_collection_can_be_configured():
    for name in datasets.names():
        options = module._options(name)
        assert {"part", "output", "n_samples"} <= set(options), name
        assert not {"transform", "root", "self"} & set(options), name


# -- csv and folders ---------------------------------------------------------------


def test_a_csv_names_images_labels_groups_and_facts(data):
    folder = data / "data" / "first"
    (folder / "list.csv").write_text(
        "image,labels,group,channel,part,name,plate,dose,id\n"
        "images/a.png,labels/a.png,day 1,0,training,first,3,0.5,007\n"
        "images/b.png,,day 2,,test,,4,,012\n"
    )
    (image,) = datasets.CsvCollection(folder / "list.csv").images()
    assert (image.name, image.group, image.channel) == ("first", "day 1", 0)
    assert image.info == (("plate", 3), ("dose", 0.5), ("id", "007"))
    assert image.gold.read().max() == 1
    (other,) = datasets.CsvCollection(folder / "list.csv", part="test").images()
    assert (other.name, other.gold, other.about("dose")) == ("b", None, None)
    foreground = datasets.CsvCollection(folder / "list.csv", kind="foreground").images()[0]
    assert foreground.gold.kind == "foreground"
    assert datasets.CsvCollection.check(folder / "list.csv") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file\na.png\n", r"needs columns named image; got .*list\.csv with file"),
        ("file\na.png\n", r"with file; tell how .*columns=\{\"image\": \.\.\.\}\)$"),
        ("image;dose\na.png;1\n", r"with image;dose; fields must have commas .*, not ';'$"),
        ('image\n"a.png\n', r"well quoted fields; save it again .*list\.csv: "),
        ("image\nnone.png\n", r"every file that .*list\.csv names must exist; got none at .*none"),
        ("image,part\na.png,val\n", r"column part says training or test; got val in .*list\.csv"),
        ("image,channel\na.png,red\n", r"a channel is a number from 0; got 'red' for .*a\.png"),
    ],
)
def test_mistakes_in_a_csv_are_named(data, text, message):
    path = data / "data" / "first" / "images" / "list.csv"
    path.write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        datasets.CsvCollection(path).images()


def test_a_csv_in_another_encoding_says_how_to_save_it(data):
    path = data / "data" / "first" / "list.csv"
    path.write_bytes("image,drug\na.png,caféine\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"must be text in UTF-8.*'CSV UTF-8'; got .*list\.csv"):
        datasets.CsvCollection(path).images()


def test_csvs_that_are_not_there(data):
    with pytest.raises(FileNotFoundError, match=r"table: no such file: .*none\.csv"):
        datasets.BoxesRef(str(data / "none.csv"), kind="csv").read()
    with pytest.raises(FileNotFoundError, match="the csv must exist"):
        datasets.CsvCollection(data / "none.csv").images()
    with pytest.raises(ValueError, match=r"roles image, labels.*; got plate"):
        datasets.CsvCollection(data / "x.csv", columns={"plate": "p"})
    assert datasets.CsvCollection.check(data / "none.csv") == [
        f"There is no file {data / 'none.csv'}."
    ]


def test_a_folder_of_polygons(data):
    folder = data / "data" / "first"
    corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ((1, 1), (4, 1), (4, 3), (1, 3)))
    for stem in ("a", "b"):
        (folder / "xml").mkdir(exist_ok=True)
        (folder / "xml" / f"{stem}.xml").write_text(f"<A><Region>{corners}</Region></A>")
    images = datasets.FolderCollection(folder / "images", folder / "xml", kind="polygons-xml")
    assert images[0]["mask"].sum() == 4 * 3
    masks = datasets.FolderCollection(folder / "images", folder / "labels", kind="foreground")
    assert masks[1]["mask"].max() == 1


def test_options_work_on_anyones_folder(data):
    folder = data / "data" / "first"
    images = datasets.FolderCollection(folder / "images", folder / "labels", n_samples=1, seed=4)
    assert (len(images), set(images[0])) == (1, {"image", "mask"})
    assert datasets.FolderCollection.check(folder / "images") == []
