"""The Redis store keeps the port's promises, one by one and in any order of calls."""

from __future__ import annotations

import itertools
import os
from hashlib import blake2b
from pathlib import Path

import pytest
from hypothesis import settings

from backends.redis_store import open_store
from backends.redis_store.store import RedisStore
from taskgraph.store import Store
from taskgraph.testing import FakeClock, LeaseMachine, StoreContract
from taskgraph.testing.redis_server import need_server, shared_server

pytestmark = pytest.mark.redis
NUMBERS = itertools.count()


@pytest.fixture(autouse=True, scope="module")
def _server() -> None:
    need_server()
    shared_server()


def open_at(
    project: str, shift: float, create: bool = False, files: Path | None = None
) -> RedisStore:
    """Open a store on a server whose clock the test moves; syncing is not waited for."""
    url = shared_server().url(project)
    return open_store(
        url if files is None else f"{url.replace('unix:', 'unix+file:')}&files={files}",
        create=create,
        sleep=lambda seconds: None,
        say=lambda text: None,
        time_shift=round(shift * 1000),
    )


def shift_all(stores: list[Store], seconds: float) -> None:
    for store in stores:
        assert isinstance(store, RedisStore)
        store._server.link.time_shift = round(seconds * 1000)


class TestRedisStore(StoreContract):
    first_stays = True

    def files(self, tmp_path: Path) -> Path | None:
        """Return the folder for large results."""
        return None

    def make_store(self, tmp_path: Path) -> Store:
        self.passed = getattr(self, "passed", 0.0)
        project = blake2b(os.fsencode(tmp_path), digest_size=8).hexdigest()
        return open_at(project, self.passed, create=True, files=self.files(tmp_path))

    def other_handle(self, store: Store) -> Store:
        assert isinstance(store, RedisStore)
        address = store._server.address
        files = Path(address.files) if address.files else None
        return open_at(address.project, self.passed, files=files)

    def pass_time(self, seconds: float) -> None:
        self.passed += seconds
        shift_all(self.__dict__["opened"], self.passed)


class TestMixedStore(TestRedisStore):
    def files(self, tmp_path: Path) -> Path:
        return tmp_path / "files"


class RedisMachine(LeaseMachine):
    first_stays = True
    publish_frees = True

    def make_store(self, clock: FakeClock) -> Store:
        self.opened: list[Store] = []
        clock.now = 0.0
        return self._opened(f"machine-{os.getpid()}-{next(NUMBERS)}", create=True)

    def other_handle(self, store: Store) -> Store:
        assert isinstance(store, RedisStore)
        return self._opened(store._server.address.project)

    def _opened(self, project: str, create: bool = False) -> Store:
        self.opened.append(open_at(project, self.clock(), create))
        return self.opened[-1]

    def _pass(self, steps: int) -> None:
        advance = self.clock.advance
        self.clock.advance = self._advance  # type: ignore[method-assign]
        try:
            super()._pass(steps)
        finally:
            self.clock.advance = advance  # type: ignore[method-assign]

    def _advance(self, seconds: float) -> None:
        self.clock.now += seconds
        shift_all(self.opened, self.clock.now)


TestAnyOrder = RedisMachine.TestCase
TestAnyOrder.settings = settings(max_examples=settings().max_examples // 4)
