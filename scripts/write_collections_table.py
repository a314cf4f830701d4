"""Writes the table of collections in docs/datasets.md from the collections themselves.

In: what each collection says of itself. Out: the lines between the two markers; the rest of
the page is written by hand. A test compares, so run this after adding a collection:

    python scripts/write_collections_table.py
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bioimage_tasks import datasets
from bioimage_tasks.datasets.published import Published

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "datasets.md"
BEGIN, END = "<!-- collections -->", "<!-- end of collections -->"
HEADS = ("name", "shows", "annotated", "a group is", "licence", "`fetch`")


def table() -> str:
    """Return the rows, sorted by name."""
    found = [datasets.get(name) for name in datasets.names()]
    rows = [_row(cls) for cls in found if issubclass(cls, Published)]
    lines = [HEADS, ("---",) * len(HEADS), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def whole(text: str) -> str:
    """Return the document with its table renewed.

    Raises
    ------
    ValueError
        The markers are not there.
    """
    before, begin, rest = text.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the document must hold {BEGIN} and {END}; got {DOCUMENT}")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(cls: Any) -> tuple[str, ...]:
    known = [remote for remote in cls.remotes if remote.checksum]
    wanted = [remote for remote in cls.remotes if not cls.first or remote.name in cls.first]
    fetch = "" if not wanted else "verified" if set(wanted) <= set(known) else "yes"
    name = f"[{cls.name}]({cls.url})"
    cells = (name, cls.title, cls.annotated, cls.grouping or "none", cls.licence, fetch)
    return tuple(cell.replace("|", "\\|") for cell in cells)


if __name__ == "__main__":
    DOCUMENT.write_text(whole(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{DOCUMENT} written")
