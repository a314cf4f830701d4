"""Without pickle: what needs it is neither written nor read, and the error says what it was."""

from __future__ import annotations

import datetime
import pickle
import zlib
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from taskgraph import codecs, hashing
from taskgraph.codecs.trust import VARIABLE, pickle_allowed
from taskgraph.compat.jug_store import decode as decode_jug
from taskgraph.errors import CodecError

PLAIN = [
    None,
    3,
    "text",
    b"bytes",
    np.arange(12).reshape(3, 4),
    {"a": [1, (2.0, np.float32(1))], "b": {1, 2}, "c": np.array([1, "x"], dtype=object)},
    OrderedDict(when=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), what=range(3)),
]


def whole(obj):
    payload, _ = codecs.encode(obj)
    return payload if isinstance(payload, bytes) else b"".join(payload)


@pytest.fixture
def no_pickle():
    codecs.set_pickle(False)
    yield
    codecs.set_pickle(None)


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_plain_values_need_no_pickle(no_pickle, value):
    found = codecs.decode(whole(value))
    np.testing.assert_equal(found, value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Fraction(1, 3), r"fractions\.Fraction at result\.$"),
        ({"a": [1, Fraction(1, 3)]}, r"fractions\.Fraction at result\['a'\]\[1\]"),
        ([Path("x")], r"pathlib\.PosixPath at result\[0\]"),
        ([lambda: 1], r"builtins\.function at result\[0\]"),
        (np.ma.masked_array([1], [True]), r"MaskedArray at result"),
    ],
    ids=str,
)
def test_what_needs_pickle_is_not_written_and_named(no_pickle, value, words):
    with pytest.raises(CodecError, match=words):
        codecs.encode(value)


def test_a_stored_pickle_is_not_read(no_pickle):
    codecs.set_pickle(True)
    payload = whole({"third": Fraction(1, 3)})
    codecs.set_pickle(False)
    with pytest.raises(CodecError, match=r"not allowed here.*Got dict of 1"):
        codecs.decode(payload)
    assert codecs.decode(payload, allow_pickle=True) == {"third": Fraction(1, 3)}


def test_a_pickle_of_jug_s_is_not_read(no_pickle):
    data = zlib.compress(b"P" + pickle.dumps([1]))
    with pytest.raises(CodecError, match="pickle of jug's"):
        decode_jug(data, Path("x"))
    codecs.set_pickle(True)
    assert decode_jug(data, Path("x")) == [1]


@pytest.mark.parametrize(
    ("text", "allowed"), [("1", False), ("yes", False), ("maybe", False), ("0", True), ("", True)]
)
def test_the_variable_counts_in_a_library_too(monkeypatch, text, allowed):
    monkeypatch.setenv(VARIABLE, text)
    assert pickle_allowed() is allowed


JUGFILE = """
from fractions import Fraction
from taskgraph import TaskGenerator

@TaskGenerator
def third():
    return Fraction(1, 3)

@TaskGenerator
def plain():
    return [1, "a"]

third(), plain()
"""


@pytest.fixture
def jugfile(tmp_path, monkeypatch):
    path = tmp_path / "thirds.py"
    path.write_text(JUGFILE)
    monkeypatch.chdir(tmp_path)
    yield path
    codecs.set_main_stem(None)
    hashing.set_main_stem(None)


def invoke(*args, **env):
    from taskgraph.cli import group

    return CliRunner().invoke(group, [*map(str, args), "--no-jug-alias"], env=env)


@pytest.mark.parametrize("how", ["option", "variable", "file"])
def test_execute_fails_the_task_that_needs_pickle_alone(jugfile, how):
    env = {VARIABLE: "1"} if how == "variable" else {}
    if how == "file":
        jugfile.with_name("taskgraph.toml").write_text("no-pickle = true\n")
    options = ["--no-pickle"] if how == "option" else []
    ended = invoke("execute", jugfile, "--json", "--progress", "none", *options, **env)
    assert '"failed":1' in ended.output.replace(" ", ""), ended.output
    shown = invoke("failures", jugfile)
    assert "fractions.Fraction at result" in shown.output
    assert pickle_allowed()


def test_run_refuses_an_input_that_is_a_pickle(jugfile):
    jugfile.write_text(
        JUGFILE + "\n@TaskGenerator\ndef twice(x):\n    return float(2 * x)\ntwice(third())\n"
    )
    assert '"failed":0' in invoke("execute", jugfile, "--json").output.replace(" ", "")
    ended = invoke("run", jugfile, "twice", "--no-pickle")
    assert isinstance(ended.exception, CodecError) or "not allowed here" in ended.output
    assert invoke("run", jugfile, "twice").exit_code == 0
