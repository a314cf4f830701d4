"""``doctor``: one fault planted for each check, which names it and says what to do."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.file_store.diagnose import Diagnosis
from backends.file_store.filesystem import FileSystem
from backends.file_store.founding import charter
from backends.file_store.mounts import Mount
from backends.file_store.surroundings import Room, Surroundings
from backends.memory_store import MemoryStore
from taskgraph.cli import main
from taskgraph.errors import StoreFull, StoreUnreachable
from taskgraph.ops import doctor
from taskgraph.ops.doctor import hosts, names, python, system
from taskgraph.registry import open_store
from taskgraph.store import Diagnosable, Identity, WorkerInfo
from taskgraph.testing import StoreWrapper, make_identity, make_key, make_record

CHECKS = ["format", "permissions", "owners", "umask", "space", "inodes", "mount", "lease",
          "links", "link protection", "clock", "leftovers", "segments"]  # fmt: skip


class Host(Surroundings):
    """A host on which all is well, but for what a test says."""

    def __init__(self, **answers):
        super().__init__()
        object.__setattr__(self, "answers", answers)

    def room(self, path):
        return self.answers.get("room", Room(10**11, 10**12, 10**6, 10**7))

    def mount(self, path):
        return self.answers.get("mount", Mount("/", "ext4", ("rw", "relatime")))

    def protected_links(self):
        return self.answers.get("protected", True)

    def umask(self):
        return self.answers.get("umask", 0o022)

    def user(self):
        return self.answers.get("user", super().user())

    def clock(self):
        return super().clock() + self.answers.get("ahead", 0.0)


class Disk(FileSystem):
    """A disk that answers what a test says to ``stat`` and ``link``."""

    def __init__(self, links=True, **owner):
        self.links = links
        self.owner = owner

    def link(self, source, target):
        if not self.links:
            raise OSError(errno.EOPNOTSUPP, "no such thing here")
        super().link(source, target)

    def stat(self, path):
        seen = super().stat(path)
        if not self.owner or not path.endswith("/segments"):
            return seen
        kept = {name: getattr(seen, name) for name in ("st_mode", "st_uid", "st_gid")}
        return SimpleNamespace(**{**kept, **self.owner})


def look(root, *, mode="private", lease=None, fs=None, workers=(), prepare=None, **answers):
    """Found a store, let ``prepare`` plant something, and return the findings by name."""
    found = charter(FileSystem(), str(root), True, mode, lease)
    if prepare is not None:
        prepare(Path(root))
    host = Host(**answers)
    diagnosis = Diagnosis(fs or FileSystem(), found.layout(str(root)), found, workers, host)
    return {finding.check: finding for finding in diagnosis.run()}


def info(alive=True, host="node1", boot="b1"):
    identity = Identity(host=host, boot=boot, pid=7, birth="1")
    return WorkerInfo("w", identity, alive, 0.0, ())


@pytest.mark.parametrize("mode", ["private", "group"])
def test_a_sound_store_gets_nothing_but_ok(tmp_path, mode):
    found = look(tmp_path / "s", mode=mode, umask=0o002)
    assert list(found) == CHECKS
    assert {f.level for f in found.values()} == {"ok"}
    assert not any(f.remedy for f in found.values())


# -- faults that a host or a disk is made to show ------------------------------------
NFS = Mount("/nfs", "nfs4", ("rw", "vers=4.2", "hard"))
OLD_CACHES = Mount("/nfs", "nfs4", ("rw", "acdirmax=3600"))
PLANTED_ON_THE_HOST = {
    "few bytes": ("space", "warning", {"room": Room(5 * 10**8, 10**9, 10**6, 10**7)}),
    "few percent": ("space", "warning", {"room": Room(10**10, 10**12, 10**6, 10**7)}),
    "few inodes": ("inodes", "warning", {"room": Room(10**11, 10**12, 9_999, 10**7)}),
    "read-only": ("mount", "warning", {"mount": Mount("/", "ext4", ("ro",))}),
    "nocto": ("mount", "warning", {"mount": Mount("/n", "nfs", ("rw", "nocto")), "lease": 300}),
    "soft": ("mount", "warning", {"mount": Mount("/n", "nfs", ("rw", "soft")), "lease": 300}),
    "old caches": ("mount", "warning", {"mount": OLD_CACHES, "lease": 300}),
    "short lease": ("lease", "warning", {"mount": NFS, "lease": 60}),
    "brought to a network": ("lease", "warning", {"mount": NFS, "lease": 300}),
    "no links": ("links", "error", {"fs": Disk(links=False)}),
    "clock": ("clock", "note", {"ahead": 5.0}),
    "clock far off": ("clock", "warning", {"ahead": -3600.0}),
    "umask": ("umask", "note", {"mode": "group", "umask": 0o077}),
    "stranger's folder": ("owners", "warning", {"fs": Disk(st_uid=4242)}),
    "stranger asks": ("owners", "warning", {"user": 4242}),
    "another group": ("owners", "warning", {"mode": "group", "fs": Disk(st_gid=4242)}),
    "dead worker": ("leftovers", "note", {"workers": [info(alive=False)]}),
}


@pytest.mark.parametrize("fault", PLANTED_ON_THE_HOST)
def test_a_fault_of_the_host_is_named_with_a_remedy(tmp_path, fault):
    check, level, planted = PLANTED_ON_THE_HOST[fault]
    found = look(tmp_path / "s", **planted)
    assert found[check].level == level
    assert found[check].saw
    assert found[check].remedy


# -- faults in the folder ------------------------------------------------------------
def open_to_all(root):
    (root / "segments").chmod(0o755)


def closed_to_the_group(root):
    path = root / "locks" / "o.someone"
    path.touch()
    path.chmod(0o600)


def left_behind(root):
    for name in ("locks/t.one", "documents/.two.tmp", ".store-three"):
        (root / name).touch()
        os.utime(root / name, (1, 1))


def many_segments(count):
    def plant(root):
        for number in range(count):
            (root / "segments" / f"w.{number}").touch()

    return plant


def without_a_folder(root):
    (root / "locks").rmdir()


PLANTED_IN_THE_FOLDER = [
    ("permissions", "warning", "chmod 0700", {"prepare": open_to_all}),
    ("link protection", "warning", "chmod g+rw",
     {"prepare": closed_to_the_group, "mode": "group", "umask": 0o007}),
    ("leftovers", "note", "taskgraph pack", {"prepare": left_behind}),
    ("segments", "note", "taskgraph pack", {"prepare": many_segments(65)}),
    ("segments", "warning", "taskgraph pack", {"prepare": many_segments(1001)}),
    ("permissions", "error", "check the mount", {"prepare": without_a_folder}),
]  # fmt: skip


@pytest.mark.parametrize(("check", "level", "remedy", "planted"), PLANTED_IN_THE_FOLDER)
def test_a_fault_in_the_folder_is_named_with_a_remedy(tmp_path, check, level, remedy, planted):
    finding = look(tmp_path / "s", **planted)[check]
    assert finding.level == level
    assert remedy in finding.remedy


def test_leftovers_of_a_moment_ago_are_somebody_at_work(tmp_path):
    found = look(tmp_path / "s", prepare=lambda root: (root / "locks" / "t.now").touch())
    assert found["leftovers"].level == "ok"


def test_links_that_came_are_worth_a_note(tmp_path):
    fs = Disk(links=False)
    founded = charter(fs, str(tmp_path / "s"), True)
    layout = founded.layout(str(tmp_path / "s"))
    found = Diagnosis(FileSystem(), layout, founded, (), Host()).run()
    [finding] = [one for one in found if one.check == "links"]
    assert (finding.level, bool(finding.remedy)) == ("note", True)


def test_a_store_that_can_only_be_read_is_diagnosed_all_the_same(tmp_path):
    class ReadOnly(FileSystem):
        def create(self, path, mode):
            raise OSError(errno.EROFS, "read-only")

    found = look(tmp_path / "s", fs=ReadOnly())
    assert [name for name in found if found[name].level == "error"] == [
        "links",
        "clock",
        "leftovers",
    ]
    assert "read-only" in found["clock"].saw


def test_nothing_stays_behind(tmp_path):
    store = open_store(str(tmp_path / "s"), create=True)
    store.publish("w", [make_record(make_key(1))])
    before = sorted(tmp_path.rglob("*"))
    assert isinstance(store, Diagnosable)
    assert len(store.diagnose()) == len(CHECKS)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_host_answers(tmp_path):
    host = Surroundings()
    assert 0 < host.room(str(tmp_path)).bytes <= host.room(str(tmp_path)).total_bytes
    mask = os.umask(0o027)
    assert host.umask() == 0o027
    os.umask(mask)
    assert host.user() == os.geteuid()
    fake = tmp_path / "sys" / "fs"
    fake.mkdir(parents=True)
    assert not Surroundings(str(tmp_path)).protected_links()
    (fake / "protected_hardlinks").write_text("1\n")
    assert Surroundings(str(tmp_path)).protected_links()
    assert Surroundings(str(tmp_path)).mount("/") is None
    (tmp_path / "mounts").write_text("srv:/x /a\\040b nfs4 rw,soft 0 0\nd / ext4 rw 0 0\n")
    assert Surroundings(str(tmp_path)).mount("/a b/c") == Mount("/a b", "nfs4", ("rw", "soft"))


# -- what needs no store -------------------------------------------------------------
def test_an_old_python_is_named():
    assert python((3, 11, 2)).level == "ok"
    assert python((3, 10, 9)).level == "error"
    assert "3.11" in python((3, 10, 9)).remedy


def test_another_system_is_named():
    assert system("linux").level == "ok"
    assert (system("darwin").level, bool(system("darwin").remedy)) == ("note", True)
    assert system("win32").level == "error"
    assert "WSL2" in system("win32").remedy


def test_packages_of_our_names_by_others_are_named(tmp_path):
    assert names().level == "ok"
    elsewhere = names(tmp_path)
    assert elsewhere.level == "error"
    assert "`backends` is found at" in elsewhere.saw
    (tmp_path / "taskgraph-1.0.dist-info").mkdir()
    assert "taskgraph-1.0.dist-info is installed over ours" in names(tmp_path).saw
    assert "virtual environment" in names(tmp_path).remedy


# -- what any store shows ------------------------------------------------------------
def test_machines_of_one_name_are_named():
    here = Identity(host="node1", boot="b1", pid=1, birth="1")
    assert hosts([info(), info(host="node2", boot="b9")], here).level == "ok"
    assert hosts([info(alive=False, boot="b2")], here).level == "ok", "the host was started anew"
    twins = hosts([info(boot="b2")], here)
    assert (twins.level, bool(twins.remedy)) == ("note", True)
    assert hosts([info(host="n", boot="b2"), info(host="n", boot="b3")], here).level == "note"


def test_a_store_that_offers_no_diagnosis_gets_the_rest():
    report = doctor(MemoryStore)
    assert (report.exit_code, report.store) == (0, "memory:")
    assert [f.check for f in report.findings] == ["python", "system", "names", "store", "workers"]


@pytest.mark.parametrize("error", [StoreUnreachable, StoreFull])
def test_a_store_that_stops_answering_is_a_finding(error):
    class Stops(StoreWrapper):
        def workers(self):
            raise error("the server has gone")

    report = doctor(lambda: Stops(MemoryStore()))
    assert report.exit_code == 1
    assert report.findings[-1][1:3] == ("error", "the server has gone")
    assert report.findings[-1].remedy


@pytest.mark.parametrize(
    ("plant", "saw", "remedy"),
    [
        (lambda root: None, "no store yet", "path"),
        (lambda root: root.touch(), "must be a folder", "another place"),
        (lambda root: (root.mkdir(), (root / "x").touch()), "empty folder", "another place"),
        (
            lambda root: (root.mkdir(), (root / "store.json").write_text('{"format": 99}')),
            "format 99",
            "upgrade",
        ),
    ],
)
def test_a_store_that_cannot_be_opened_is_a_finding_with_status_4(tmp_path, plant, saw, remedy):
    plant(tmp_path / "s")
    report = doctor(lambda: open_store(str(tmp_path / "s")))
    assert report.exit_code == 4
    finding = report.findings[-1]
    assert finding.level == "error"
    assert saw in finding.saw
    assert remedy in finding.remedy


# -- through the front door ----------------------------------------------------------
def test_the_command_prints_a_line_a_check_and_the_remedy_below(tmp_path, capsys):
    url = str(tmp_path / "s")
    store = open_store(url, create=True)
    assert main(["doctor", "--store", url, "--json"]) in (0, 1)  # this disk may be full
    found = json.loads(capsys.readouterr().out)
    assert [one["check"] for one in found["findings"]][5:] == CHECKS
    store.enter(make_identity())
    (tmp_path / "s" / "locks").chmod(0o777)
    assert main(["doctor", "--store", url]) == 1
    lines = capsys.readouterr().out.splitlines()
    [line] = [n for n, text in enumerate(lines) if text.startswith("warning  permissions")]
    assert "locks is 0777" in lines[line]
    assert lines[line + 1].strip().startswith("-> chmod 0700")
    assert lines[-1].endswith("with a warning or an error")


def test_the_command_ends_with_4_where_there_is_no_store(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["doctor", "--store", "nowhere"]) == 4
    assert "no store yet" in capsys.readouterr().out
    assert main(["doctor"]) == 4
    assert "name the jugfile" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
