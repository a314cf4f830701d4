"""The store's promises over a simulated network mount, each handle on a host of its own.

First the mount itself is shown to lie as it says; then a store that trusts its lies must
fail; then the file store must not, with late appends, holes and lost replies.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from backends.file_store import open_store
from backends.file_store.filesystem import FileSystem
from backends.file_store.locks import Locks
from backends.file_store.segments import Segment
from taskgraph.store import Store
from taskgraph.testing import FakeClock, LeaseMachine, StoreContract, broken_promises
from taskgraph.testing.nfs import LAG, NfsClient
from taskgraph.testing.nfsserver import NfsServer

ROOT = "/export/store"
SEEDS = itertools.count()


class Disk(NfsClient, FileSystem):
    """A store's disk on a network mount."""


@pytest.fixture(autouse=True)
def _on_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backends.file_store.founding.on_network", lambda _: True)


def mount(server: NfsServer, clock: FakeClock, **options: float) -> Disk:
    options = {"early": 0.3, "loss": 0.2, **options}
    return Disk(server, clock, seed=next(SEEDS), **options)


def open_at(server: NfsServer, clock: FakeClock, **options: float) -> Store:
    disk = mount(server, clock, **options)
    return open_store(ROOT, create=True, fs=disk, clock=clock, sleep=clock.sleep)


# -- the mount -------------------------------------------------------------------
@pytest.fixture
def two() -> tuple[Disk, Disk, FakeClock]:
    """Return two clients with one file, and their clock."""
    clock = FakeClock()
    server = NfsServer(clock)
    one, other = Disk(server, clock), Disk(server, clock)
    one.write_file("/f", b"old", 0o600)
    return one, other, clock


def test_attributes_of_an_open_file_are_old_until_the_lag_is_over(two) -> None:
    one, other, clock = two
    reading = other.open("/f")
    writing = one.open("/f")
    one.append(writing, [b" and new"])
    one.datasync(writing)
    assert (other.fstat(reading).st_size, other.stat("/f").st_size) == (3, 3)
    assert other.pread(reading, 99, 0) == b"old"
    clock.advance(LAG)
    assert other.pread(reading, 99, 0) == b"old and new"


def test_an_open_by_name_asks_for_the_attributes_anew(two) -> None:
    one, other, _ = two
    assert other.read_file("/f") == b"old"
    one.append(writing := one.open("/f"), [b"er"])
    one.datasync(writing)
    assert other.read_file("/f") == b"older"


def test_nocto_answers_from_memory(two) -> None:
    one, other, clock = two
    other.close_to_open = False
    assert (other.read_file("/f"), other.names("")) == (b"old", ["f"])
    one.append(writing := one.open("/f"), [b"er"])
    one.close(writing)
    one.link("/f", "/g")
    assert (other.read_file("/f"), other.names("")) == (b"old", ["f"])
    clock.advance(LAG)
    assert (other.read_file("/f"), other.names("")) == (b"older", ["f", "g"])


def test_a_missing_name_is_remembered_until_the_folder_is_listed(two) -> None:
    one, other, _ = two
    with pytest.raises(FileNotFoundError):
        other.stat("/g")
    one.link("/f", "/g")
    with pytest.raises(FileNotFoundError):
        other.open("/g")
    assert other.names("") == ["f", "g"]
    assert other.stat("/g").st_nlink == 2


def test_a_name_means_what_it_meant_until_the_folder_is_listed(two) -> None:
    one, other, _ = two
    one.link("/f", "/lock")
    one.write_file("/h", b"another", 0o600)
    assert other.read_file("/lock") == b"old"
    one.unlink("/lock")
    one.link("/h", "/lock")
    assert other.read_file("/lock") == b"old"
    with pytest.raises(FileExistsError):
        other.link("/f", "/lock")
    assert other.read_file("/lock") == b"another", "an own call on the name looks it up"


def test_appends_come_late_and_with_holes(two) -> None:
    one, other, _ = two
    one.early, pages = 1.0, 8
    for _ in range(pages):
        one.append(writing := one.create(f"/p{_}", 0o600), [b"x" * 9 * 4096])
        seen = other.read_file(f"/p{_}")
        assert len(seen) < 9 * 4096 or b"\0" in seen
        one.datasync(writing)
        assert other.read_file(f"/p{_}") == b"x" * 9 * 4096
    assert one.holes


