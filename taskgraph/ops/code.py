"""The present code of a session's functions: fingerprints now, and those blessed before.

A session flows in; a fingerprint per function name flows out. What a fingerprint is
made of is kept in the store (``fingerprint/<hex>``), so that a later reader can say
what changed; which old code a user declared as good as the new in ``accepted``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, NoReturn

from taskgraph.errors import TaskError
from taskgraph.session import Session
from taskgraph.signature import CallShape
from taskgraph.store import Store

ACCEPTED = "accepted"


class Unloaded:
    """Stands for a function that was not loaded (a graph snapshot's): its code is known.

    Attributes
    ----------
    fingerprint : str
        Of the function's code when the snapshot was written.
    """

    __slots__ = ("fingerprint",)

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        """Refuse to run."""
        raise TaskError(
            "A task of a graph snapshot can't be run: its function was not loaded. Read the "
            f"jugfile instead (without --quick); got {args!r} {kwargs!r}."
        )


def shapes(session: Session) -> dict[str, CallShape]:
    """Return one form of call for each function name, in order of appearance."""
    found: dict[str, CallShape] = {}
    for shape in dict.fromkeys(map(attrgetter("shape"), session.graph.tasks)):
        found.setdefault(shape.name, shape)
    return found


def fingerprints(session: Session, names: Collection[str] | None = None) -> dict[str, str]:
    """Return the fingerprint of each function's present code; ``""`` where it has none."""
    if session.jugfile is None:
        return {}
    from taskgraph.fingerprint import project_root

    root = project_root(session.jugfile)
    return {
        name: _fingerprint(shape.f, root)
        for name, shape in shapes(session).items()
        if names is None or name in names
    }


def _fingerprint(function: Any, root: Path) -> str:
    from taskgraph.fingerprint import fingerprint

    return function.fingerprint if type(function) is Unloaded else fingerprint(function, root)


def code_parts(session: Session, name: str) -> dict[str, str]:
    """Return what the fingerprint of a function is made of."""
    from taskgraph.fingerprint import parts, project_root

    shape = shapes(session)[name]
    return parts(shape.f, project_root(session.jugfile or Path()))


def remember_code(session: Session) -> dict[str, str]:
    """Keep the parts of all present fingerprints in the store; return the fingerprints."""
    code = fingerprints(session)
    known = set(session.store.list_documents("fingerprint/"))
    for name, value in code.items():
        if value and f"fingerprint/{value}" not in known:
            details = {"function": name, "parts": code_parts(session, name)}
            session.store.put_document(f"fingerprint/{value}", json.dumps(details).encode())
    return code


def remembered_parts(store: Store, value: str) -> dict[str, str] | None:
    """Return the parts of an earlier fingerprint, ``None`` when nobody kept them."""
    data = store.get_document(f"fingerprint/{value}")
    return None if data is None else _mapping(data).get("parts")


def accepted(store: Store) -> dict[str, list[list[str]]]:
    """Return the blessed pairs (old, new) of fingerprints of each function."""
    data = store.get_document(ACCEPTED)
    return {} if data is None else _mapping(data)


def accept(store: Store, pairs: Iterable[Sequence[str]]) -> None:
    """Bless results of old code: ``(function, old fingerprint, new fingerprint)``."""
    table = accepted(store)
    before = sum(map(len, table.values()))
    for name, old, new in pairs:
        row = table.setdefault(name, [])
        if [old, new] not in row:
            row.append([old, new])
    if sum(map(len, table.values())) > before:
        store.put_document(ACCEPTED, json.dumps(table, sort_keys=True).encode())


def carry_accepted(session: Session, old: str, new: str) -> None:
    """Let what counted as good code under a function's old name count under its new one.

    The name itself is part of the code: where nothing else has changed, what was made or
    blessed under the old name is as good as the present code.
    """
    shape = shapes(session).get(new)
    if shape is None or session.jugfile is None:
        return
    from taskgraph.fingerprint import fingerprint, fingerprint_as, project_root

    root = project_root(session.jugfile)
    was, now = fingerprint_as(shape.f, root, old), fingerprint(shape.f, root)
    rows = accepted(session.store).get(old, [])
    good = [was, *(made for made, by in rows if by == was)] if was != now else []
    accept(session.store, [(new, made, now) for made in good] + [(new, *row) for row in rows])


def _mapping(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:  # a damaged note costs a reason, never a result
        return {}
    return found if isinstance(found, dict) else {}
