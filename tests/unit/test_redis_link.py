"""The link to a server, on real ones that are restarted, stopped, crowded and full."""

from __future__ import annotations

import os
import signal
import socket
import threading

import pytest

from backends.redis_store.address import parse
from backends.redis_store.connection import Run
from backends.redis_store.link import Link
from backends.redis_store.wire import LARGE, pack
from taskgraph.errors import StoreError, StoreUnreachable
from taskgraph.testing.forks import Forked
from taskgraph.testing.redis_server import (
    RedisServer,
    need_server,
    server_version,
    shared_server,
)

pytestmark = pytest.mark.redis

SCRIPTS = {
    "echo": "return {KEYS[1], ARGV[1]}",
    "set": "#!lua flags=allow-oom\nreturn redis.call('SET', KEYS[1], ARGV[1])",
    "broken": "return redis.call('GET', KEYS[1]) + 1",
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


@pytest.fixture
def link(made, tmp_path):
    """A link to the server that tests share."""
    need_server()
    return made(shared_server().url(tmp_path.name[:40]))


# -- what is sent ------------------------------------------------------------------------------
def test_replies_are_what_the_server_said(link):
    key = "taskgraph:{x}:replies"
    assert link.call("DEL", key) in (0, 1)
    assert link.call(b"SET", key, 17) == b"OK"
    assert link.call("INCR", key) == 18
    assert link.call("GET", key) == b"18"
    assert link.call("GET", key + "none") is None
    assert link.call("MGET", key, key + "none") == [b"18", None]
    assert link.call("SET", key, b"") == b"OK"
    assert link.call("GET", key) == b""
    assert link.pipeline([]) == []


@pytest.mark.parametrize("size", [1, LARGE - 1, LARGE, LARGE + 1, (20 << 20) + 3])
def test_large_values_go_and_come_whole(link, size):
    """In one piece, in several, from any buffer; a large reply is a bytearray of its own."""
    key, value = "taskgraph:{x}:large", os.urandom(size)
    numbers = memoryview(value[: size // 8 * 8]).cast("d")
    for sent, expected in (
        (value, value),
        (bytearray(value), value),
        ([memoryview(value)[: size // 3], value[size // 3 :]], value),
        (numbers, value[: size // 8 * 8]),
    ):
        assert link.call("SET", key, sent) == b"OK"
        got = link.call("GET", key)
        assert got == expected
        assert isinstance(got, bytearray) == (len(expected) >= LARGE)
    link.call("DEL", key)


def test_a_large_argument_is_not_copied():
    value = memoryview(bytes(LARGE))
    pieces = pack([("SET", "k", value), ("SET", "j", [b"a", value, b"b"])])
    assert sum(isinstance(piece, memoryview) for piece in pieces) == 2
    assert b"".join(pieces).count(b"\r\n") == 14


def test_a_long_pipeline_is_answered_in_order(link):
    key = "taskgraph:{x}:pipe"
    commands = [("SET", key, b"%d" % i + bytes(1 << 20)) for i in range(20)]
    commands = [x for command in commands for x in (command, ("GETRANGE", key, 0, 1))]
    replies = link.pipeline([*commands, ("DEL", key)])
    assert [int(reply.strip(b"\0")) for reply in replies[1::2]] == list(range(20))


def test_scripts_come_back_after_the_server_has_forgotten_them(made, server):
    link = made(server.url("p"))
    assert link.script("echo", ["k"], [5]) == [b"k", b"5"]
    server.call("SCRIPT", "FLUSH")
    replies = link.pipeline([("PING",), Run("echo", ["k"], ["x"]), Run("set", ["k"], ["y"])])
    assert replies == [b"PONG", [b"k", b"x"], b"OK"]
    assert link.connections == 1


def test_an_error_among_replies_is_raised_when_all_have_come(link):
    """The next call must not read what is left of them."""
    with pytest.raises(StoreError, match="refuses a command of ours: ERR unknown command"):
        link.pipeline([("PING",), ("NOSUCH",), ("ECHO", "late")])
    with pytest.raises(StoreError):
        link.script("broken", ["taskgraph:{x}:none"])
    assert link.call("ECHO", "now") == b"now"
    assert link.connections == 1


# -- connections -------------------------------------------------------------------------------
def test_the_first_thing_on_every_connection_is_hello(made, server):
    """With the run id of the server, so that no reconnect hides a restart."""
    greeted = []

    def hello(connection):
        greeted.append((connection.run_id, connection.call("ECHO", "hi")))

    link = made(server.url("cells"), hello=hello)
    link.call("PING")
    before = server.info()["run_id"]
    assert b"name=taskgraph:cells:%d " % os.getpid() in server.call("CLIENT", "LIST")
    server.restart()
    link.call("PING")
    assert greeted == [(before, b"hi"), (server.info()["run_id"], b"hi")]
    assert link.connection().version == server_version()


def test_what_hello_raises_ends_the_call_and_the_connection(made, server):
    def hello(connection):
        raise StoreError("not ours")

    link = made(server.url("p"), hello=hello)
    for _ in range(2):
        with pytest.raises(StoreError, match="not ours"):
            link.call("PING")
    link.hello = None
    assert link.call("PING") == b"PONG"
    assert server.info("clients")["connected_clients"] == "2"  # ours, and the one that asks


@pytest.mark.parametrize("tcp", [False, True])
def test_a_restarted_server_is_found_again(made, tcp):
    """Killed and started: the call that meets it is repeated. Away: a passing trouble."""
    need_server()
    with RedisServer(tcp=True, appendonly="yes", appendfsync="always") as server:
        link = made(server.url("p", tcp=tcp))
        assert link.call("SET", "k", "v") == b"OK"
        server.restart()
        assert link.call("GET", "k") == b"v"
        server.kill()
        for _ in range(2):
            with pytest.raises(StoreUnreachable, match=r"can't be reached \(.*see that it runs"):
                link.call("PING")
        server.start()
        assert link.call("GET", "k") == b"v"


def test_a_killed_client_comes_back(made, server):
    link = made(server.url("p"))
    number = link.call("CLIENT", "ID")
    assert server.call("CLIENT", "KILL", "ID", str(number)) == 1
    assert link.call("CLIENT", "ID") != number


def test_a_stopped_server_is_waited_for(made, server):
    """And one that is stopped for too long is a passing trouble; no late reply is misread."""
    link = made(server.url("p"))
    link.call("PING")
    server.pause()
    waker = threading.Timer(0.3, server.resume)
    waker.start()
    assert link.call("ECHO", "waited") == b"waited"
    waker.join()
    server.pause()
    with pytest.raises(StoreUnreachable, match="does not answer"):
        link.call("ECHO", "lost", timeout=0.1)
    with link.hurried(0.1), pytest.raises(StoreUnreachable, match="does not answer"):
        link.call("ECHO", "lost")  # nor are the first words of a new connection waited for
    server.resume()
    assert link.call("ECHO", "next") == b"next"


def test_a_server_that_hangs_up_in_mid_reply_is_tried_again_twice():
    """Planted: it sends half a reply and closes, on every connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        served = []

        def serve():
            for _ in range(3):
                line, _ = door.accept()
                with line:
                    line.recv(1 << 16)
                    line.sendall(b"+OK\r\n$22\r\nredis_version:7.0.15\r\n\r\n")
                    line.recv(1 << 16)
                    line.sendall(b"$100\r\nhalf")
                served.append(1)

        thread = threading.Thread(target=serve)
        thread.start()
        link = Link(parse(f"redis://127.0.0.1:{door.getsockname()[1]}?project=p", {}))
        link.connection()
        with pytest.raises(StoreUnreachable, match="within a reply"):
            link.call("GET", "k")
        thread.join()
        assert (len(served), link.connections) == (3, 3)


def test_something_else_that_answers_is_named():
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.bind(("127.0.0.1", 0))
        door.listen()
        link = Link(parse(f"redis://127.0.0.1:{door.getsockname()[1]}?project=p", {}))

        def serve():
            line, _ = door.accept()
            with line:
                line.recv(1 << 16)
                line.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(StoreUnreachable, match="does not speak this protocol: b'HTTP"):
            link.call("PING")
        thread.join()


def test_ctrl_c_in_mid_reply_leaves_no_reply_behind(made, server):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    try:
        interrupt_a_call(made(server.url("p")))
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt_a_call(link):
    link.call("PING")
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        link.call("BLPOP", "nothing", 5)
    timer.join()
    assert link.call("ECHO", "next") == b"next"


def test_a_forked_child_has_a_connection_of_its_own(link):
    """The parent's goes on, though another of its threads was in a call at the fork."""
    mine = link.call("CLIENT", "ID")
    blocked = threading.Thread(target=link.call, args=("BLPOP", "taskgraph:{x}:none", "0.5"))
    blocked.start()
    child = Forked(lambda: [link.call("CLIENT", "ID"), link.connections])
    number, connections = child.finish()
    blocked.join()
    assert (number != mine, connections) == (True, 1)
    assert link.call("CLIENT", "ID") == mine


def test_threads_take_turns(link):
    wrong = []

    def ask(word):
        wrong.extend(word for _ in range(200) if link.call("ECHO", word) != word)

    threads = [threading.Thread(target=ask, args=(b"%d" % i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