def test_a_removed_open_file_is_stale_for_others_and_kept_for_its_own_host(two) -> None:
    one, other, clock = two
    mine, theirs = one.open("/f"), other.open("/f")
    one.unlink("/f")
    assert one.pread(mine, 9, 0) == b"old"
    one.close(mine)
    clock.advance(LAG)
    with pytest.raises(OSError, match="inode") as raised:
        other.pread(theirs, 9, 0)
    assert raised.value.errno == errno.ESTALE


@pytest.mark.parametrize(
    ("lose", "error"), [("retry", FileExistsError), ("error", OSError)], ids=["retry", "error"]
)
def test_a_lost_reply_hides_a_thing_done(two, lose: str, error: type[OSError]) -> None:
    one, other, _ = two
    one.loss, one.lose = 1.0, lose
    with pytest.raises(error):
        one.link("/f", "/g")
    assert other.names("") == ["f", "g"]


def test_a_crash_loses_what_was_not_sent(two) -> None:
    one, other, _ = two
    one.append(one.open("/f"), [b"er"])
    one.crash()
    assert other.read_file("/f") == b"old"


def test_the_export_gets_full_at_the_sync(two) -> None:
    one, _, _ = two
    one.server.room = 2
    one.append(writing := one.open("/f"), [b"too much"])
    with pytest.raises(OSError, match="No space"):
        one.datasync(writing)


# -- the contract ----------------------------------------------------------------
class TestOverNfs(StoreContract):
    between_processes = False

    def make_store(self, tmp_path: Path) -> Store:
        if getattr(self, "place", None) != tmp_path:
            self.place, self.clock = tmp_path, FakeClock()
            self.server = NfsServer(self.clock)
        return open_at(self.server, self.clock)

    def other_handle(self, store: Store) -> Store:
        return open_at(self.server, self.clock)

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)


class NfsMachine(LeaseMachine):
    loss = 0.2

    def make_store(self, clock: FakeClock) -> Store:
        global SEEDS
        SEEDS = itertools.count()  # each run of an example is the same
        self.server = NfsServer(clock)
        return open_at(self.server, clock, loss=self.loss)

    def other_handle(self, store: Store) -> Store:
        return open_at(self.server, self.clock, loss=self.loss)


TestAnyOrderOverNfs = NfsMachine.TestCase
TestAnyOrderOverNfs.settings = settings(max_examples=settings().max_examples // 4)


# -- stores that trust the mount ---------------------------------------------------
def trusts_sizes(segment: Segment) -> int:
    """Ask for a size by name, which a client answers from its memory."""
    return segment._fs.stat(segment.path).st_size


def trusts_exists(
    locks: Locks, worker: str, names: Sequence[str], most: int | None = None
) -> list[bool | None]:
    """Take what does not seem to exist, as a store does that knows local disks only."""
    own = locks._owners.own(worker)
    got: list[bool | None] = []
    for name in names:
        if most is not None and got.count(True) >= most:
            got.append(None)
            continue
        path = locks._layout.lock(name)
        try:
            locks._fs.stat(path)
        except FileNotFoundError:
            locks._fs.write_file(f"{path}.tmp", own.content, 0o600)
            locks._fs.rename(f"{path}.tmp", path)
            own.held[name] = name
        got.append(name in own.held)
    return got


def test_a_store_that_trusts_sizes_breaks_its_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Segment, "_fresh_size", trusts_sizes)
    assert broken_promises(TestOverNfs, tmp_path)


def test_a_store_that_trusts_exists_lets_two_hold_one_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    class Naive(NfsMachine):
        loss = 0.0

    monkeypatch.setattr(Locks, "take", trusts_exists)
    few = settings(max_examples=200, database=None, phases=[Phase.generate], derandomize=True)
    with pytest.raises(AssertionError, match=r"two live holders|busy|released"):
        run_state_machine_as_test(Naive, settings=few)
