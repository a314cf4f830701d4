"""The figure of what leaving out images hides, the made-up proteins behind it, and its tasks."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks.datasets.made_location import LOCATIONS, located
from bioimage_tasks.features import compute
from bioimage_tasks.features.surf import describe
from bioimage_tasks.plots.leaks import leak_lines

WAYS = {"global": [0.8, 0.9], "local": [1.0, 0.9]}
EACH = {"global": {"a": 0.1, "b": 1.0}, "local": {"a": 0.9, "b": 1.0}}


def test_the_figure_shows_both_ways():
    drawn = leak_lines(WAYS, WAYS, EACH, chance=0.5, title="made up")
    assert drawn.dtype == np.uint8
    colours = {tuple(colour) for colour in drawn.reshape(-1, 3)[::3]}
    assert len(colours) > 20
    other = leak_lines(WAYS, {**WAYS, "global": [0.4, 0.5]}, EACH, chance=0.5, title="made up")
    assert not np.array_equal(drawn, other)


def test_ways_must_be_the_same():
    with pytest.raises(ValueError, match=r"leak_lines: .*same ways.*got \['global'\]"):
        leak_lines({"global": [1]}, WAYS, EACH, chance=0.5)
    with pytest.raises(ValueError, match="one at least"):
        leak_lines({}, {}, {}, chance=0.5)


def test_made_up_proteins_differ_more_in_texture_than_locations_do():
    """Else the small study would show nothing."""
    images = {(p, n): located(LOCATIONS[p % 2], p, n) for p in range(4) for n in range(2)}
    rows = {key: compute(image, None, ("haralick",)).values[0] for key, image in images.items()}
    scale = np.std(list(rows.values()), axis=0) + 1e-9
    far = {(a, b): np.linalg.norm((rows[a] - rows[b]) / scale) for a in rows for b in rows if a < b}
    own = np.mean([d for (a, b), d in far.items() if a[0] == b[0]])
    alike = np.mean([d for (a, b), d in far.items() if a[0] != b[0] and (a[0] - b[0]) % 2 == 0])
    assert own < 0.5 * alike
    assert all(len(describe(image, points="interest")) > 30 for image in images.values())
    assert np.array_equal(located("nuclear", 1, 1), located("nuclear", 1, 1))
    with pytest.raises(ValueError, match="located: location must be one of"):
        located("golgi", 0, 0)


def test_tasks_run_as_plain_functions(tmp_path, discs):
    """What the generators wrap: tables, rows, bags and words, and the CSV."""
    from bioimage_tasks import tasks

    image, labels = discs
    table = tasks.features.f(image, labels, ("shape", "intensity"))
    assert len(tasks.stacked.f([table, table], ["x", "y"])) == 24
    path = tasks.write_features.f(table, str(tmp_path / "sub" / "table.csv"))
    assert path.endswith("table.csv")
    assert (tmp_path / "sub" / "table.csv").read_text().startswith("object,shape_area [px^2],")
    assert tasks.feature_row.f(image, ("haralick",)).shape == (26,)
    bag = tasks.descriptors.f(image, scales=(1.0,))
    words = tasks.codebook.f([bag], words=4)
    assert tasks.bag_of_words.f([bag], words, ["x"]).index == ("x",)
