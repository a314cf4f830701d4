"""The link to servers that are full, crowded, guarded, encrypted, or in a cluster."""

from __future__ import annotations

import subprocess

import pytest

from backends.redis_store import connection
from backends.redis_store.address import parse
from backends.redis_store.connection import Run
from backends.redis_store.link import Link
from taskgraph.errors import StoreError, StoreFull, StoreUnreachable
from taskgraph.testing.forks import Forked
from taskgraph.testing.programs import wait_until
from taskgraph.testing.redis_server import RedisServer, free_port, need_server, server_version

pytestmark = pytest.mark.redis

SCRIPTS = {
    "echo": "return {KEYS[1], ARGV[1]}",
    "set": "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], ARGV[1])",
}


@pytest.fixture
def made():
    """Makes links, and closes them."""
    links = []

    def make(url, environ=None, **options):
        links.append(Link(parse(url, environ or {}), SCRIPTS, **options))
        return links[-1]

    yield make
    for link in links:
        link.close()


@pytest.fixture
def server():
    """A server of the test's own, over a unix socket."""
    need_server()
    with RedisServer() as server:
        yield server


# -- troubles ----------------------------------------------------------------------------------
def test_a_full_memory_is_a_passing_trouble_that_frees_may_go_through(made, server):
    link = made(server.url("p"))
    link.call("SET", "k", bytes(1 << 20))
    server.call("CONFIG", "SET", "maxmemory", "1mb")
    with pytest.raises(StoreFull, match="raise its maxmemory"):
        link.call("SET", "k2", bytes(1 << 20))
    if server_version() >= (7,):
        assert link.script("set", ["small"], ["x"]) == b"OK"
    assert link.call("DEL", "k") == 1
    server.call("CONFIG", "SET", "maxmemory", "0")
    assert link.call("SET", "k2", bytes(1 << 20)) == b"OK"
    assert link.connections == 1


def test_a_disk_that_cant_be_written_is_a_full_store(made):
    need_server()
    with RedisServer(save="3600 100000", dbfilename="snapshot") as server:
        link = made(server.url("p"))
        link.call("SET", "k", "v")
        (server.folder / "snapshot").mkdir()  # in the place of the file
        server.call("BGSAVE")
        wait_until(
            lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err", "a failure"
        )
        with pytest.raises(StoreFull, match="can't write to its disk"):
            link.call("SET", "k", "v")
        (server.folder / "snapshot").rmdir()
        server.call("BGSAVE")
        wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "ok", "a save")
        assert link.call("SET", "k", "v") == b"OK"


def test_a_crowded_server_is_a_passing_trouble(made, server):
    first, second = made(server.url("p")), made(server.url("p"))
    first.call("PING")
    server.call("CONFIG", "SET", "maxclients", "1")
    with pytest.raises(StoreUnreachable, match="raise its maxclients"):
        second.call("PING")
    first.close()

    def gets_in():
        try:
            return second.call("PING")
        except StoreUnreachable:  # the server has not noticed yet
            return None

    wait_until(gets_in, "a free connection")


def test_a_replica_takes_no_writes_and_is_asked_again(made, server):
    link = made(server.url("p"))
    server.call("REPLICAOF", "127.0.0.1", str(free_port()))
    with pytest.raises(StoreUnreachable, match="only a replica"):
        link.call("SET", "k", "v")
    server.call("REPLICAOF", "NO", "ONE")
    assert link.call("SET", "k", "v") == b"OK"
    assert link.connections == 2


def test_a_password_is_wanted_given_and_wrong(made):
    need_server()
    with RedisServer(requirepass="sesame") as server:
        url = server.url("p")
        assert made(url, {"REDIS_PASSWORD": "sesame"}).call("PING") == b"PONG"
        with_password = url.replace("unix://", "unix://:sesame@")
        assert made(with_password).call("PING") == b"PONG"
        with pytest.raises(StoreError, match="REDIS_PASSWORD") as caught:
            made(url).call("PING")
        assert not isinstance(caught.value, StoreUnreachable | StoreFull)
        with pytest.raises(StoreError, match="does not know this user") as caught:
            made(url, {"REDIS_PASSWORD": "wr0ng"}).call("PING")
        assert not isinstance(caught.value, StoreUnreachable | StoreFull)
        assert "wr0ng" not in str(caught.value)


def test_a_password_in_the_environment_may_be_meant_for_another_server(made, server):
    assert made(server.url("p"), {"REDIS_PASSWORD": "x"}).call("PING") == b"PONG"
    with pytest.raises(StoreError):
        made(server.url("p").replace("unix://", "unix://:x@")).call("PING")


def test_a_user_with_few_rights_is_told_what_it_lacks(made, server):
    rights = ("on", ">pw", "~taskgraph:{p}:*", "+@all", "-@admin", "-@dangerous", "+info")
    server.call("ACL", "SETUSER", "worker", *rights)
    link = made(server.url("p").replace("unix://", "unix://worker:pw@"))
    assert link.script("set", ["taskgraph:{p}:k"], ["v"]) == b"OK"
    with pytest.raises(StoreError, match=r"may not do this: give it `~taskgraph:\{p\}:"):
        link.call("SET", "elsewhere", "v")
    assert link.call("GET", "taskgraph:{p}:k") == b"v"
    server.call("ACL", "SETUSER", "worker", "-info")
    with pytest.raises(StoreError, match="NOPERM"):
        made(server.url("p").replace("unix://", "unix://worker:pw@")).call("PING")


