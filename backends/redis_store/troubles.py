"""Tells what went wrong with a server in the words of the port: trouble that may pass, or not.

An exception of the socket or an error reply flows in, the error to raise flows out. The
core's workers wait and try again after :class:`StoreUnreachable` and :class:`StoreFull`,
and stop at any other :class:`StoreError`: so this sorting decides what a worker survives.
"""

from __future__ import annotations

from backends.redis_store.address import Address
from backends.redis_store.wire import ReplyError
from taskgraph.errors import StoreError, StoreFull, StoreUnreachable

#: Error codes of a server that will be itself again: starting, busy with a script, another
#: one's replica just now, a cluster in the middle of something.
_PASSING = {
    "LOADING": "is reading its data after a start",
    "BUSY": "is busy with somebody's long script",
    "READONLY": "is only a replica now (a failover?) and takes no writes",
    "MASTERDOWN": "is a replica that has lost its master",
    "NOREPLICAS": "lacks the replicas that it was told to write to",
    "CLUSTERDOWN": "belongs to a cluster that is down",
    "TRYAGAIN": "belongs to a cluster that is moving the project to another node",
    "ASK": "belongs to a cluster that is moving the project to another node",
    "MOVED": "belongs to a cluster whose nodes name each other in a circle",
}
_FULL = {
    "OOM": "Its memory is full: raise its maxmemory, or free some (`taskgraph cleanup`).",
    "MISCONF": "It can't write to its disk, and so takes no more: see its log, free some space.",
}
_REFUSED = {
    "NOAUTH": "It wants a password: put it into REDIS_PASSWORD or a file (password_file=).",
    "WRONGPASS": "It does not know this user and password: see the URL and REDIS_PASSWORD.",
    "NOPERM": "Its user may not do this: give it `~taskgraph:{%s}:* +@all -@admin` or more.",
}
_CROWDED = "max number of clients"
_SELECTED = ("DB index is out of range", "SELECT is not allowed")


def passing(error: Exception) -> bool:
    """Tell whether it is a trouble after which a new connection is needed."""
    if isinstance(error, ReplyError):
        return error.code in _PASSING or _CROWDED in str(error)
    return True


def story(error: OSError | ReplyError, address: Address) -> StoreError:
    """Return what to raise: rule, remedy and the value got; never a password."""
    if isinstance(error, OSError):
        return _lost(error, address)
    code, text = error.code, str(error)
    if _CROWDED in text:
        what = f"has no connection free ({text}): raise its maxclients"
        return StoreUnreachable(_sentence(address, what))
    if code in _PASSING:
        return StoreUnreachable(_sentence(address, f"{_PASSING[code]} ({text})"))
    if code in _FULL:
        remedy = f"{_FULL[code]} Got: {text}"
        return StoreFull(
            f"A store needs room, and the server of {address.shown} has none. {remedy}"
        )
    if code in _REFUSED:
        remedy = _REFUSED[code].replace("%s", address.project)
        return StoreError(
            f"A store's server must let its users in, and that of {address.shown} does not. "
            f"{remedy} Got: {text}"
        )
    if any(words in text for words in _SELECTED):
        return StoreError(
            f"A server has 16 databases unless it is told otherwise, and a cluster has one (0). "
            f"Write another number, or none, in {address.shown}; got: {text}"
        )
    return StoreError(f"The server of {address.shown} refuses a command of ours: {text}")


def _sentence(address: Address, what: str) -> str:
    return f"A store needs its server, and that of {address.shown} {what}."


def _lost(error: OSError, address: Address) -> StoreError:
    """Return the error for a connection that was lost, or not had."""
    kind = type(error).__name__
    if kind == "SSLError" or "handshake" in str(error):
        what = f"does not get on with us over TLS ({error}): is it rediss:// at all?"
        return StoreUnreachable(_sentence(address, what))
    if isinstance(error, TimeoutError):
        what = "does not answer: is it stopped, or the network in between"
        return StoreUnreachable(_sentence(address, f"{what} ({error})"))
    if kind == "SSLCertVerificationError":
        return StoreError(
            f"A server shows who it is by a certificate, and that of {address.shown} is not "
            f"trusted here. Name its authority (ca_certs=FILE), or the name it is made for as "
            f"the host; got: {error}"
        )
    if type(error).__name__ == "SSLError":
        return StoreUnreachable(
            _sentence(
                address, f"does not get on with us over TLS ({error}): is it rediss:// at all"
            )
        )
    why = error.strerror or error
    what = f"can't be reached ({why}): see that it runs, and that host and port are right"
    return StoreUnreachable(_sentence(address, what))
