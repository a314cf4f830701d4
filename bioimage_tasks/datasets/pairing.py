"""Files that belong together, found by key and never by sorted order.

Folders and patterns come in, mappings from key to path go out. A missing partner is
reported by name.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from pathlib import Path

#: This many missing partners are named in a message; the rest is counted.
NAMED = 5


def stem(path: Path) -> str:
    """Return a file's name without suffix, ``.ome`` dropped too: the usual key."""
    return path.stem.removesuffix(".ome")


def keyed(
    paths: Iterable[Path], key: Callable[[Path], str | None] = stem, where: object = ""
) -> dict[str, str]:
    """Return key -> path, sorted by key: ``keyed(root.glob("images/*.tif"))``.

    Hidden files are passed over, and those whose key is ``None``.

    Parameters
    ----------
    paths : iterable of Path
    key : callable
        From a path to its key.
    where : object
        Named in the error; the paths' folder otherwise.

    Raises
    ------
    ValueError
        Two files have one key.
    """
    found: dict[str, str] = {}
    for path in sorted(paths):
        name = None if path.name.startswith(".") else key(path)
        if name is None:
            continue
        if name in found:
            raise ValueError(
                f"each file needs a stem of its own, pairs are made by it; got {found[name]} "
                f"and {path}{f' in {where}' if where else ''}"
            )
        found[name] = str(path)
    return dict(sorted(found.items()))


def files(root: Path, *patterns: str) -> list[Path]:
    """Return the files that match any of the patterns below a root, sorted.

    Letters match in either case, as the published archives mix ``.tif`` and ``.TIF``.

    Raises
    ------
    FileNotFoundError
        None does; names the patterns.
    """
    found = {path for pattern in patterns for path in root.glob(_any_case(pattern))}
    wanted = sorted(path for path in found if not path.name.startswith("."))
    if not wanted:
        raise FileNotFoundError(f"{root} must hold {' or '.join(patterns)}; got no such file")
    return wanted


def _any_case(pattern: str) -> str:
    parts = pattern.split("/")
    last = "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in parts[-1])
    return "/".join([*parts[:-1], last])


def check_partners(
    images: Mapping[str, str],
    partners: Mapping[str, str],
    what: str = "labels",
    without: Container[str] = (),
) -> None:
    """Raise unless images and partners have the same keys.

    Parameters
    ----------
    images, partners : mapping of str to str
        Key -> path.
    what : str
        What the partners are, for the message.
    without : container of str
        Keys that are known to have none: ``{"17"}``.

    Raises
    ------
    FileNotFoundError
        Someone is alone; named.
    """
    alone = [
        f"{images[key]} has no {what}"
        for key in images
        if key not in partners and key not in without
    ]
    alone += [f"{partners[key]} has no image" for key in partners if key not in images]
    if alone:
        raise FileNotFoundError(f"images and {what} must come in pairs; got {named(alone)}")


def named(entries: list[str]) -> str:
    """Return the first few entries, the rest counted."""
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return "; ".join(entries[:NAMED]) + more
