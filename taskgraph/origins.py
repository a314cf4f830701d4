"""Provenance of a worker's records, made once per function.

A task flows in, the shared :class:`~taskgraph.store.Origin` of its function flows out:
name, fingerprint of the code, jugfile, host, worker, job and package versions. The
parts of each fingerprint are stored once as a document, so that ``stale`` can say what
changed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from taskgraph.compose import Compound, record_extra
from taskgraph.fingerprint import fingerprint as fingerprint_of
from taskgraph.fingerprint import parts, project_root
from taskgraph.graph import Graph
from taskgraph.provenance import cluster_job, package_versions
from taskgraph.store import Identity, Origin, Store
from taskgraph.task import Task


class Origins:
    """Makes origins for one worker.

    Parameters
    ----------
    graph : Graph
        Where compound tasks find their inner tasks.
    store : Store
        Where the parts of fingerprints are kept.
    worker : str
        Id of the owner record.
    identity : Identity
        Of the worker's process.
    jugfile : Path
        The jugfile.
    named : str
        How records name the jugfile.
    """

    def __init__(
        self,
        graph: Graph,
        store: Store,
        worker: str,
        identity: Identity,
        jugfile: Path,
        named: str,
    ) -> None:
        self._graph = graph
        self._store = store
        self._known: dict[str, Origin] = {}
        self._root = project_root(jugfile)
        self._base = Origin(
            jugfile=named, host=identity.host, worker=worker, job=identity.job or cluster_job()
        )
        self.host = identity.host

    def of(self, task: Task) -> Origin:
        """Return the origin of a task's records."""
        origin = self._known.get(task.shape.name)
        if origin is None:
            origin = self._known[task.shape.name] = self._make(task)
        if type(task.shape.f) is Compound:
            return replace(origin, extra=record_extra(task, self._graph))
        return origin

    def rename(self, worker: str) -> None:
        """Make origins for another worker id from now on."""
        self._base = replace(self._base, worker=worker)
        self._known.clear()

    def of_dead(self, task: Task, worker: str, host: str) -> Origin:
        """Return the origin of a death that another worker died."""
        return replace(self.of(task), worker=worker, host=host)

    def _make(self, task: Task) -> Origin:
        code = fingerprint_of(task.f, self._root)
        if code:
            name = f"fingerprint/{code}"
            if self._store.get_document(name) is None:
                details = {"function": task.name, "parts": parts(task.f, self._root)}
                self._store.put_document(name, json.dumps(details).encode())
        return replace(
            self._base, function=task.name, fingerprint=code, versions=tuple(package_versions())
        )
