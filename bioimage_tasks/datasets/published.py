"""What is known of a collection that others published, beside what lies where in it.

A collection is a class with a name, a source and ``list_images``; here are the words that
``taskgraph datasets`` shows and the addresses that it fetches from.
"""

from __future__ import annotations

from typing import ClassVar

from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.remote import Remote

#: How the Broad Bioimage Benchmark Collection wants to be cited, with each of its sets.
BBBC_CITATION = (
    "Ljosa, Sokolnicki, Carpenter. Annotated high-throughput microscopy image sets for "
    "validation. Nature Methods 9:637 (2012), doi:10.1038/nmeth.2083"
)


class Published(ImageCollection):
    """A collection with a source: subclasses are one file each.

    Attributes
    ----------
    title : str
        What the images show.
    annotated : str
        What is annotated, in a few words.
    grouping : str
        What ``group`` of a reference is; "" where the layout tells no experiments apart.
    quirks : tuple of str
        What differs from what one would expect, and is taken care of.
    remotes : tuple of Remote
        Where it can be downloaded from, as far as there is a stable public address.
    first : tuple of str
        Names of those that are fetched when nothing else is asked for; all of them when
        empty.
    """

    title: ClassVar[str] = ""
    annotated: ClassVar[str] = ""
    grouping: ClassVar[str] = ""
    quirks: ClassVar[tuple[str, ...]] = ()
    remotes: ClassVar[tuple[Remote, ...]] = ()
    first: ClassVar[tuple[str, ...]] = ()
