"""The workbench lent to strangers: what proves that a store keeps the port's promises.

A store flows in, a verdict flows out: :class:`StoreContract` (one promise a test),
:class:`LeaseMachine` (any order of calls beside a model of dicts), :class:`FaultyStore`
(the n-th call fails), :data:`PLANTED` and :data:`PLANTED_FORKS` (stores that must not
pass; the second needs one that processes can share). This is the only room that imports
pytest and hypothesis; it knows no backend.
"""

from __future__ import annotations

import pytest

for _room in ("contract", "machine"):
    pytest.register_assert_rewrite(f"taskgraph.testing.{_room}")

from taskgraph.testing.actors import Actor  # noqa: E402
from taskgraph.testing.clock import FakeClock  # noqa: E402
from taskgraph.testing.contract import StoreContract, broken_promises  # noqa: E402
from taskgraph.testing.disk import FakeServer  # noqa: E402
from taskgraph.testing.faulty import FaultyStore  # noqa: E402
from taskgraph.testing.forks import Forked  # noqa: E402
from taskgraph.testing.machine import LeaseMachine  # noqa: E402
from taskgraph.testing.planted import PLANTED, Planted  # noqa: E402
from taskgraph.testing.planted_forks import PLANTED_FORKS  # noqa: E402
from taskgraph.testing.records import (  # noqa: E402
    make_identity,
    make_key,
    make_record,
    payload_bytes,
)
from taskgraph.testing.wrapper import StoreWrapper  # noqa: E402

__all__ = [
    "PLANTED",
    "PLANTED_FORKS",
    "Actor",
    "FakeClock",
    "FakeServer",
    "FaultyStore",
    "Forked",
    "LeaseMachine",
    "Planted",
    "StoreContract",
    "StoreWrapper",
    "broken_promises",
    "make_identity",
    "make_key",
    "make_record",
    "payload_bytes",
]
