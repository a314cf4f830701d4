"""jug.utils: small helpers for jugfiles."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskgraph.compat.jug.hash import hash_one
from taskgraph.compose import CachedFunction, execute_command, identity
from taskgraph.hashing import CustomHash
from taskgraph.task import TaskGenerator

__all__ = [
    "CustomHash",
    "cached_glob",
    "glob_sort",
    "hash_with_mtime_size",
    "identity",
    "jug_execute",
    "prepare_name_matcher",
    "prepare_task_matcher",
    "sync_move",
    "timed_path",
]

jug_execute = execute_command


def hash_with_mtime_size(path: Any) -> bytes:
    """Return a hash of a path with the file's time of change (whole seconds) and size."""
    status = Path(path).stat()
    return hash_one((path, int(status.st_mtime), status.st_size))


def timed_path(path: Any) -> CustomHash:
    """``f(timed_path("x.tif"))``: a path that counts with the file's mtime and size."""
    return CustomHash(path, hash_with_mtime_size)


def sync_move(src: str | Path, dst: str | Path) -> None:
    """Rename a file, and sync the folder so that the rename is durable."""
    import os

    target = Path(dst)
    Path(src).rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def glob_sort(pat: str) -> list[str]:
    """Return the files that match a pattern, sorted."""
    from glob import glob

    return sorted(glob(pat))  # noqa: PTH207  strings, as jug returns them


_glob_task = TaskGenerator(glob_sort, name="jug.utils.glob_sort")


def cached_glob(pat: str) -> Any:
    """``files = cached_glob("*.tif")``: as glob_sort, remembered until it is invalidated."""
    return CachedFunction(_glob_task, pat)


def prepare_task_matcher(pattern: str) -> Callable[[str], Any]:
    """Return a function that searches a name for a text, or for a ``/regex/``."""
    if pattern in ("", "//"):
        raise ValueError(f"An empty pattern would match every task (use '/.*/'); got {pattern!r}.")
    if len(pattern) >= 2 and pattern[0] == pattern[-1] == "/":
        return re.compile(pattern[1:-1]).search
    return re.compile(re.escape(pattern)).search


def prepare_name_matcher(name: str) -> Callable[[str], bool]:
    """Return a function that compares a name, or its end after a dot, with wildcards."""
    regex = re.compile(fnmatch.translate(name))

    def matches(task_name: str) -> bool:
        starts = [0, *(dot.end() for dot in re.finditer(r"\.", task_name))]
        return any(regex.match(task_name, start) for start in starts)

    return matches
