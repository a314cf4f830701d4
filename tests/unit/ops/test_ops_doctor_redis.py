"""``doctor`` over a real server: one fault planted for each check of the Redis store."""

from __future__ import annotations

import json
import socket
from contextlib import ExitStack
from time import monotonic

import pytest

from backends.redis_store import settings
from taskgraph.cli import main
from taskgraph.ops import doctor
from taskgraph.registry import open_store
from taskgraph.testing.redis_server import PATIENCE, RedisServer, need_server

pytestmark = pytest.mark.redis

GOOD = {"appendonly": "yes", "appendfsync": "always"}


@pytest.fixture(autouse=True)
def server_is_there():
    need_server()


def found(url):
    """Return what the doctor finds, by check, and its exit status."""
    report = doctor(lambda: open_store(url))
    return {finding.check: finding for finding in report.findings}, report.exit_code


def test_a_sound_server_gets_nothing_but_ok():
    with RedisServer(**GOOD) as server:
        open_store(server.url("p"), create=True).close()
        findings, status = found(server.url("p"))
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert status == 0
    assert {"version", "role", "cluster", "eviction", "memory", "persistence", "disk"} < set(
        findings
    )
    assert {"clients", "clock", "distance", "privacy"} < set(findings)


def until(met):
    end = monotonic() + PATIENCE
    while not met():
        assert monotonic() < end


def configured(**settings_):
    """Return what sets a running server so."""

    def plant(server, held):
        for name, value in settings_.items():
            server.call("CONFIG", "SET", name.replace("_", "-"), value)

    return plant


def replica(server, held):
    server.call("REPLICAOF", "127.0.0.1", "1")


def no_room_for_a_snapshot(server, held):
    (server.folder / "dump.rdb").mkdir()
    server.call("BGSAVE")
    until(lambda: server.info("persistence")["rdb_last_bgsave_status"] != "ok")


def crowd(server, held):
    server.call("CONFIG", "SET", "maxclients", "10")
    for _ in range(8):
        line = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        line.connect(str(server.socket))
    until(lambda: int(server.info("clients")["connected_clients"]) >= 8)


FAULTS = {
    "evicts": (
        configured(maxmemory="1gb", maxmemory_policy="allkeys-lru"), "eviction", "warning", 1,
    ),
    "nearly full": (configured(maxmemory="1200000"), "memory", "warning", 1),
    "memory only": (configured(appendonly="no", save=""), "persistence", "warning", 1),
    "snapshots only": (configured(appendonly="no", save="60 1"), "persistence", "warning", 1),
    "syncs once a second": (configured(appendfsync="everysec"), "persistence", "note", 0),
    "never syncs": (configured(appendfsync="no"), "persistence", "warning", 1),
    "replica": (replica, "role", "error", 1),
    "its disk": (no_room_for_a_snapshot, "disk", "error", 1),
    "crowded": (crowd, "clients", "warning", 1),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_the_server_is_named_with_a_remedy(fault, capfd):
    plant, check, level, status = FAULTS[fault]
    with RedisServer(**GOOD) as server, ExitStack() as held:
        open_store(server.url("p"), create=True).close()
        plant(server, held)
        findings, got = found(server.url("p"))
    assert findings[check].level == level
    assert findings[check].saw
    assert findings[check].remedy
    assert got == status


def test_a_cluster_is_named():
    need_server((7, 0))  # for ADDSLOTSRANGE
    with RedisServer(**GOOD, cluster_enabled="yes", tcp=True) as server:
        server.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        until(lambda: b"cluster_state:ok" in server.call("CLUSTER", "INFO"))
        url = server.url("p", tcp=True)
        open_store(url, create=True).close()
        findings, status = found(url)
    assert (findings["cluster"].level, bool(findings["cluster"].remedy)) == ("note", True)
    assert status == 0


TOLD = {
    "version": ({"info": {"redis_version": "5.0.1"}}, "warning"),
    "clock": ({"ahead": 100.0}, "warning"),
    "distance": ({"trip": 0.5}, "note"),
}


@pytest.mark.parametrize("check", TOLD)
def test_what_no_server_here_can_show_is_told_to_the_doctor(check, monkeypatch):
    """An old server, a clock that is off and a far one are played by changed facts."""
    changes, level = TOLD[check]
    real = settings.gather

    def gather(*args):
        facts = real(*args)
        more = {"info": {**facts.info, **changes["info"]}} if "info" in changes else changes
        return facts._replace(**more)

    with RedisServer(**GOOD) as server:
        open_store(server.url("p"), create=True).close()
        monkeypatch.setattr(settings, "gather", gather)
        findings, _ = found(server.url("p"))
    assert (findings[check].level, bool(findings[check].remedy)) == (level, True)


def test_a_network_that_others_may_listen_to_is_named():
    with RedisServer(**GOOD, tcp=True, bind="127.0.0.1 127.0.0.2") as server:
        url = server.url("p", tcp=True).replace("127.0.0.1", "127.0.0.2")
        open_store(url, create=True).close()
        findings, status = found(url)
    assert (findings["privacy"].level, bool(findings["privacy"].remedy)) == ("note", True)
    assert status == 0


def test_a_password_in_the_url_is_named_and_never_shown(capsys):
    with RedisServer(**GOOD, tcp=True, requirepass="hush-hush") as server:
        url = server.url("p", tcp=True).replace("redis://", "redis://:hush-hush@")
        open_store(url, create=True).close()
        assert main(["doctor", "--store", url, "--json"]) == 0
        told = capsys.readouterr()
        assert "hush-hush" not in told.out + told.err
        levels = {one["check"]: one["level"] for one in json.loads(told.out)["findings"]}
        assert levels["password"] == "note"
        wrong = url.replace("hush-hush", "something-else")
        assert main(["doctor", "--store", wrong]) == 4
        told = capsys.readouterr()
        assert "something-else" not in told.out + told.err
        assert "->" in told.out


def test_no_server_and_no_project_are_findings_with_status_4():
    with RedisServer(**GOOD) as server:
        findings, status = found(server.url("nothing-there"))
        assert (status, findings["store"].level) == (4, "error")
        url = server.url("p")
    findings, status = found(url)
    assert (status, findings["store"].level, bool(findings["store"].remedy)) == (4, "error", True)
    assert found("redis://localhost/0")[1] == 4  # no project is named
