"""The one door: the package's functions as task generators for jugfiles.

Everything else here is plain functions of arrays. These calls make tasks; a method, a
parameter or an image's content that changes makes another task. One file a room; ``door``
makes the generators.
"""

from __future__ import annotations

from bioimage_tasks.tasks.reporting import table, write_csv, write_text
from bioimage_tasks.tasks.segmenting import Setting, best, load, overlay, score, segment

__all__ = [
    "Setting",
    "best",
    "load",
    "overlay",
    "score",
    "segment",
    "table",
    "write_csv",
    "write_text",
]
