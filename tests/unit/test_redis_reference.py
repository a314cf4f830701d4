"""The protocol as redis-py speaks it: the same bytes out, the same replies in.

The store speaks the protocol itself (docs/decisions/0014), so a well-kept client is the
reference here, on the same server.
"""

from __future__ import annotations

import pytest

from backends.redis_store.address import parse
from backends.redis_store.connection import Connection
from backends.redis_store.wire import LARGE, ReplyError, pack
from taskgraph.testing.redis_server import RedisServer, need_server

redis = pytest.importorskip("redis")
pytestmark = pytest.mark.redis

COMMANDS = [
    ("PING",),
    ("ECHO", ""),
    ("SET", "text", "\N{GREEK SMALL LETTER MU}m \r\n$5\r\n"),
    ("GET", "text"),
    ("GET", "missing"),
    ("SET", "large", bytes(range(256)) * (LARGE // 128)),
    ("GET", "large"),
    ("SETRANGE", "edge", LARGE - 1, b"!"),
    ("GET", "edge"),
    ("INCRBY", "number", -7),
    ("HSET", "hash", "a", 1, "b", b"\x00\xff"),
    ("HMGET", "hash", "a", "missing", "b"),
    ("EVAL", "return {1, {2, {'three', false}}, {}, redis.error_reply('ODD inside')}", 0),
    ("EVAL", "return {}", 0),
    ("EVAL", "return redis.status_reply('FINE')", 0),
    ("INCRBY", "text", 1),
    ("NOSUCHCOMMAND",),
]


@pytest.fixture(scope="module")
def both():
    """Our connection and redis-py's, each to an empty database of one server."""
    need_server()
    with RedisServer(tcp=True) as server:
        ours = Connection(parse(server.url("p", tcp=True), {}), {})
        theirs = redis.Redis(port=server.port, db=1)
        ours.pipeline([("SELECT", 2)])
        yield ours, theirs
        theirs.close()
        ours.close()


def plain(reply):
    """Return a reply in words that both clients share."""
    if isinstance(reply, ReplyError | redis.ResponseError):
        # redis-py takes the word ERR away.
        return "error", str(reply).removeprefix("ERR ")
    if isinstance(reply, list):
        return [plain(part) for part in reply]
    return bytes(reply) if isinstance(reply, bytearray) else reply


def answered(connection, command):
    """Return our connection's reply, an error one as a value."""
    try:
        return connection.pipeline([command])[0]
    except ReplyError as error:
        return error


def asked(client, command):
    """Return redis-py's reply as the server gave it."""
    connection = client.connection_pool.get_connection()
    try:
        connection.send_command(*command)
        return connection.read_response()
    except redis.ResponseError as error:
        return error
    finally:
        client.connection_pool.release(connection)


def differing(pairs):
    """Return the commands to which two clients got different replies."""
    return [command for command, mine, other in pairs if plain(mine) != plain(other)]


def test_the_checker_sees_a_wrong_reply():
    assert differing([("PING", b"PONG", b"PONG"), ("GET", None, b"")]) == ["GET"]
    assert differing([("GET", [1, [None]], [1, [b""]])]) == ["GET"]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_bytes_of_a_command(command):
    connection = redis.connection.Connection()
    theirs = b"".join(map(bytes, connection.pack_command(*command)))
    assert b"".join(map(bytes, pack([command]))) == theirs


def test_the_replies(both):
    ours, theirs = both
    mine = [answered(ours, command) for command in COMMANDS]
    others = [asked(theirs, command) for command in COMMANDS]
    assert differing(zip(COMMANDS, mine, others, strict=True)) == []
    assert sum(isinstance(reply, ReplyError) for reply in mine) == 2
