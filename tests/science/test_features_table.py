"""Feature tables: columns, joins, units, pandas and CSV; what they refuse."""

from __future__ import annotations

import csv
import io
import pickle

import numpy as np
import pytest

from bioimage_tasks.features import FeatureTable, join, stack


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
