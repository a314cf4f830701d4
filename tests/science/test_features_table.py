"""Feature tables: columns, joins, units, pandas and CSV; what they refuse."""

from __future__ import annotations

import csv
import io
import pickle

import numpy as np
import pytest

from bioimage_tasks.features import FeatureTable, compute, feature_sets, join, stack


@pytest.fixture
def table():
    return FeatureTable.of({"area": ("px^2", [4, 9]), "mean": ("grey", [1.5, np.nan])}, (3, 7))


def test_columns_rows_and_selection(table):
    assert table.column("area").tolist() == [4, 9]
    assert table.select(["mean"]).names == ("mean",)
    assert table.select(["mean", "area"]).units == ("grey", "px^2")
    assert table.rows()[0] == {"object": "3", "area": 4.0, "mean": 1.5}
    assert len(table) == 2
    assert len(FeatureTable.of({"area": ("px^2", [])})) == 0


def test_pandas_and_csv_hold_the_same(table):
    frame = table.to_pandas()
    assert list(frame.index) == [3, 7]
    assert frame.attrs["units"] == {"area": "px^2", "mean": "grey"}
    lines = list(csv.reader(io.StringIO(table.csv_text())))
    assert lines[0] == ["object", "area [px^2]", "mean [grey]"]
    assert [float(line[1]) for line in lines[1:]] == frame["area"].tolist()
    pairs = stack([table, table], ["a", "b"]).to_pandas()
    assert pairs.loc[("b", 7), "area"] == 9


def test_micrometres(table):
    scaled = table.in_micrometres(0.5)
    assert scaled.units == ("um^2", "grey")
    assert scaled.column("area").tolist() == [1, 2.25]
    assert scaled.column("mean")[0] == 1.5
    with pytest.raises(ValueError, match=r"pixel_size must be positive; got 0"):
        table.in_micrometres(0)


def test_everything_that_is_in_pixels_is_in_micrometres():
    units = ("px", "px^2", "px^3", "1/px", "1/px^3", "grey/px", "grey^2/px^2", "grey", "1", "bit")
    table = FeatureTable.of({unit: (unit, [8.0]) for unit in units})
    scaled = table.in_micrometres({"Y": 0.5, "X": 0.5})
    assert scaled.units == (
        "um", "um^2", "um^3", "1/um", "1/um^3", "grey/um", "grey^2/um^2", "grey", "1", "bit",
    )  # fmt: skip
    assert scaled.values[0].tolist() == [4, 2, 1, 16, 64, 16, 32, 8, 8, 8]
    for bad, message in (
        ({}, r"must be positive; got \{\}"),
        ("file", "must be positive; got file"),
        ({"Y": 0.5, "X": 0.0}, "must be positive"),
        ({"Z": 1.5, "Y": 0.5, "X": 0.5}, r"as long along every axis.*got \{'Z': 1\.5"),
    ):
        with pytest.raises(ValueError, match=f"FeatureTable.in_micrometres: .*{message}"):
            table.in_micrometres(bad)


def test_no_set_leaves_a_length_in_pixels(field):
    """The same disc at two resolutions is as large in micrometres."""
    image, labels = field[0][:90, :90], field[1][:90, :90]
    sizes = {"Z": 3.0, "Y": 0.4, "X": 0.401}
    plain = compute(image, labels, feature_sets())
    told = compute(image, labels, feature_sets(), pixel_size=sizes)
    assert any("px" in unit for unit in plain.units)
    assert not any("px" in unit for unit in told.units)
    assert told.column("shape_area")[0] == pytest.approx(
        0.16 * plain.column("shape_area")[0], rel=0.01
    )
    with pytest.raises(ValueError, match=r"compute: pixel_size .*each of Y, X.*got \{'Y': 0\.4\}"):
        compute(image, labels, ("shape",), pixel_size={"Y": 0.4})
    with pytest.raises(ValueError, match=r"each of Z, Y, X"):
        compute(image[None], labels[None], ("shape",), pixel_size={"Y": 0.4, "X": 0.4})


def test_the_task_takes_the_size_from_the_file(field, tmp_path):
    from bioimage_tasks.datasets import ImageRef
    from bioimage_tasks.io import write_image
    from bioimage_tasks.tasks import feature_row, features

    image, labels = field[0][:90, :90], field[1][:90, :90]
    path = str(tmp_path / "a.ome.tif")
    write_image(path, image, axes="YX", pixel_size={"Y": 0.4, "X": 0.4})
    found = features.f(ImageRef(path), labels, ("shape",), pixel_size="file")
    assert found.units[:2] == ("um^2", "um")
    assert np.allclose(found.values, compute(image, labels, ("shape",), pixel_size=0.4).values)
    row = feature_row.f(ImageRef(path), ("filters",), pixel_size="file")
    assert np.allclose(row, compute(image, None, ("filters",), pixel_size=0.4).values[0])
    write_image(tmp_path / "b.png", image)
    with pytest.raises(ValueError, match=r"compute: pixel_size .*got \{\}"):
        features.f(ImageRef(str(tmp_path / "b.png")), labels, ("shape",), pixel_size="file")
    with pytest.raises(ValueError, match=r"features: pixel_size='file' needs an ImageRef.*ndarray"):
        features.f(image, labels, ("shape",), pixel_size="file")


def test_join_and_stack(table):
    wide = join([table, table.prefixed("again")])
    assert wide.names == ("area", "mean", "again_area", "again_mean")
    assert stack([table, table]).index == (3, 7, 3, 7)
    assert stack([table, table], ["a", "b"]).index[2] == ("b", 3)
    image = FeatureTable.of({"area": ("px^2", [1])}, ("image",))
    assert stack([image, image], ["x", "y"]).index == ("x", "y")


def test_what_does_not_fit_is_refused(table):
    with pytest.raises(ValueError, match=r"join: .*same rows.*got 2 and 1"):
        join([table, FeatureTable.of({"x": ("1", [1])})])
    with pytest.raises(ValueError, match=r"must come once; got twice: \['area', 'mean'\]"):
        join([table, table])
    with pytest.raises(ValueError, match=r"stack: .*same columns.*differ in \['mean'\]"):
        stack([table, table.select(["area"])])
    with pytest.raises(ValueError, match="stack: needs a key a table; got 1 and 2"):
        stack([table, table], ["a"])
    for function in (join, stack):
        with pytest.raises(ValueError, match="needs at least one table; got none"):
            function([])
    with pytest.raises(ValueError, match=r"there are area, mean; got 'aera'"):
        table.column("aera")
    with pytest.raises(ValueError, match=r"= \(1, 1\) with a unit a name; got"):
        FeatureTable(("a",), ("1",), np.zeros((2, 1)), (1,))


def test_a_table_can_be_a_result(table):
    again = pickle.loads(pickle.dumps(table))
    assert (again.names, again.units, again.index) == (table.names, table.units, table.index)
    assert np.array_equal(again.values, table.values, equal_nan=True)
