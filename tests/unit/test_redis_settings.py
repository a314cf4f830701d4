"""What a server's settings mean for results: each danger is planted once, and named."""

from __future__ import annotations

import pytest

from backends.redis_store.address import parse
from backends.redis_store.link import Link
from backends.redis_store.settings import Facts, diagnose, gather, judge, privacy, warnings
from taskgraph.testing.redis_server import RedisServer, need_server

INFO = {
    "redis_version": "7.2.4",
    "role": "master",
    "cluster_enabled": "0",
    "maxmemory": "0",
    "maxmemory_policy": "noeviction",
    "used_memory": "1000000",
    "total_system_memory": "16000000000",
    "aof_enabled": "1",
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
    "connected_clients": "3",
    "maxclients": "10000",
}
CONFIG = {"appendfsync": "always", "save": "", "maxclients": "10000"}
GOOD = Facts(INFO, CONFIG, ahead=0.1, trip=0.0002)


def with_info(**changes):
    """Return good facts but for some words of INFO."""
    return GOOD._replace(info={**INFO, **changes})


def test_a_server_that_is_set_up_well_has_no_findings():
    assert {found.level for found in judge(GOOD)} == {"ok"}
    assert all(found.saw and not found.remedy for found in judge(GOOD))


FAULTS = {
    "an old server": (with_info(redis_version="5.0.14"), "version", "warning"),
    "6.2": (with_info(redis_version="6.2.14"), "version", "note"),
    "a replica": (with_info(role="slave"), "role", "error"),
    "a cluster": (with_info(cluster_enabled="1"), "cluster", "note"),
    "eviction": (
        with_info(maxmemory="4000000000", maxmemory_policy="allkeys-lru"), "eviction", "warning",
    ),
    "eviction of what expires": (
        with_info(maxmemory="4000000000", maxmemory_policy="volatile-ttl"), "eviction", "warning",
    ),
    "nearly full": (with_info(maxmemory="1100000"), "memory", "warning"),
    "nearly all of the machine": (with_info(used_memory="15000000000"), "memory", "warning"),
    "memory only": (with_info(aof_enabled="0"), "persistence", "warning"),
    "memory only, as far as told": (
        with_info(aof_enabled="0")._replace(config={}), "persistence", "warning",
    ),
    "snapshots only": (
        with_info(aof_enabled="0")._replace(config={"save": "3600 1"}), "persistence", "warning",
    ),
    "the last second": (
        GOOD._replace(config={**CONFIG, "appendfsync": "everysec"}), "persistence", "note",
    ),
    "no syncing": (GOOD._replace(config={**CONFIG, "appendfsync": "no"}), "persistence", "warning"),
    "a full disk": (with_info(aof_last_write_status="err"), "disk", "error"),
    "no snapshots": (with_info(rdb_last_bgsave_status="err"), "disk", "error"),
    "crowded": (with_info(connected_clients="9000"), "clients", "warning"),
    "a clock ahead": (GOOD._replace(ahead=5.0), "clock", "note"),
    "a clock far behind": (GOOD._replace(ahead=-120.0), "clock", "warning"),
    "far away": (GOOD._replace(trip=0.02), "distance", "note"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_alone_and_has_a_remedy(fault):
    facts, check, level = FAULTS[fault]
    found = [one for one in judge(facts) if one.level != "ok"]
    assert [(one.check, one.level) for one in found] == [(check, level)]
    assert found[0].remedy


WAYS = {
    "redis://far.example/0?project=p": [("privacy", "note")],
    "redis://:pw@far.example/0?project=p": [("privacy", "note"), ("password", "note")],
    "rediss://far.example/0?project=p": [("privacy", "ok")],
    "rediss://far.example/0?project=p&cert_reqs=none": [("privacy", "warning")],
    "redis://localhost/0?project=p": [("privacy", "ok")],
    "unix:///run/redis.sock?project=p": [("privacy", "ok")],
}


@pytest.mark.parametrize("url", WAYS)
def test_how_the_server_is_reached_is_judged(url):
    found = list(privacy(parse(url, {})))
    assert [(one.check, one.level) for one in found] == WAYS[url]
    assert "pw" not in str(found)


@pytest.mark.redis
def test_a_real_server_is_asked():
    """Warned of what is lost, and no more once that is put right."""
    need_server()
    with RedisServer(appendonly="no") as server:
        link = Link(parse(server.url("p"), {}))
        assert [line.split(":")[0] for line in warnings(link)] == [
            "results are in the server's memory only, and gone when it ends"
        ]
        server.call("CONFIG", "SET", "appendonly", "yes")
        assert warnings(link) == []
        server.call("CONFIG", "SET", "maxmemory", "1gb")
        server.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        assert len(warnings(link)) == 1
        levels = {found.check: found.level for found in diagnose(link, wall=lambda: 0.0)}
        assert (levels["eviction"], levels["clock"]) == ("warning", "warning")
        assert link.connections == 1
        link.close()


@pytest.mark.redis
def test_a_user_who_may_not_ask_for_the_configuration_is_told_what_info_says():
    need_server()
    with RedisServer(appendonly="no") as server:
        rights = ("on", ">pw", "~taskgraph:{p}:*", "+@all", "-@admin", "-@dangerous", "+info")
        server.call("ACL", "SETUSER", "worker", *rights)
        link = Link(parse(server.url("p").replace("unix://", "unix://worker:pw@"), {}))
        facts = gather(link)
        assert facts.config == {}
        assert "memory only" in warnings(link)[0]
        assert {found.level for found in diagnose(link)} == {"ok", "note", "warning"}
        link.close()
