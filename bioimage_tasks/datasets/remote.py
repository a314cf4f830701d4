"""A file that a collection can be downloaded from: its address, its checksum, where it goes.

A plain value that the collections carry; :mod:`bioimage_tasks.datasets.fetch` does the work.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

#: Folder of the Broad Bioimage Benchmark Collection.
BBBC = "https://data.broadinstitute.org/bbbc"


@dataclass(frozen=True, slots=True)
class Remote:
    """A file at a stable public address: ``Remote(f"{BBBC}/BBBC039/masks.zip")``.

    Attributes
    ----------
    url : str
    checksum : str
        ``sha256:...`` or ``md5:...`` in hexadecimal; empty where nobody has published one
        that is known here. It is never guessed.
    into : str
        Folder below the collection's root that an archive is unpacked into, or that a
        plain file is put in.
    strip : int
        Leading folders that are cut off the names in the archive.
    """

    url: str
    checksum: str = ""
    into: str = ""
    strip: int = 0

    @property
    def name(self) -> str:
        """The file's name: the last part of the address."""
        return unquote(urlsplit(self.url).path).rpartition("/")[2]


def bbbc(accession: str, **checksums: str) -> tuple[Remote, ...]:
    """Return files of one BBBC set: ``bbbc("BBBC007", BBBC007_v1_images="b7009e...")``.

    Parameters
    ----------
    accession : str
        Name of the set.
    **checksums : str
        SHA-256 of each zip by its stem, or an empty string.
    """
    return tuple(
        Remote(f"{BBBC}/{accession}/{stem}.zip", checksum and f"sha256:{checksum}")
        for stem, checksum in checksums.items()
    )
