"""The key scheme is pinned: a changed encoding recomputes all results of everybody.

To change it on purpose: raise ``SCHEME``, write the new golden file by running this file,
add its SHA-256 to ``HISTORY``, and say "**All results will be recomputed**" in the
CHANGELOG, once for each scheme after the first.
"""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import json
import math
import operator
import os
import re
import subprocess
import sys
import types
import uuid
import zoneinfo
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

import numpy as np
import pytest

from taskgraph.hashing import SCHEME, CustomHash, NoHash, digest

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "keys.json"
SENTENCE = "**All results will be recomputed**"

#: Scheme -> SHA-256 of the golden file that pins it. Lines are added, never changed.
HISTORY = {1: "e794adce90795f3cb913eb56bf4583b91eb88faf9f5fd79199da22bf8f6b5ac9"}

Pair = collections.namedtuple("Pair", "x y")


class Colour(enum.Enum):
    RED = 1


class Mode(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclass
class Point:
    x: int
    y: object = None


class Image:
    def __taskgraph_hash__(self):
        return ("content", 2)


for _class in (Pair, Colour, Mode, Point, Image):
    _class.__module__ = "golden"  # whatever name the test runner gives this file

VALUES = {
    "none": None,
    "true": True,
    "false": False,
    "zero": 0,
    "negative": -17,
    "wide": 2**100,
    "wider": 3**2000,
    "float": 0.1,
    "minus zero": -0.0,
    "nan": math.nan,
    "inf": math.inf,
    "complex": 1 - 2j,
    "empty text": "",
    "text": "nuclei, Zellkerne, 細胞核",
    "surrogate": "\udcff",
    "bytes": b"\0\1",
    "long bytes": bytes(100_000),
    "bytearray": bytearray(b"ab"),
    "ellipsis": ...,
    "not implemented": NotImplemented,
    "range": range(1, 10, 2),
    "slice": slice(None, 3),
    "list": [1, [2, []]],
    "tuple": (1, (2, ())),
    "dict": {"b": 1, "a": [2]},
    "dict of many keys": {1: "a", "1": "b", (1, None): "c", b"1": "d"},
    "set": {1, "a", (2, 3)},
    "frozenset": frozenset("nuclei"),
    "namedtuple": Pair(1, "b"),
    "dataclass": Point(1, [2]),
    "enum": Colour.RED,
    "flag": Mode.READ | Mode.WRITE,
    "path": Path("data/image.tif"),
    "windows path": PureWindowsPath("data\\image.tif"),
    "datetime": datetime.datetime(2026, 11, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    "naive datetime": datetime.datetime(2026, 11, 2),  # noqa: DTZ001
    "datetime in a zone": datetime.datetime(2026, 7, 2, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")),
    "date": datetime.date(2026, 11, 2),
    "time": datetime.time(1, 2, 3),
    "timedelta": datetime.timedelta(1, 2, 3),
    "timezone": datetime.timezone(datetime.timedelta(hours=-3)),
    "decimal": decimal.Decimal("1.50"),
    "fraction": fractions.Fraction(22, 7),
    "uuid": uuid.UUID(int=42),
    "pattern": re.compile("a+", re.IGNORECASE),
    "partial": functools.partial(math.pow, 2),
    "ordered dict": collections.OrderedDict([("b", 1), ("a", 2)]),
    "defaultdict": collections.defaultdict(list, a=[1]),
    "counter": collections.Counter("nuclei"),
    "deque": collections.deque([1, 2], 5),
    "namespace": types.SimpleNamespace(b=1, a=2),
    "builtin": len,
    "method": str.upper,
    "class": int,
    "function": json.dumps,
    "itemgetter": operator.itemgetter(1),
    "exception": ValueError("x"),
    "custom hash": CustomHash([1, 2], len),
    "no hash": NoHash(3),
    "own hash": Image(),
    "array": np.arange(6, dtype="<f8").reshape(2, 3),
    "fortran array": np.asfortranarray(np.arange(6, dtype="<f8").reshape(2, 3)),
    "big-endian array": np.arange(3, dtype=">u2"),
    "empty array": np.zeros((0, 4), dtype="<i4"),
    "array of booleans": np.array([True, False]),
    "array of texts": np.array(["a", "bc"]),
    "array of times": np.array(["2026-11-02"], dtype="M8[s]"),
    "array of objects": np.array([1, "a", None, 2.0], dtype=object),
    "structured array": np.array([(1, 2.0)], dtype=[("a", "<i2"), ("b", "<f4", (2,))]),
    "masked array": np.ma.masked_array(np.arange(2, dtype="<i8"), [True, False]),
    "scalar": np.float32(1.5),
    "dtype": np.dtype("<f8"),
    "ufunc": np.add,
    "numpy function": np.mean,
}


def golden_text():
    """Return what the golden file of this scheme should hold."""
    keys = {name: digest(value).hex() for name, value in VALUES.items()}
    return json.dumps({"scheme": SCHEME, "keys": keys}, indent=1) + "\n"


def announced(history, changelog):
    """Whether each change of the scheme was announced."""
    return changelog.count(SENTENCE) >= len(history) - 1


def test_every_key_is_the_pinned_one():
    pinned, found = json.loads(GOLDEN.read_text()), json.loads(golden_text())
    changed = [name for name, key in found["keys"].items() if pinned["keys"].get(name) != key]
    assert not changed, "these encodings changed; see the head of this file"
    assert found == pinned


def test_the_golden_file_is_the_one_of_this_scheme():
    assert max(HISTORY) == SCHEME == len(HISTORY)
    assert hashlib.sha256(GOLDEN.read_bytes()).hexdigest() == HISTORY[SCHEME]


def test_a_change_of_the_scheme_is_announced():
    changelog = ROOT / "CHANGELOG.md"
    assert announced(HISTORY, changelog.read_text() if changelog.exists() else "")


def test_an_unannounced_change_would_be_noticed():
    changed = HISTORY | {2: "another"}
    assert not announced(changed, "# Changelog\n\nFaster.\n")
    assert announced(changed, f"# Changelog\n\n{SENTENCE}: keys know more.\n")


def test_all_pinned_values_differ_except_the_layouts():
    assert len({digest(value) for value in VALUES.values()}) == len(VALUES) - 1


@pytest.mark.parametrize("seed", ["0", "random"])
def test_another_process_makes_the_same_keys(seed):
    env = os.environ | {"PYTHONHASHSEED": seed}
    command = [sys.executable, __file__]
    out = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    assert out == GOLDEN.read_text()


if __name__ == "__main__":
    sys.stdout.write(golden_text())
