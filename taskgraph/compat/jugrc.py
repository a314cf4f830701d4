"""Reads jug's configuration files, where jug looks for them.

A folder flows in; the options that the files set flow out under jug's names, nearest
file first, and so do the keys that jug would have accepted in silence. What an option
means here is the command line's business.
"""

from __future__ import annotations

import configparser
from pathlib import Path
from typing import Any

from taskgraph.errors import ConfigError

#: jug's options by section, with what their values are.
OPTIONS: dict[str, dict[str, type]] = {
    "main": {
        "jugdir": str, "jugfile": str, "aggressive-unload": bool, "pdb": bool, "debug": bool,
        "short": bool, "verbose": str, "will-cite": bool,
    },
    "execute": {
        "wait-cycle-time": float, "nr-wait-cycles": int, "keep-going": bool, "keep-failed": bool,
        "name": str, "pattern": str, "no-check-environment": bool,
    },
    "status": {"cache": bool, "cache-clear": bool, "cache-file": str},
    "invalid": {"name": str, "pattern": str},
    "cleanup": {"keep-locks": bool, "failed-only": bool, "locks-only": bool},
    "graph": {"no-status": bool, "format": str},
    "webstatus": {"port": int, "ip": str},
    "install-skills": {"output": str, "force": bool},
}  # fmt: skip

_GLOBAL = (".config/jug/jugrc", ".config/jugrc", ".jug/configrc")
_FALSE = ("", "0", "false", "off", "no", "n")


def read_jugrc(folder: Path, home: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    """``options, unknown = read_jugrc(Path.cwd())``: what jug's files set.

    Parameters
    ----------
    folder : Path
        Where to begin: ``.jugrc`` and ``jugrc`` here and in the parents up to the root of
        the git repository, nearest first.
    home : Path, optional
        Where the user's own file lies, which counts last; default the home folder.

    Returns
    -------
    options : dict
        Values by jug's option names, e.g. ``execute_wait_cycle_time``.
    unknown : list of str
        ``file: [section] key`` of what jug has no option for.

    Raises
    ------
    ConfigError
        A file can't be parsed, or a value is not what its option takes.
    """
    options: dict[str, Any] = {}
    unknown: list[str] = []
    for path in reversed(config_files(folder.resolve(), home or Path.home())):
        _read_file(path, options, unknown)
    return options, unknown


def config_files(folder: Path, home: Path) -> list[Path]:
    """Return jug's configuration files that exist, the one that wins first."""
    above = [folder, *folder.parents]
    root = next((one for one in above if (one / ".git").exists()), None)
    search = above[: above.index(root) + 1] if root is not None else [folder]
    found = [one / name for one in search for name in (".jugrc", "jugrc")]
    users = [home / name for name in _GLOBAL if (home / name).is_file()]
    return [path for path in found if path.is_file()] + users[:1]


def _read_file(path: Path, options: dict[str, Any], unknown: list[str]) -> None:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=str(path))
    except (configparser.Error, UnicodeDecodeError) as error:
        raise ConfigError(f"jug's configuration file must be an INI file: {error}") from error
    for section in parser.sections():
        known = OPTIONS.get(section, {})
        for key, text in parser.items(section):
            kind = known.get(key.replace("_", "-"))
            if kind is None:
                unknown.append(f"{path}: [{section}] {key}")
                continue
            name = key if section == "main" else f"{section}_{key}"
            options[name.replace("-", "_")] = _value(kind, text, f"{path}: [{section}] {key}")


def _value(kind: type, text: str, where: str) -> Any:
    if kind is bool:
        return text.lower() not in _FALSE
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigError(f"{where} must be a {kind.__name__}; got {text!r}.") from error
