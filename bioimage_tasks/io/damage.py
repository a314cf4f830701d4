"""One error for files that can't be decoded, whatever the decoder makes of them.

Nothing comes in but the name of a caller and a path; what goes out is a ``ValueError`` that
names both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def naming(function: str, path: Path) -> Iterator[None]:
    """Turn any failure of a decoder into a ``ValueError`` that names the file.

    Damaged bytes make decoders raise anything: Pillow SyntaxError, tifffile KeyError and
    TypeError, zlib its own. A missing file, a missing package, and errors that name the
    file already pass.

    Raises
    ------
    ValueError
        The decoder failed.
    """
    try:
        yield
    except (FileNotFoundError, ModuleNotFoundError):
        raise
    except Exception as trouble:
        if isinstance(trouble, ValueError) and str(path) in str(trouble):
            raise
        raise ValueError(
            f"{function}: the file must be a whole image of the kind its suffix names, and fit "
            f"into memory; got {path}: {trouble}"
        ) from trouble
