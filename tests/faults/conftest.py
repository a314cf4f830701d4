"""The reckoning after trouble: the graph of ``taskgraph.testing.turmoil`` finished and compared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from taskgraph.ops import open_session
from taskgraph.ops.execute import execute
from taskgraph.ops.invalidate import retry
from taskgraph.testing.turmoil import Turmoil


@pytest.fixture
def settled(record_property: Callable[[str, object], None]) -> Callable[[Turmoil], int]:
    """Return a function that finishes the graph, judges all of it, and reports the doubles.

    A task that ran while three workers were killed counts as failed, which is the rule;
    that is forgiven here, since the kills were not its fault.
    """

    def settle(turmoil: Turmoil) -> int:
        outcome = execute(turmoil.path, turmoil.url)
        if outcome.failed:
            session = open_session(turmoil.path, turmoil.url)
            session.writes = True
            retry(session, range(len(session.graph)))
            session.store.close()
            outcome = execute(turmoil.path, turmoil.url)
        assert (outcome.exit_code, outcome.done) == (0, outcome.total), turmoil.said()
        compare(turmoil)
        doubles = turmoil.doubles()
        record_property("doubles", doubles)
        return doubles

    return settle


def compare(turmoil: Turmoil) -> None:
    """Compare every value with what it should be, and have the store check itself."""
    session = open_session(turmoil.path, turmoil.url)
    module: Any = session.module
    last = turmoil.number - 1
    squares = [i * i for i in range(turmoil.number)]
    pairs = [i * i + (last - i) ** 2 for i in range(turmoil.number)]
    assert session.value(module.squares) == squares
    assert session.value(module.pairs) == pairs
    arrays = session.value(module.arrays)
    assert all((array == x).all() for array, x in zip(arrays, pairs[:40], strict=True))
    assert session.value(module.result) == sum(pairs[:40])
    assert session.store.check() == []
    assert not any(info.alive and info.keys for info in session.store.workers())
    session.store.close()
