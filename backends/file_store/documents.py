"""Small named documents beside the records: graph snapshots, digests of input files.

Names and bytes flow in and out. A document is replaced whole; the last writer wins.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from backends.file_store.filesystem import FileSystem
from backends.file_store.layout import Layout
from taskgraph.errors import UsageError

#: The longest file name of common file systems, in bytes.
LONGEST = 255


class Documents:
    """Files in ``documents/``, named by their quoted names."""

    def __init__(self, fs: FileSystem, layout: Layout) -> None:
        self._fs = fs
        self._layout = layout

    def put(self, name: str, data: bytes) -> None:
        """Store a document, durable."""
        quoted = _quoted(name)
        self._fs.replace_file(self._layout.documents, quoted, data, self._layout.file_mode)

    def get(self, name: str) -> bytes | None:
        """Return a document, or ``None``."""
        try:
            return self._fs.read_file(f"{self._layout.documents}/{_quoted(name)}")
        except FileNotFoundError:
            return None

    def names(self, prefix: str = "") -> list[str]:
        """Return the names that begin with ``prefix``, sorted."""
        names = [unquote(name) for name in self._fs.names(self._layout.documents) if name[0] != "."]
        return sorted(name for name in names if name.startswith(prefix))


def _quoted(name: str) -> str:
    # A leading dot is a temporary file, and "." and ".." are nobody's.
    quoted = quote(name, safe="")
    if quoted[:1] == ".":
        quoted = "%2E" + quoted[1:]
    if not 0 < len(quoted) <= LONGEST:
        raise UsageError(f"a document's name must have 1 to {LONGEST} letters, got {name!r}")
    return quoted