def test_a_database_that_is_not_there_is_named(made, server):
    assert made(server.url("p") + "&db=3").call("PING") == b"PONG"
    with pytest.raises(StoreError, match="16 databases"):
        made(server.url("p") + "&db=99").call("PING")


# -- TLS, cluster -------------------------------------------------------------------------------
@pytest.fixture
def certificate(tmp_path):
    """A certificate made by itself, for localhost."""
    need_server((7, 0))  # the one from the wheel is built without TLS
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    return key, cert


def test_tls_is_spoken_and_the_certificate_verified(made, certificate):
    key, cert = certificate
    port = free_port()
    options = {"tls_port": str(port), "tls_cert_file": str(cert), "tls_key_file": str(key)}
    with RedisServer(**options, tls_ca_cert_file=str(cert), tls_auth_clients="no") as server:
        url = f"rediss://localhost:{port}/0?project=p"
        link = made(f"{url}&ca_certs={cert}")
        assert link.call("SET", "k", bytes(1 << 20)) == b"OK"
        assert link.call("GET", "k") == bytes(1 << 20)
        assert made(f"{url}&cert_reqs=none").call("PING") == b"PONG"
        with pytest.raises(StoreError, match="is not trusted here") as caught:
            made(url).call("PING")
        assert not isinstance(caught.value, StoreUnreachable)
        with pytest.raises(StoreError, match="is not trusted here"):
            made(f"rediss://127.0.0.1:{port}/0?project=p&ca_certs={cert}").call("PING")
        loose = f"rediss://127.0.0.1:{port}/0?project=p&ca_certs={cert}&check_hostname=no"
        assert made(loose).call("PING") == b"PONG"
        child = Forked(lambda: link.call("ECHO", "child").decode())
        assert child.finish() == "child"
        assert link.call("ECHO", "parent") == b"parent"
        server.restart()
        assert link.call("PING") == b"PONG"


def test_a_client_certificate_is_shown(made, certificate):
    key, cert = certificate
    port = free_port()
    options = {"tls_port": str(port), "tls_cert_file": str(cert), "tls_key_file": str(key)}
    with RedisServer(**options, tls_ca_cert_file=str(cert)):
        url = f"rediss://localhost:{port}/0?project=p&ca_certs={cert}"
        assert made(f"{url}&certfile={cert}&keyfile={key}").call("PING") == b"PONG"
        with pytest.raises(StoreUnreachable):
            made(url).call("PING")


def test_tls_to_a_server_without_it_is_named(made, monkeypatch):
    need_server()
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.3)
    with RedisServer(tcp=True) as server:
        url = server.url("p", tcp=True).replace("redis://", "rediss://")
        with pytest.raises(StoreUnreachable, match="is it rediss:// at all"):
            made(url).call("PING")


def test_a_cluster_of_one_node_serves_a_project(made):
    need_server()
    with RedisServer(tcp=True, cluster_enabled="yes") as server:
        link = made(server.url("p", tcp=True))
        with pytest.raises(StoreUnreachable, match="cluster that is down"):
            link.call("SET", "taskgraph:{p}:k", "v")
        server.call("CLUSTER", "ADDSLOTS", *map(str, range(16384)))
        while server.call("CLUSTER", "INFO").split()[0] != b"cluster_state:ok":
            pass
        replies = link.pipeline(
            [("SET", "taskgraph:{p}:k", "v"), Run("echo", ["taskgraph:{p}:k"], ["x"])]
        )
        assert replies == [b"OK", [b"taskgraph:{p}:k", b"x"]]
        with pytest.raises(StoreError, match="a cluster has one"):
            made(server.url("p", tcp=True).replace("/0?", "/1?")).call("PING")


def test_a_cluster_of_two_nodes_is_followed_to_the_one_that_has_the_project(made):
    need_server((7, 0))
    with (
        RedisServer(tcp=True, cluster_enabled="yes") as one,
        RedisServer(tcp=True, cluster_enabled="yes") as two,
    ):
        slot = int(one.call("CLUSTER", "KEYSLOT", "taskgraph:{p}:k"))
        rest = ["0", str(slot - 1), str(slot + 1), "16383"]
        one.call("CLUSTER", "ADDSLOTSRANGE", *rest)
        two.call("CLUSTER", "ADDSLOTS", str(slot))
        one.call("CLUSTER", "MEET", "127.0.0.1", str(two.port))
        while any(
            node.call("CLUSTER", "INFO").split()[0] != b"cluster_state:ok"
            or b"\r\ncluster_size:2" not in node.call("CLUSTER", "INFO")
            for node in (one, two)
        ):
            pass
        greeted = []
        link = made(one.url("p", tcp=True), hello=lambda c: greeted.append(c.run_id))
        assert link.pipeline([("SET", "taskgraph:{p}:k", "v"), ("PING",)]) == [b"OK", b"PONG"]
        assert two.call("GET", "taskgraph:{p}:k") == b"v"
        assert greeted == [one.info()["run_id"], two.info()["run_id"]]
