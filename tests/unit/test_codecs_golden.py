"""Payloads written once are read for ever: files in tests/golden/payloads, one for each value."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from taskgraph import codecs

FOLDER = Path(__file__).parent.parent / "golden" / "payloads"

EXPECTED = {
    "none": None,
    "true": True,
    "false": False,
    "int_zero": 0,
    "int_negative": -129,
    "int_64": 2**63 - 1,
    "int_long": -(3**200),
    "float": 0.1,
    "complex": 1.5 - 2j,
    "text": "Zellkern µm ✓",
    "bytes": b"\x00\xff" * 3,
    "list": [1, [2.0, "three"], (None, True), {"k": {1, 2}}],
    "datetime": [datetime.datetime(2020, 2, 29, tzinfo=datetime.UTC), OrderedDict(a=range(3))],
    "full_pickle": {"a third": Fraction(1, 3)},
    "array_0d": np.array(7, np.int16),
    "array_fortran": np.asfortranarray(np.arange(6, dtype="<f4").reshape(2, 3)),
    "array_big_endian": np.arange(3, dtype=">u2"),
    "array_structured": np.array(
        [(1, (2.5, -1), "ab")], dtype=[("a", "u1"), ("b", "<f4", (2,)), ("c", "<U2")]
    ),
    "array_datetime": np.array(["2026-11-20", "NaT"], "M8[s]"),
    "array_objects": np.array([[1, "a"], [None, 2.5]], dtype=object),
    "array_labels_compressed": np.repeat(np.arange(40, dtype="<i4"), 512).reshape(128, 160),
    "array_mask_compressed": np.repeat(np.arange(40) % 2 == 1, 512),
    "scalar": np.float64(2.5),
    "nested_arrays": {
        "image": np.arange(20, dtype="u1").reshape(4, 5),
        "scores": [np.float32(0.5)],
    },
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_payload_written_long_ago_is_read(name):
    found, expected = codecs.decode((FOLDER / f"{name}.bin").read_bytes()), EXPECTED[name]
    assert type(found) is type(expected)
    if isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.flags.f_contiguous == expected.flags.f_contiguous
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
    np.testing.assert_equal(found, expected)


def test_every_file_has_its_value_and_every_value_its_file():
    assert {path.stem for path in FOLDER.glob("*.bin")} == set(EXPECTED) | {"torch_state"}


def test_a_state_dict_written_long_ago_is_read():
    torch = pytest.importorskip("torch")
    state = codecs.decode((FOLDER / "torch_state.bin").read_bytes(), allow_pickle=False)
    assert torch.equal(state["weight"], torch.arange(6.0).reshape(2, 3))
    assert torch.equal(state["half"], torch.ones(2, dtype=torch.bfloat16))


def test_a_wrong_golden_value_would_be_noticed():
    """The planted fault: comparing with the neighbour's value fails."""
    found = codecs.decode((FOLDER / "array_fortran.bin").read_bytes())
    with pytest.raises(AssertionError):
        np.testing.assert_equal(found, EXPECTED["array_big_endian"])
