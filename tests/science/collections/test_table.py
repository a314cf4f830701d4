"""The table of collections in docs/datasets.md is what the collections say."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def script():
    return runpy.run_path(str(ROOT / "scripts" / "write_collections_table.py"))


def test_the_table_is_what_the_script_writes(script):
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    same = script["whole"](text) == text
    assert same, "docs/datasets.md is out of date: python scripts/write_collections_table.py"


def test_a_page_that_is_out_of_date_or_has_no_markers_is_seen(script):
    text = (ROOT / "docs" / "datasets.md").read_text(encoding="utf-8")
    old = text.replace("CC0 1.0", "secret", 1)
    assert script["whole"](old) == script["whole"](text) != old
    with pytest.raises(ValueError, match="must hold <!-- collections -->"):
        script["whole"]("no table")
