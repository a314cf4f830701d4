"""Owner records: who beats, who is silent, who is gone, and by whose clock."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from backends.file_store.liveness import Processes, Pulses
from backends.file_store.ownerfile import identity_of, note_of, owner_of, pack_owner
from backends.file_store.owners import NETWORK_LEASE, Owners
from taskgraph.errors import StoreError, StoreUnreachable
from taskgraph.store import Identity
from taskgraph.testing import FakeClock, FakeServer, make_identity, make_key

LEASE = 30.0


class Disk(FakeServer, FileSystem):
    pass


class Table:
    """A process table made of files."""

    def __init__(self, folder: Path, boot: str = "b00t", namespace: str = "4026531836") -> None:
        self.folder = folder
        (folder / "sys/kernel/random").mkdir(parents=True)
        (folder / "sys/kernel/random/boot_id").write_text(boot + "\n")
        (folder / "self/ns").mkdir(parents=True)
        (folder / "self/ns/pid").symlink_to(f"pid:[{namespace}]")
        self.boot = f"{boot} {namespace}"

    def put(self, pid: int, state: str, birth: int) -> None:
        (self.folder / str(pid)).mkdir(exist_ok=True)
        fields = " ".join(["0"] * 18)
        (self.folder / str(pid) / "stat").write_text(
            f"{pid} (a) b (c) {state} {fields} {birth} 0\n"
        )

    def worker(self, pid: int, birth: str = "55") -> Identity:
        return Identity("here", self.boot, pid, birth)


def no_such_process(pid: int, number: int) -> None:
    raise ProcessLookupError


def not_allowed(pid: int, number: int) -> None:
    raise PermissionError


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(str(tmp_path))
    layout.build(FileSystem())
    return layout


def owners_on(layout: Layout, clock: FakeClock, **options: object) -> Owners:
    return Owners(Disk(clock), layout, LEASE, clock, **options)  # type: ignore[arg-type]


def wait_a_lease(clock: FakeClock, observer: Owners, worker: str, leases: float = 1.2) -> bool:
    silent = False
    for _ in range(round(10 * leases)):
        clock.advance(LEASE / 10)
        silent = observer.silent(worker)
    return silent


# -- the process table ---------------------------------------------------------
@pytest.mark.parametrize(
    ("state", "gone", "beats"),
    [
        ("R", False, True),
        ("S", False, True),
        ("D", False, True),
        ("t", False, True),
        ("T", False, False),
        ("Z", True, False),
        ("X", True, False),
    ],
)
def test_process_states(tmp_path: Path, state: str, gone: bool, beats: bool) -> None:
    table = Table(tmp_path)
    table.put(7, state, 55)
    processes = Processes(str(tmp_path))
    assert processes.gone(table.worker(7)) is gone
    assert processes.may_beat(table.worker(7)) is beats


def test_a_pid_used_again_is_another_process(tmp_path: Path) -> None:
    table = Table(tmp_path)
    table.put(7, "R", 56)
    processes = Processes(str(tmp_path))
    assert processes.gone(table.worker(7, "55"))
    assert not processes.may_beat(table.worker(7, "55"))
    assert not processes.gone(table.worker(7, "unknown")), (
        "a birth that can't be compared proves nothing"
    )


def test_a_missing_process_is_gone_unless_it_is_only_hidden(tmp_path: Path) -> None:
    table = Table(tmp_path)
    assert Processes(str(tmp_path), no_such_process).gone(table.worker(7))
    assert not Processes(str(tmp_path), no_such_process).may_beat(table.worker(7))
    assert not Processes(str(tmp_path), not_allowed).gone(table.worker(7))


@pytest.mark.parametrize("boot", ["other 4026531836", "b00t 4026599999", ""])
def test_pids_of_another_boot_or_namespace_mean_nothing(tmp_path: Path, boot: str) -> None:
    Table(tmp_path)
    processes = Processes(str(tmp_path), no_such_process)
    stranger = Identity("here", boot, 7, "55")
    assert not processes.gone(stranger)
    assert processes.may_beat(stranger)


def test_without_a_process_table_only_the_heartbeat_counts(tmp_path: Path) -> None:
    processes = Processes(str(tmp_path / "none"), no_such_process)
    assert not processes.gone(Identity("here", "", 7, "55"))


def test_a_real_process_stopped_and_killed() -> None:
    """SIGSTOP stops its heart, SIGKILL proves it gone even before its parent has looked."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        pytest.skip("no /proc here")
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE
    )
    birth = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19]
    namespace = str(Path("/proc/self/ns/pid").readlink())
    worker = Identity("here", boot.read_text().strip() + namespace, child.pid, birth)
    processes = Processes()
    assert processes.may_beat(worker)
    os.kill(child.pid, signal.SIGSTOP)
    os.waitpid(child.pid, os.WUNTRACED)
    assert not processes.may_beat(worker)
    assert not processes.gone(worker)
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert processes.gone(worker)
    child.communicate()
    assert processes.gone(worker)


