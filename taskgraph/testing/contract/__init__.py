"""The store contract: what a stranger's store must pass, as tests to inherit.

A class with two hooks flows in, a suite flows out::

    class TestMyStore(StoreContract):
        def make_store(self, tmp_path):
            return MyStore(tmp_path / "store", create=True)

        def other_handle(self, store):
            return MyStore(store.url)

Add ``pass_time(seconds)`` where the store takes a clock, or the tests of silence are
skipped. Called twice with one folder ``make_store`` opens one store, also in two processes at
once; a store that lives in one process says ``between_processes = False``. The suite knows
no implementation.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from taskgraph.testing.contract.care import CareContract
from taskgraph.testing.contract.locks import LockContract
from taskgraph.testing.contract.processes import ProcessContract
from taskgraph.testing.contract.records import RecordContract


class StoreContract(RecordContract, LockContract, CareContract, ProcessContract):
    """Every promise of ``taskgraph.store`` that a test can see. See the module's text."""


def broken_promises(
    case: type[StoreContract], folder: Path, only: Collection[str] | None = None
) -> list[str]:
    """Run a contract without pytest and return the names of the tests that fail.

    Parameters
    ----------
    case : type
        A subclass of :class:`StoreContract`.
    folder : Path
        An empty folder; each test gets one of its own in it.
    only : collection of str, optional
        Names of the tests to run; all by default.
    """
    broken = []
    for number, (name, arguments) in enumerate(_tests(case)):
        if only is not None and name not in only:
            continue
        place = folder / str(number)
        place.mkdir()
        suite = case()
        try:
            getattr(suite, name)(place, **arguments)
        except pytest.skip.Exception:
            continue
        except Exception:  # noqa: BLE001  -- whatever a store raises here, it promised not to
            broken.append(name)
        finally:
            suite.teardown_method()
    return broken


def _tests(case: type[StoreContract]) -> list[tuple[str, dict[str, object]]]:
    found: list[tuple[str, dict[str, object]]] = []
    for name in sorted(name for name in dir(case) if name.startswith("test_")):
        marks = getattr(getattr(case, name), "pytestmark", [])
        cases = [mark.args for mark in marks if mark.name == "parametrize"]
        found.extend((name, {argument: value}) for argument, values in cases for value in values)
        if not cases:
            found.append((name, {}))
    return found
