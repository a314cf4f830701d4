"""jug's environment variables and its stop file, as limits of a run.

The environment flows in, a few numbers flow out; ``execute`` heeds them. Nothing here
looks at a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taskgraph.errors import ConfigError

#: jug stops before its next task when this file is in the current folder.
STOP_FILE = "__jug_please_stop_running.txt"

_SECONDS = {"JUG_MAX_HOURS": 3600, "JUG_MAX_MINUTES": 60, "JUG_MAX_SECONDS": 1}


@dataclass(frozen=True, slots=True)
class ExitLimits:
    """When to stop with work left."""

    max_tasks: int | None = None  #: tasks to run, by each worker
    max_seconds: float | None = None  #: looked at after each task
    stop_files: tuple[Path, ...] = ()  #: stop before the next task when one exists


def read_exit_variables(environ: Mapping[str, str], folder: Path) -> ExitLimits:
    """``limits = read_exit_variables(os.environ, Path.cwd())``: jug's limits.

    Parameters
    ----------
    environ : mapping
        ``JUG_MAX_TASKS``, ``JUG_MAX_HOURS``, ``JUG_MAX_MINUTES`` and ``JUG_MAX_SECONDS`` (the
        three are added up), ``JUG_EXIT_IF_FILE_EXISTS``.
    folder : Path
        Where jug's stop file is looked for.

    Raises
    ------
    ConfigError
        A number is none, or negative.
    """
    given = [_number(environ, name) * size for name, size in _SECONDS.items() if name in environ]
    files = [folder / STOP_FILE]
    if environ.get("JUG_EXIT_IF_FILE_EXISTS"):
        files.append(folder / environ["JUG_EXIT_IF_FILE_EXISTS"])
    return ExitLimits(
        max_tasks=_number(environ, "JUG_MAX_TASKS") if "JUG_MAX_TASKS" in environ else None,
        max_seconds=float(sum(given)) if any(given) else None,
        stop_files=tuple(files),
    )


def _number(environ: Mapping[str, str], name: str) -> int:
    text = environ[name].strip()
    if not text.isdecimal():
        raise ConfigError(f"{name} must be a whole number, 0 or more; got {environ[name]!r}.")
    return int(text)
