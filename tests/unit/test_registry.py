"""Stores are found by the scheme of their URL, without a scan for our own two."""

from __future__ import annotations

import configparser
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from taskgraph import registry
from taskgraph.errors import StoreUnreachable, UsageError


def test_the_table_says_what_setup_cfg_says():
    setup = configparser.ConfigParser()
    setup.read(Path(__file__).parents[2] / "setup.cfg")
    lines = setup["options.entry_points"]["taskgraph.stores"].split("\n")
    said = dict(map(str.strip, line.split("=")) for line in lines if line)
    assert {**said, **registry.BUILT_IN} == said


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("results.taskgraph", "file"),
        ("/a/b:c", "file"),
        ("c:x", "file"),
        ("./redis:x", "file"),
        ("file:///a", "file"),
        ("memory:", "memory"),
        ("REDIS://host:6379/0", "redis"),
    ],
)
def test_the_scheme_of_a_url(url, scheme):
    assert registry.scheme_of(url) == scheme


def test_our_own_stores_open_without_a_scan(monkeypatch):
    monkeypatch.setattr(registry, "find", None)
    assert registry.open_store("memory:", create=True).url == "memory:"
    with pytest.raises(StoreUnreachable):
        registry.open_store("memory:")


def test_a_strangers_store_is_found_by_its_entry_point(monkeypatch):
    point = EntryPoint("mem2", "backends.memory_store:open_store", registry.STORES)
    monkeypatch.setattr(registry, "find", lambda group: {"mem2": point})
    assert registry.open_store("mem2:x", create=True).url == "memory:"
    with pytest.raises(UsageError, match=r"file, mem2, memory.*'s3'"):
        registry.open_store("s3://bucket")


def test_groups_are_scanned_once():
    assert registry.find("taskgraph.no_such_group") == {}
    assert registry.find("console_scripts") is registry.find("console_scripts")
