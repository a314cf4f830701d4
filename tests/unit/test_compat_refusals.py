"""What ``import-jug`` refuses before it reads anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from backends.memory_store import MemoryStore
from taskgraph.compat.import_jug import import_jug
from taskgraph.errors import StoreForeign, UsageError
from taskgraph.session import Session


@pytest.mark.parametrize(
    ("place", "error", "words"),
    [
        ("nowhere", UsageError, "none at"),
        ("redis://localhost/", UsageError, "file store"),
        ("other", StoreForeign, "something else"),
    ],
)
def test_what_is_no_jug_directory_is_one_clear_error(
    tmp_path: Path, place: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    with pytest.raises(error, match=words):
        import_jug(Session(MemoryStore()), place if "://" in place else tmp_path / place)
