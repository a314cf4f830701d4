"""A graph is computed, invalidated, packed and checked over every way to a server."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager

import pytest

from taskgraph.ops import open_session
from taskgraph.ops.execute import execute
from taskgraph.ops.invalidate import invalidate
from taskgraph.testing.programs import wait_until
from taskgraph.testing.redis_server import RedisServer, free_port, need_server

pytestmark = pytest.mark.redis
JUGFILE = """
from taskgraph import TaskGenerator
@TaskGenerator
def number(i): return i
@TaskGenerator
def large(i):
    import numpy as np
    return np.arange(200000) * i
@TaskGenerator
def total(xs): return int(sum(x.sum() for x in xs))
result = total([large(number(i)) for i in range(4)])
"""


@contextmanager
def over_tcp(folder):
    with RedisServer(tcp=True) as server:
        yield server.url("p", tcp=True)


@contextmanager
def in_another_database(folder):
    with RedisServer() as server:
        yield server.url("p") + "&db=3"


@contextmanager
def with_few_rights(folder):
    """Those that the documents ask for; the configuration may not be looked at."""
    with RedisServer() as server:
        rights = ("on", ">pw", "~taskgraph:{p}:*", "+@all", "-@admin", "-@dangerous", "+info")
        server.call("ACL", "SETUSER", "worker", *rights)
        yield server.url("p").replace("unix://", "unix://worker:pw@")


@contextmanager
def in_a_cluster(folder):
    with RedisServer(tcp=True, cluster_enabled="yes") as server:
        server.call("CLUSTER", "ADDSLOTS", *map(str, range(16384)))
        wait_until(
            lambda: server.call("CLUSTER", "INFO").startswith(b"cluster_state:ok"), "a cluster"
        )
        yield server.url("p", tcp=True)


@contextmanager
def over_tls(folder):
    need_server((7, 0))  # the one from the wheel is built without TLS
    key, cert, port = folder / "key.pem", folder / "cert.pem", free_port()
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    options = {"tls_port": str(port), "tls_cert_file": str(cert), "tls_key_file": str(key)}
    with RedisServer(**options, tls_ca_cert_file=str(cert), tls_auth_clients="no"):
        yield f"rediss://localhost:{port}/0?project=p&ca_certs={cert}"


@contextmanager
def with_a_folder(folder):
    with RedisServer() as server:
        yield server.url("p").replace("unix:", "unix+file:") + f"&files={folder}/files"


@contextmanager
def over_tls_with_a_folder(folder):
    with over_tls(folder) as url:
        yield url.replace("rediss:", "rediss+file:") + f"&files={folder}/files"


WAYS = [
    over_tcp, in_another_database, with_few_rights, in_a_cluster, over_tls, with_a_folder,
    over_tls_with_a_folder,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_graph_is_computed_over(way, tmp_path):
    need_server()
    path = tmp_path / "job.py"
    path.write_text(JUGFILE)
    with way(tmp_path) as url:
        outcome = execute(path, url, jobs=2)
        assert (outcome.exit_code, outcome.executed) == (0, 9)
        session = open_session(path, url)
        assert session.value(session.module.result) == 6 * sum(range(200000))
        session.writes = True
        names = [task.name for task in session.graph.tasks]
        invalidate(session, [node for node, name in enumerate(names) if "large" in name])
        session.store.close()
        assert execute(path, url, jobs=2).executed == 5
        session = open_session(path, url)
        assert session.value(session.module.result) == 6 * sum(range(200000))
        assert session.store.pack().results == 9
        assert session.store.check() == []
        session.store.close()
