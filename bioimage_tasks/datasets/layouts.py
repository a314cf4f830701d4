"""Patterns that the layouts of published collections share.

Folders and file names come in; keys, groups and paths of channels go out. No pixels are
read here, at most the header of a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.pairing import check_partners, keyed, named, stem

#: A channel of a file: (key of the image, name of the channel), ``None`` for another file.
Split = Callable[[Path], tuple[str, str] | None]

_WELL = re.compile(r"(?:^|[^A-Za-z0-9])([A-Pa-p]\d\d)(?!\d)")


def inside(root: Path, *folders: str) -> Path:
    """Return ``root/folder/...`` as far as those folders are there.

    Archives unpack into a folder of their own; both the folder that holds it and that
    folder itself are taken as root.
    """
    for folder in folders:
        if (root / folder).is_dir():
            root = root / folder
    return root


def partnered(
    images: Iterable[Path],
    partners: Iterable[Path],
    what: str = "labels",
    key: Callable[[Path], str | None] = stem,
) -> list[tuple[str, str, str]]:
    """Return (key, image, partner) of every image that has one file beside it, sorted by key.

    Parameters
    ----------
    images, partners : iterable of Path
        See :func:`bioimage_tasks.datasets.pairing.files`.
    what : str
        What the partners are, for the message.
    key : callable
        From a path, of either kind, to its key.

    Raises
    ------
    ValueError
        Two images, or two partners, have one key.
    FileNotFoundError
        Someone is alone; named.
    """
    first, second = keyed(images, key), keyed(partners, key)
    check_partners(first, second, what)
    return [(name, path, second[name]) for name, path in first.items()]


def well(name: str) -> str:
    """Return the well that a file name tells, in upper case: ``"A01"``; "" if none."""
    found = _WELL.search(name)
    return found[1].upper() if found else ""


def size_group(path: str | Path) -> str:
    """Return ``"HEIGHTxWIDTH"`` in pixels from the file's header.

    A stand-in for the laboratory where nothing else tells where an image is from.
    """
    from bioimage_tasks.io import plane_shape

    height, width = plane_shape(str(path))
    return f"{height}x{width}"


def colours(path: str | Path) -> tuple[int, int, int] | None:
    """Return the channels red, green and blue, or ``None`` when the header says one channel."""
    from bioimage_tasks.io import open_image

    return (0, 1, 2) if open_image(str(path)).channels >= 3 else None


def by_end(ends: Mapping[str, Sequence[str]]) -> Split:
    """Return a split of stems by what they end with: ``by_end({"dna": ["_d0", "d"]})``.

    Parameters
    ----------
    ends : mapping of str to sequence of str
        Channel -> the ends that stand for it, in any case; the longest one counts.
    """
    every = [(end.lower(), channel) for channel, these in ends.items() for end in these]
    every.sort(key=lambda pair: -len(pair[0]))

    def split(path: Path) -> tuple[str, str] | None:
        for end, channel in every:
            if path.stem.lower().endswith(end) and len(path.stem) > len(end):
                return path.stem[: -len(end)].rstrip("_- "), channel
        return None

    return split


def by_pattern(pattern: str, channels: Mapping[str, str]) -> Split:
    """Return a split of stems by a regular expression with groups ``key`` and ``channel``.

    Parameters
    ----------
    pattern : str
        Matched against the whole stem, in any case.
    channels : mapping of str to str
        What ``channel`` matched -> name of the channel.
    """
    whole = re.compile(pattern, re.IGNORECASE)

    def split(path: Path) -> tuple[str, str] | None:
        found = whole.fullmatch(path.stem)
        if found is None or found["channel"].lower() not in channels:
            return None
        return found["key"], channels[found["channel"].lower()]

    return split


def channel_files(
    paths: Iterable[Path], split: Split, channels: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return key -> path of each channel in order, sorted by key.

    Parameters
    ----------
    paths : iterable of Path
    split : callable
        See :func:`by_end` and :func:`by_pattern`.
    channels : sequence of str

    Raises
    ------
    ValueError
        A name is not understood, or two files are the same channel of one image.
    FileNotFoundError
        An image lacks a channel; named.
    """
    found: dict[str, dict[str, str]] = {}
    for path in sorted(paths):
        parts = split(path)
        if parts is None:
            raise ValueError(
                f"the name of a file must tell its channel, one of {', '.join(channels)}; "
                f"got {path}"
            )
        key, channel = parts
        known = found.setdefault(key, {})
        if channel in known:
            raise ValueError(
                f"there must be one file for channel {channel} of {key}; got "
                f"{known[channel]} and {path}"
            )
        known[channel] = str(path)
    alone = [
        f"{next(iter(known.values()))} has no partner {channel}"
        for known in found.values()
        for channel in channels
        if channel not in known
    ]
    if alone:
        raise FileNotFoundError(f"every image needs all its channels; got {named(alone)}")
    return {key: tuple(found[key][channel] for channel in channels) for key in sorted(found)}


def plate_map(path: Path, count: int) -> list[str]:
    """Return the entries of a plate map of the Broad's, one a line below a heading.

    Parameters
    ----------
    path : pathlib.Path
        Without it, every entry is "".
    count : int
        Wells or fields, row by row.

    Raises
    ------
    ValueError
        There are more or fewer.
    """
    if not path.is_file():
        return [""] * count
    lines = re.split(r"[\r\n]+", path.read_text(encoding="latin-1"))
    entries = [line.strip() for line in lines if line.strip()][1:]
    if len(entries) != count:
        raise ValueError(
            f"a plate map must have a heading and {count} entries; got {len(entries)} in {path}"
        )
    return entries


def dosed_plate(
    wells: Mapping[str, tuple[str, ...]], plate: Path, about: Callable[[str], tuple[str, str]]
) -> list[ImageRef]:
    """Return the wells of a 96-well plate, the group is the row.

    Parameters
    ----------
    wells : mapping of str to tuple of str
        ``"A-01"`` -> path of each channel, from :func:`channel_files`.
    plate : pathlib.Path
        The map with the dose of each well; see :func:`plate_map`.
    about : callable
        From a row, A-H, to a name and what its ``info`` says under it.
    """
    doses = plate_map(plate, 96)
    found = []
    for key, paths in wells.items():
        row, column = key[0].upper(), int(key[2:])
        dose = doses["ABCDEFGH".index(row) * 12 + column - 1]
        info = (about(row), *((("dose", dose),) if dose else ()))
        found.append(
            ImageRef(paths[0], group=row, name=f"{row}{column:02d}", channel_paths=paths, info=info)
        )
    return found
