"""The port's promises also hold on a network mount's rules and without hard links."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from backends.file_store import open_store
from taskgraph.store import Store
from taskgraph.testing import FakeClock, StoreContract


class Refounded(StoreContract):
    """A store whose charter was changed right after it was founded."""

    change: ClassVar[dict[str, Any]]

    def make_store(self, tmp_path: Path) -> Store:
        root = tmp_path / "s"
        self.clock = FakeClock()
        open_store(str(root), create=True)
        info = root / "store.json"
        changed = tmp_path / f"changed-{os.getpid()}"  # replaced whole: another may read it now
        changed.write_text(json.dumps({**json.loads(info.read_text()), **self.change}))
        changed.replace(info)
        return self._open(str(root))

    def other_handle(self, store: Store) -> Store:
        return self._open(store.url)

    def _open(self, url: str) -> Store:
        return open_store(url, clock=self.clock, sleep=self.clock.sleep)


class TestNetwork(Refounded):
    change: ClassVar[dict[str, Any]] = {"network": True}


class TestNoLinks(Refounded):
    change: ClassVar[dict[str, Any]] = {"links": False}


del Refounded, StoreContract
