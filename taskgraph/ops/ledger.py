"""The ledger of a migrate: which invalidate of one store became which of another.

Tombstones of the source flow in; the same ones, under the target's own numbers, are in the
target afterwards, and an epoch of the source flows in where one of the target flows out.

Numbers count the invalidates of one store, so a record's epoch means nothing elsewhere. All
that matters of it is on which side of each tombstone it lies. The tombstones are therefore
given to the target in their order, before any record, and an epoch becomes the new number of
the greatest tombstone that is not above it. So what was killed stays killed, in dependents
too, of which no store can know; and what was alive is alive.

The ledger is a document of the target. It is what makes a migrate repeatable: a tombstone
that is in it is not given again, since a second number would kill what has been computed in
the target since. It is marked as open before the first tombstone goes. After a kill in
between, the ones that went are recognised by their roots: all at one number, above those
in the ledger.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator
from itertools import groupby

from taskgraph.errors import UsageError
from taskgraph.store import KILL_FAILURES, KILL_RESULTS, Key, Store, Tombstones

#: Ledgers are the documents of this prefix; they stay in the store they belong to.
PREFIX = "migrate/"

#: One invalidate: its number, its kind, its roots.
Group = tuple[int, int, list[Key]]


class Ledger:
    """``ledger = Ledger(source, target)``; ``ledger.replay()``; ``ledger.epoch(3)``.

    Parameters
    ----------
    source, target : Store
        Where from and where to.

    Attributes
    ----------
    numbers : dict of int to int
        Number of a tombstone in the source -> its number in the target; both ascend.
    documents : dict of str to str
        Name of a document that was copied -> digest of what was copied.

    Raises
    ------
    UsageError
        If the target holds something and no ledger about this source.
    """

    def __init__(self, source: Store, target: Store) -> None:
        self._source = source
        self._target = target
        self._name = f"{PREFIX}{source.id}"
        raw = target.get_document(self._name)
        if raw is None and _used(target):
            raise UsageError(
                "A migrate fills an empty store, or goes on with one that it began: name another "
                "place, or take single tasks over with `taskgraph export` and `import`; "
                f"got {target.url}, which holds {len(target.keys()):,} results of its own."
            )
        known = json.loads(raw or b"{}")
        self.numbers: dict[int, int] = dict(known.get("numbers", ()))
        self.documents: dict[str, str] = known.get("documents", {})
        self._open = bool(known.get("open"))
        self._old: list[int] = sorted(self.numbers)

    def replay(self) -> int:
        """Give the target the tombstones that it lacks; return how many."""
        fresh = [
            group for group in _groups(self._source.tombstones()) if group[0] not in self.numbers
        ]
        if self._open:
            fresh = [group for group in fresh if not self._recognised(group)]
        self._open = True
        self.save()  # also where there is nothing to give: it marks the target as begun
        for number, kind, keys in fresh:
            note = f"of {self._source.url}, number {number}"
            self.numbers[number] = self._target.invalidate(keys, kind, note)
        self._open = False
        self.save()
        self._old = sorted(self.numbers)
        return len(fresh)

    def epoch(self, old: int) -> int:
        """Return what an epoch of the source is in the target; 0 stays 0."""
        place = bisect_right(self._old, old)
        return self.numbers[self._old[place - 1]] if place else 0

    def save(self) -> None:
        """Write the ledger into the target."""
        text = json.dumps(
            {
                "source": self._source.url,
                "open": self._open,
                "numbers": sorted(self.numbers.items()),
                "documents": self.documents,
            }
        )
        self._target.put_document(self._name, text.encode())

    def _recognised(self, group: Group) -> bool:
        """Tell whether a tombstone went before a migrate was killed, and note its number."""
        number, kind, keys = group
        known = self._target.tombstones()
        there = known.results if kind == KILL_RESULTS else known.failures
        found = {there.get(key, 0) for key in keys}
        last = max(self.numbers.values(), default=0)
        if len(found) == 1 and min(found) > last:
            self.numbers[number] = found.pop()
            return True
        return False


def _used(store: Store) -> bool:
    return bool(store.tombstones().epoch or store.keys() or store.failed_keys())


def _groups(tombstones: Tombstones) -> Iterator[Group]:
    """Give the roots of each number, lowest first.

    A root that was invalidated twice stands at its last number only: all that the first
    one kills, the last one kills too.
    """
    entries = [(number, KILL_RESULTS, key) for key, number in tombstones.results.items()]
    entries += [(number, KILL_FAILURES, key) for key, number in tombstones.failures.items()]
    for (number, kind), group in groupby(sorted(entries), lambda entry: entry[:2]):
        yield number, kind, [key for _, _, key in group]
