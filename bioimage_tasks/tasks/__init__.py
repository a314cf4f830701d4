"""The one door: the package's functions as task generators for jugfiles.

Everything else here is plain functions of arrays. These calls make tasks; a method, a
parameter or an image's content that changes makes another task. One file a room; ``door``
makes the generators.
"""

from __future__ import annotations

from bioimage_tasks.tasks.features import (
    bag_of_words,
    codebook,
    descriptors,
    features,
    stacked,
    write_features,
)
from bioimage_tasks.tasks.reporting import table, write_csv, write_text
from bioimage_tasks.tasks.segmenting import Setting, best, load, overlay, score, segment

__all__ = [
    "Setting",
    "bag_of_words",
    "best",
    "codebook",
    "descriptors",
    "features",
    "load",
    "overlay",
    "score",
    "segment",
    "stacked",
    "table",
    "write_csv",
    "write_features",
    "write_text",
]
