"""What a failure record says, and when failures are final.

A :class:`FailureReport` goes into the payload of a ``FAILURE`` or ``DEATH`` record as
JSON and comes back out of it; :func:`failed_for_good` is the one rule by which workers
and ``status`` agree on whether a task is tried again. No store is asked here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from taskgraph.codecs.wire import as_view, without_signature
from taskgraph.errors import ResultCorrupt
from taskgraph.store import DEATH, FAILURE, Record

if TYPE_CHECKING:
    from taskgraph.task import Task

#: Kinds of failures.
ERROR, TIMEOUT, DIED, UNPICKLABLE = "error", "timeout", "death", "unpicklable"

#: Trying again can't help: the same code returns the same kind of thing.
HOPELESS = frozenset({UNPICKLABLE})

#: So many deaths of distinct workers make a task failed.
DEATHS = 3


@dataclass(frozen=True, slots=True)
class FailureReport:
    """Why a task has no result."""

    exception: str = ""  #: class of the exception, e.g. ``ValueError``
    message: str = ""
    traceback: str = ""
    log: str = ""  #: the last that the task printed
    host: str = ""
    kind: str = ERROR  #: ``error``, ``timeout``, ``death`` or ``unpicklable``
    final: bool = False  #: not to be tried again, whatever ``retries`` says
    fingerprint: str = ""  #: of the code that failed

    def to_bytes(self) -> bytes:
        """Return the report as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode("utf-8", "replace")

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> FailureReport:
        """Return the report of a record's payload; an empty payload is an empty report.

        Raises
        ------
        ResultCorrupt
            If the bytes are no report. Unknown fields, of a later version, are dropped.
        """
        if not len(data):
            return cls()
        try:
            given = json.loads(bytes(data))
            if not isinstance(given, dict):
                raise ValueError("not an object")
            known = [field.name for field in fields(cls) if field.name in given]
            return cls(**{name: given[name] for name in known})
        except (ValueError, TypeError) as error:
            raise ResultCorrupt(
                "A failure record must hold a JSON object; this one is damaged. Run `taskgraph "
                f"retry` to put it aside; got {bytes(data)[:40]!r}."
            ) from error

    @classmethod
    def of(cls, record: Record) -> FailureReport:
        """Return a record's report; a damaged one says so instead of raising."""
        try:
            return cls.from_bytes(as_view(without_signature(record.payload)))
        except ResultCorrupt as error:
            return cls(exception="ResultCorrupt", message=str(error), host=record.origin.host)


def failed_for_good(records: Sequence[Record], task: Task | None, fingerprint: str | None) -> bool:
    """Tell whether a task with these live failure records is not tried again.

    Parameters
    ----------
    records : sequence of Record
        Its ``FAILURE`` and ``DEATH`` records. ``origin.worker`` of a death names the
        worker that died.
    task : Task, optional
        For its ``retries``; 0 without.
    fingerprint : str or None
        Of the function's present code. Failures of other code don't count: changed code
        tries again by itself. ``None`` or ``""``: unknown, all count.
    """
    counted = [record for record in records if _same_code(record, fingerprint)]
    deaths = {record.origin.worker for record in counted if record.kind == DEATH}
    if len(deaths) >= DEATHS:
        return True
    failures = [record for record in counted if record.kind == FAILURE]
    retries = task.options.retries if task is not None else 0
    return len(failures) > retries or any(map(_final, failures))


def _same_code(record: Record, fingerprint: str | None) -> bool:
    made = record.origin.fingerprint
    return not fingerprint or not made or made == fingerprint


def _final(record: Record) -> bool:
    report = FailureReport.of(record)
    return report.final or report.kind in HOPELESS