# -- heartbeats as values ------------------------------------------------------
def test_an_observer_that_slept_does_not_count_its_sleep() -> None:
    """A stop shared by worker and observer adds one poll period, not its whole length."""
    clock = FakeClock()
    pulses = Pulses(LEASE, clock)
    pulses.look("w", (1, 1))
    clock.advance(1000 * LEASE)
    assert not pulses.stale("w", (1, 1))
    assert pulses.look("w", (1, 1)) == LEASE / 6


def test_silence_needs_three_looks() -> None:
    clock = FakeClock()
    pulses = Pulses(LEASE, clock, poll_seconds=1e9)
    assert not pulses.stale("w", (1, 1))
    clock.advance(2 * LEASE)
    assert not pulses.stale("w", (1, 1))
    assert pulses.stale("w", (1, 1))
    assert not pulses.stale("w", (1, 2)), "any change is a sign of life"


# -- records -------------------------------------------------------------------
def test_an_owner_file_survives_the_trip() -> None:
    identity = Identity("h", "b", 5, "6", "slurm:1", (("gpu", 1.0),))
    content = pack_owner("w" * 32, identity)
    assert owner_of(content) == "w" * 32
    assert identity_of(content) == identity
    assert note_of(content) == b""
    for size in range(98):
        assert owner_of(content[:size]) == "", "a file that is not whole names nobody"
    assert identity_of(content[:120]).pid == 0


def test_a_worker_is_listed_with_what_it_runs(layout: Layout, clock: FakeClock) -> None:
    owners = owners_on(layout, clock)
    worker = owners.enter(make_identity(5))
    owners.running(worker, make_key(1))
    clock.advance(4)
    (info,) = owners_on(layout, clock).infos()
    assert (info.worker, info.identity, info.running) == (worker, make_identity(5), make_key(1))
    assert (info.alive, info.silent_for) == (True, 4.0)
    owners.running(worker, b"")
    assert owners.infos()[0].running == b""


def test_locks_are_known_by_the_inode_of_their_owner_file_and_not_opened(
    layout: Layout, clock: FakeClock
) -> None:
    """A list of 64 workers with ten locks each would else open 640 files."""
    owners, looked = owners_on(layout, clock), owners_on(layout, clock)
    names = [owners.enter(make_identity(n)) for n in range(3)]
    for n, worker in enumerate(names):
        for lock in (f"k.{n}{n}" + 31 * "00", f"k.{n}{n}" + 31 * "01" + ".r1", f"b.f{n}"):
            os.link(layout.owner(worker), layout.lock(lock))
    opened: list[str] = []
    held = looked.holder
    looked.holder = lambda name: opened.append(name) or held(name)  # type: ignore[func-returns-value]
    found = {info.worker: info for info in looked.infos()}
    assert opened == []
    for n, worker in enumerate(names):
        assert {key[0] for key in found[worker].keys} == {17 * n}
        assert found[worker].buckets == (0xF0 + n,)

    far = Owners(
        Disk(clock), layout, 2 * NETWORK_LEASE, clock
    )  # there inodes may be those of before
    far.holder = lambda name: opened.append(name) or held(name)  # type: ignore[func-returns-value]
    assert {info.worker: (info.keys, info.buckets) for info in far.infos()} == {
        worker: (info.keys, info.buckets) for worker, info in found.items()
    }
    assert len(opened) == 9


def test_a_further_owner_file_is_the_same_worker_and_no_second_record(
    layout: Layout, clock: FakeClock
) -> None:
    owners = owners_on(layout, clock)
    worker = owners.enter(make_identity())
    owners.rotate(worker)
    os.link(owners.own(worker).source, layout.lock("b.3f"))
    (info,) = owners_on(layout, clock).infos()
    assert (info.worker, info.buckets) == (worker, (0x3F,))
    assert owners.recorded() == {worker}


def test_a_heartbeat_that_moved_since_the_last_look_needs_no_process_table(
    layout: Layout, clock: FakeClock
) -> None:
    class Counted(Processes):
        asked = 0

        def gone(self, identity: Identity) -> bool:
            self.asked += 1
            return True

    table = Counted()
    observer = Owners(Disk(clock), layout, LEASE, clock, processes=table)
    owners = owners_on(layout, clock)
    worker = owners.enter(make_identity())
    assert not observer.infos()[0].alive
    assert table.asked == 1, "a first look proves nothing"
    clock.advance(1)
    owners.beat(worker)
    assert observer.infos()[0].alive
    assert table.asked == 1, "who has just beaten is alive"
    clock.advance(1)
    assert not observer.infos()[0].alive
    assert table.asked == 2, "unmoved: the process table may know more"


def test_moved_notes_nothing() -> None:
    pulses = Pulses(LEASE, FakeClock())
    assert not pulses.moved("w", (1, 1)), "never seen before"
    pulses.look("w", (1, 1))
    assert not pulses.moved("w", (1, 1))
    assert pulses.moved("w", (2, 1))
    assert pulses.moved("w", (2, 1)), "only a look takes it in"


