"""What is tried: every registered method, values that exist, none twice."""

from __future__ import annotations

import numpy as np
import pytest

from bioimage_tasks import segmentation
from bioimage_tasks.datasets import made_nuclei
from bioimage_tasks.metrics.coelho_published import COLUMNS, PUBLISHED
from bioimage_tasks.segmentation import sweeps
from bioimage_tasks.tables import setting_name


def test_every_method_is_tried_at_its_defaults_and_elsewhere():
    settings = sweeps.full()
    names = [setting_name(*one) for one in settings]
    assert len(set(names)) == len(names)
    for method in segmentation.methods():
        mine = [how for name, how in settings if name == method]
        assert {} in mine
        assert len(mine) > 1
        for how in mine:
            assert set(how) <= set(segmentation.parameters(method))
    assert [name for name, _ in sweeps.defaults()] == list(segmentation.methods())


def test_values_of_a_method_without_written_ones_are_accepted():
    image, _ = made_nuclei.outlined(9, 0, 64)
    for method, how in sweeps.full():
        if method not in sweeps.WRITTEN:
            assert segmentation.segment(image, method, **how).dtype == np.int32


def test_a_sweep_is_every_combination_and_refuses_what_is_unknown():
    assert sweeps.sweep("watershed", markers=["both"], depth=[0.1, 0.2]) == [
        ("watershed", {"markers": "both", "depth": 0.1}),
        ("watershed", {"markers": "both", "depth": 0.2}),
    ]
    with pytest.raises(ValueError, match=r"sweep: 'watershed' takes .*; got unknown deep"):
        sweeps.sweep("watershed", deep=[1])


def test_the_published_rows_are_whole():
    assert all(len(values) == len(COLUMNS) for values in PUBLISHED.values())
    merging = dict(zip(COLUMNS, PUBLISHED["merging (Lin et al.)"], strict=True))
    assert merging["missing"] == 3.3
    assert merging["hausdorff"] == 12.9
