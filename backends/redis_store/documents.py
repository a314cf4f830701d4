"""Small named documents: fields of one hash. Names and bytes flow in and out."""

from __future__ import annotations

from backends.redis_store.server import Server


class Documents:
    """``documents.put("digests", data)``; ``documents.get("digests")``."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def put(self, name: str, data: bytes) -> None:
        """Store a document, whole."""
        self._server.link.call("HSET", self._server.names.docs, name.encode(), data)

    def get(self, name: str) -> bytes | None:
        """Return a document, or ``None``."""
        found = self._server.link.call("HGET", self._server.names.docs, name.encode())
        return None if found is None else bytes(found)

    def list(self, prefix: str) -> list[str]:
        """Return the names that begin with a prefix, sorted."""
        names = self._server.link.call("HKEYS", self._server.names.docs)
        return sorted(name for raw in names if (name := raw.decode()).startswith(prefix))