def test_one_shot_looks_use_the_servers_clock(layout: Layout, clock: FakeClock) -> None:
    """A command that looks once compares with a probe file; it leaves none behind."""
    owners = owners_on(layout, clock)
    owners.enter(make_identity())
    clock.advance(LEASE + 1)
    (info,) = owners_on(layout, FakeClock(0.0)).infos()
    assert info.alive, "its server says that no time has passed"
    (info,) = owners_on(layout, clock).infos()
    assert not info.alive
    assert len(FileSystem().names(layout.locks)) == 1


def test_a_store_that_can_not_be_written_is_still_looked_at(
    layout: Layout, clock: FakeClock
) -> None:
    class ReadOnly(Disk):
        def create(self, path: str, mode: int) -> int:
            raise PermissionError(13, "read-only")

    owners_on(layout, clock).enter(make_identity())
    (info,) = Owners(ReadOnly(clock), layout, LEASE, clock).infos()
    assert info.alive


def test_silence_is_observed_not_computed(layout: Layout, clock: FakeClock) -> None:
    owners, observer = owners_on(layout, clock), owners_on(layout, clock)
    worker = owners.enter(make_identity())
    clock.advance(100 * LEASE)
    assert not observer.silent(worker), "a first look proves nothing"
    assert wait_a_lease(clock, observer, worker)
    assert owners.beat(worker)
    assert not observer.silent(worker)


def test_another_process_beats_for_the_worker(layout: Layout, clock: FakeClock) -> None:
    worker = owners_on(layout, clock).enter(make_identity())
    supervisor, observer = owners_on(layout, clock), owners_on(layout, clock)
    for _ in range(30):
        clock.advance(LEASE / 10)
        assert supervisor.beat(worker)
        assert not observer.silent(worker)


def test_a_stopped_worker_is_not_beaten_for(
    layout: Layout, clock: FakeClock, tmp_path: Path
) -> None:
    """Else a suspended worker would hold its locks for ever."""
    table = Table(tmp_path / "proc")
    table.put(7, "S", 55)
    processes = Processes(str(table.folder))
    worker = owners_on(layout, clock).enter(table.worker(7))
    supervisor = owners_on(layout, clock, processes=processes)
    observer = owners_on(layout, clock, processes=Processes(str(tmp_path / "elsewhere")))
    clock.advance(1)
    assert supervisor.beat(worker)
    table.put(7, "T", 55)
    observer.silent(worker)
    for _ in range(12):
        clock.advance(LEASE / 10)
        assert supervisor.beat(worker), "the record is still there"
        silent = observer.silent(worker)
    assert silent
    table.put(7, "Z", 55)
    assert owners_on(layout, clock, processes=processes).silent(worker), (
        "proven dead at the first look"
    )


def test_beating_tells_when_the_record_is_gone(layout: Layout, clock: FakeClock) -> None:
    """The open descriptor still beats after an unlink, but nobody would see it."""
    owners = owners_on(layout, clock)
    worker = owners.enter(make_identity())
    assert owners.beat(worker)
    FileSystem().unlink(layout.owner(worker))
    assert not owners.beat(worker)
    assert not owners.beat(worker)
    assert owners.silent(worker)


def test_gone_for_good_needs_two_witnesses(layout: Layout, clock: FakeClock) -> None:
    """Silent as observed, and old by the server: a server clock set forward is not enough."""
    owners, observer = owners_on(layout, clock), owners_on(layout, clock)
    worker = owners.enter(make_identity())
    server = FakeClock(clock() + 10 * LEASE)
    ahead = Owners(Disk(server), layout, LEASE, clock)
    assert not ahead.gone_for_good(worker)
    assert not observer.gone_for_good(worker)
    assert wait_a_lease(clock, observer, worker)
    assert not observer.gone_for_good(worker), "silent, but not for two lease times"
    assert wait_a_lease(clock, observer, worker)
    assert observer.gone_for_good(worker)


def test_leaving_leaves_nothing(layout: Layout, clock: FakeClock) -> None:
    owners = owners_on(layout, clock)
    worker = owners.enter(make_identity())
    owners.rotate(worker)
    owners.running(worker, make_key(1))
    owners.leave(worker)
    assert FileSystem().names(layout.locks) == []
    owners.running(worker, make_key(1))
    assert FileSystem().names(layout.locks) == [], "a note without a record is no note"
    with pytest.raises(StoreError, match="enter"):
        owners.rotate(worker)


def test_trouble_with_the_disk_is_told_in_our_words(layout: Layout, clock: FakeClock) -> None:
    class Broken(Disk):
        def open(self, path: str, flags: int = os.O_RDONLY) -> int:
            raise OSError(5, "Input/output error")

    worker = owners_on(layout, clock).enter(make_identity())
    with pytest.raises(StoreUnreachable, match="mount and permissions"):
        Owners(Broken(clock), layout, LEASE, clock).silent(worker)
