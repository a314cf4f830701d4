"""A store around a store: every call passes through two hooks on its way.

Calls of the port flow in and on to ``inner``, its answers flow back. Fault injectors and
stores with a planted fault override one method or one hook. Nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from taskgraph.store import (
    KILL_RESULTS,
    Claim,
    Head,
    Identity,
    Key,
    News,
    Problem,
    Record,
    Store,
    Tombstones,
    Usage,
    WorkerInfo,
)

_T = TypeVar("_T")


class StoreWrapper:
    """``store = StoreWrapper(inner)``: the same store, seen through hooks.

    Parameters
    ----------
    inner : Store
        Who does the work.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.url = inner.url
        self.id = inner.id
        self.lease_seconds = inner.lease_seconds
        self.coarse_bits = inner.coarse_bits

    def before(self, method: str) -> None:
        """Run before each call of the port; may raise."""

    def after(self, method: str) -> None:
        """Run when a call has done its work; may raise: a reply that was lost."""

    def _through(self, method: str, call: Callable[[], _T]) -> _T:
        self.before(method)
        answer = call()
        self.after(method)
        return answer

    # -- looking ---------------------------------------------------------------
    def refresh(self) -> News:
        """See :meth:`taskgraph.store.Store.refresh`, as for all that follow."""
        return self._through("refresh", self.inner.refresh)

    def tombstones(self) -> Tombstones:
        """Pass on."""
        return self._through("tombstones", self.inner.tombstones)

    def present(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> bytearray:
        """Pass on."""
        return self._through("present", lambda: self.inner.present(keys, floors))

    def heads(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Head | None]:
        """Pass on."""
        return self._through("heads", lambda: self.inner.heads(keys, floors))

    def load(self, keys: Sequence[Key], floors: Sequence[int] | None = None) -> list[Record | None]:
        """Pass on."""
        return self._through("load", lambda: self.inner.load(keys, floors))

    def failures(
        self, keys: Sequence[Key], floors: Sequence[int] | None = None
    ) -> list[list[Record]]:
        """Pass on."""
        return self._through("failures", lambda: self.inner.failures(keys, floors))

    def failed_keys(self) -> list[Key]:
        """Pass on."""
        return self._through("failed_keys", self.inner.failed_keys)

    def keys(self) -> list[Key]:
        """Pass on."""
        return self._through("keys", self.inner.keys)

    # -- working ---------------------------------------------------------------
    def enter(self, identity: Identity) -> str:
        """Pass on."""
        return self._through("enter", lambda: self.inner.enter(identity))

    def beat(self, worker: str) -> bool:
        """Pass on."""
        return self._through("beat", lambda: self.inner.beat(worker))

    def running(self, worker: str, key: Key) -> None:
        """Pass on."""
        self._through("running", lambda: self.inner.running(worker, key))

    def leave(self, worker: str) -> None:
        """Pass on."""
        self._through("leave", lambda: self.inner.leave(worker))

    def claim(
        self, worker: str, keys: Sequence[Key], *, coarse: bool = False, most: int | None = None
    ) -> Claim:
        """Pass on."""
        return self._through(
            "claim", lambda: self.inner.claim(worker, keys, coarse=coarse, most=most)
        )

    def publish(self, worker: str, records: Sequence[Record]) -> None:
        """Pass on."""
        self._through("publish", lambda: self.inner.publish(worker, records))

    def release(self, worker: str, claim: Claim, keys: Sequence[Key] | None = None) -> None:
        """Pass on."""
        self._through("release", lambda: self.inner.release(worker, claim, keys))

    def workers(self) -> list[WorkerInfo]:
        """Pass on."""
        return self._through("workers", self.inner.workers)

    def wait(self, seconds: float) -> bool:
        """Pass on."""
        return self._through("wait", lambda: self.inner.wait(seconds))

    # -- looking after ---------------------------------------------------------
    def invalidate(self, keys: Sequence[Key], kind: int = KILL_RESULTS, note: str = "") -> int:
        """Pass on."""
        return self._through("invalidate", lambda: self.inner.invalidate(keys, kind, note))

    def forget(self, heads: Sequence[Head]) -> int:
        """Pass on."""
        return self._through("forget", lambda: self.inner.forget(heads))

    def pack(self, progress: object = None) -> Usage:
        """Pass on."""
        return self._through("pack", lambda: self.inner.pack(progress))

    def check(self, *, fix: bool = True) -> list[Problem]:
        """Pass on."""
        return self._through("check", lambda: self.inner.check(fix=fix))

    def usage(self) -> Usage:
        """Pass on."""
        return self._through("usage", self.inner.usage)

    def put_document(self, name: str, data: bytes) -> None:
        """Pass on."""
        self._through("put_document", lambda: self.inner.put_document(name, data))

    def get_document(self, name: str) -> bytes | None:
        """Pass on."""
        return self._through("get_document", lambda: self.inner.get_document(name))

    def list_documents(self, prefix: str = "") -> list[str]:
        """Pass on."""
        return self._through("list_documents", lambda: self.inner.list_documents(prefix))

    def close(self) -> None:
        """Pass on, past the hooks: letting go can't fail in a way that matters."""
        self.inner.close()
