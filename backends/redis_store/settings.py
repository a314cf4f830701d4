"""The settings of a server that decide what becomes of results: looked at, and judged.

A link flows in; a list of :class:`~taskgraph.store.Finding` (for ``taskgraph doctor``) and
lines of warning (for a worker's start) flow out. Nothing is changed on the server.

A user without the right to ask for the configuration is no trouble: what ``INFO`` tells is
judged, which is all but two things (the schedule of snapshots, when the log is synced).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from backends.redis_store.address import Address
from backends.redis_store.connection import read_info
from backends.redis_store.link import Link
from taskgraph.errors import StoreError
from taskgraph.store import Finding

#: What the store is made for, and the least that it works with (some parts otherwise).
MEANT, LEAST = (7, 0), (6, 2)
#: Part of the memory, or of the connections, above which a server is in danger.
CROWDED = 0.8
#: Seconds between two clocks that are worth a note, and a warning.
CLOCK_NOTE, CLOCK_WARNING = 2.0, 60.0
#: Seconds for a round trip that are worth a note.
SLOW = 0.005
#: Round trips that are measured; the median counts.
TRIPS = 9

OK, NOTE, WARNING, ERROR = "ok", "note", "warning", "error"
_ASKED = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync", "save", "maxclients")
_LOCAL = ("localhost", "127.0.0.1", "::1", "")


class Facts(NamedTuple):
    """What a server says of itself."""

    info: Mapping[str, str]  #: of ``INFO``
    config: Mapping[str, str]  #: of ``CONFIG GET``; empty when we may not ask
    ahead: float = 0.0  #: seconds that its clock is ahead of ours
    trip: float = 0.0  #: seconds of a round trip

    def number(self, name: str) -> int:
        """Return a number of ``INFO``, 0 when it is not told."""
        text = self.info.get(name, "")
        return int(text) if text.isdigit() else 0

    @property
    def version(self) -> tuple[int, ...]:
        """Of the server."""
        words = self.info.get("redis_version", "0").split(".")
        return tuple(int(word) for word in words if word.isdigit())


def diagnose(
    link: Link,
    wall: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Finding]:
    """Make every check, for ``taskgraph doctor``: ``findings = diagnose(link)``."""
    return [*judge(gather(link, wall, clock)), *privacy(link.address)]


def warnings(link: Link) -> list[str]:
    """Return what a person should know before results are put on this server, if anything."""
    return [f"{found.saw}: {found.remedy}" for found in judge(gather(link)) if found.level in _LOUD]


_LOUD = (WARNING, ERROR)


def gather(
    link: Link,
    wall: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.perf_counter,
) -> Facts:
    """Ask the server."""
    info = read_info(link.call("INFO"))
    config = {}
    try:
        # One name a command: several are understood since 7.0 only.
        replies = link.pipeline([("CONFIG", "GET", name) for name in _ASKED])
        pairs = [reply for reply in replies if len(reply) > 1]
        config = {name.decode(): text.decode() for name, text in pairs}
    except StoreError:  # a user that may not, or a service that hides it
        pass
    seconds, micros = map(int, link.call("TIME"))
    ahead = seconds + micros / 1e6 - wall()
    trips = []
    for _ in range(TRIPS):
        began = clock()
        link.call("PING")
        trips.append(clock() - began)
    return Facts(info, config, ahead, sorted(trips)[TRIPS // 2])


# -- each check ----------------------------------------------------------------------------
def judge(facts: Facts) -> Iterator[Finding]:
    """Give the findings about what a server says of itself."""
    for check in (_version, _role, _cluster, _eviction, _memory, _persistence, _disk, _clients):
        yield check(facts)
    yield _clock(facts)
    yield _distance(facts)


def _version(facts: Facts) -> Finding:
    saw = f"server {facts.info.get('redis_version', 'of an unknown version')}"
    if facts.version >= MEANT:
        return Finding("version", OK, saw)
    remedy = "7.0 or newer is what the store is tested with most (Valkey, too)"
    if facts.version >= LEAST:
        return Finding("version", NOTE, saw, remedy)
    return Finding("version", WARNING, f"{saw} is older than 6.2", remedy)


def _role(facts: Facts) -> Finding:
    if facts.info.get("role", "master") == "master":
        return Finding("role", OK, "the server takes writes")
    return Finding("role", ERROR, "the server is a replica", "name its master in the store's URL")


def _cluster(facts: Facts) -> Finding:
    if facts.info.get("cluster_enabled") != "1":
        return Finding("cluster", OK, "one server")
    saw = "a cluster: all of a project is on one of its nodes"
    return Finding("cluster", NOTE, saw, "it makes projects available, not one project faster")


def _eviction(facts: Facts) -> Finding:
    limit = facts.number("maxmemory")
    policy = facts.info.get("maxmemory_policy", "noeviction")
    if not limit or policy == "noeviction":
        return Finding("eviction", OK, f"maxmemory-policy {policy}, nothing is evicted")
    saw = f"the server throws away results when its memory is full (maxmemory-policy {policy})"
    return Finding("eviction", WARNING, saw, "CONFIG SET maxmemory-policy noeviction")


def _memory(facts: Facts) -> Finding:
    used, limit = facts.number("used_memory"), facts.number("maxmemory")
    limit = limit or facts.number("total_system_memory")
    saw = f"{used / 1e6:,.0f} MB used of {limit / 1e6:,.0f} MB"
    if used < CROWDED * limit or not limit:
        return Finding("memory", OK, saw)
    remedy = "raise maxmemory, drop what is not needed (`taskgraph cleanup`), or keep large "
    return Finding(
        "memory", WARNING, f"the server is nearly full ({saw})", remedy + "results in files"
    )


def _persistence(facts: Facts) -> Finding:
    if facts.info.get("aof_enabled") == "1":
        return _syncing(facts.config.get("appendfsync", ""))
    remedy = "CONFIG SET appendonly yes, and the same in redis.conf"
    saves = facts.config.get("save")
    if saves == "" or (saves is None and not facts.number("rdb_saves")):
        saw = "results are in the server's memory only, and gone when it ends"
        return Finding("persistence", WARNING, saw, remedy)
    saw = "the server keeps snapshots only: minutes of results are lost when it is killed"
    return Finding("persistence", WARNING, saw, remedy)


def _syncing(when: str) -> Finding:
    saw = f"every change is logged (appendonly yes, appendfsync {when or 'unknown'})"
    if when == "always":
        return Finding("persistence", OK, saw)
    remedy = "`CONFIG SET appendfsync always` keeps that second, too, at the price of speed"
    if when == "no":
        saw += "; power loss takes half a minute of results"
        return Finding("persistence", WARNING, saw, "CONFIG SET appendfsync everysec")
    return Finding("persistence", NOTE, f"{saw}; power loss takes the last second", remedy)


def _disk(facts: Facts) -> Finding:
    failed = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if facts.info.get(name, "ok") != "ok"
    ]
    if not failed:
        return Finding("disk", OK, "the server's last writes to its disk were good")
    saw = f"the server can't write to its disk ({', '.join(failed)})"
    return Finding("disk", ERROR, saw, "see its log and free some space; it may refuse writes")


def _clients(facts: Facts) -> Finding:
    limit = facts.number("maxclients") or int(facts.config.get("maxclients", 0))
    have = facts.number("connected_clients")
    saw = f"{have:,} of {limit:,} connections" if limit else f"{have:,} connections"
    if not limit or have < CROWDED * limit:
        return Finding("clients", OK, saw)
    saw = f"the server's connections are nearly used up ({saw}); each worker needs one"
    return Finding("clients", WARNING, saw, f"CONFIG SET maxclients {2 * limit}")


def _clock(facts: Facts) -> Finding:
    off = abs(facts.ahead)
    saw = f"the server's clock is {off:.1f} s {'ahead of' if facts.ahead > 0 else 'behind'} ours"
    if off < CLOCK_NOTE:
        return Finding("clock", OK, saw)
    remedy = "nothing depends on it (leases go by the server's alone) but times shown: use NTP"
    return Finding("clock", WARNING if off > CLOCK_WARNING else NOTE, saw, remedy)


def _distance(facts: Facts) -> Finding:
    saw = f"a round trip takes {facts.trip * 1e3:.2f} ms"
    if facts.trip < SLOW:
        return Finding("distance", OK, saw)
    return Finding("distance", NOTE, saw, "short tasks go faster with the server nearby")


def privacy(address: Address) -> Iterator[Finding]:
    """Give the findings about how the server is reached."""
    if address.tls and address.cert_reqs == "none":
        saw = "whoever answers is believed to be the server (cert_reqs=none)"
        yield Finding("privacy", WARNING, saw, "name its authority: ca_certs=FILE")
    elif address.tls or address.path or address.host in _LOCAL:
        yield Finding("privacy", OK, "nobody in between can listen")
    else:
        saw = "results (and the password) cross the network readable, and can be changed there"
        yield Finding("privacy", NOTE, saw, "use rediss://, or a network of your own")
    if address.password_from == "url":
        saw = "the password stands in the store's URL, which shells and lists of processes show"
        yield Finding("password", NOTE, saw, "put it into REDIS_PASSWORD or password_file=FILE")
