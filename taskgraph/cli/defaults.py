"""The defaults of one command: jug's ``.jugrc`` below our own configuration file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from taskgraph.cli.catalogue import COMMANDS
from taskgraph.cli.trouble import note
from taskgraph.config import check_environment, read_settings

#: jug's option names, and the command and parameter that mean the same here.
JUGRC = {
    "jugdir": ("", "store"),
    "jugfile": ("", "jugfile"),
    "short": ("status", "short"),
    "pdb": ("execute", "pdb"),
    "execute_name": ("execute", "names"),
    "execute_pattern": ("execute", "pattern"),
    "execute_wait_cycle_time": ("execute", "wait_cycle_time"),
    "execute_nr_wait_cycles": ("execute", "nr_wait_cycles"),
    "invalid_name": ("invalidate", "names"),
    "invalid_pattern": ("invalidate", "pattern"),
    "graph_format": ("graph", "form"),
}


def defaults(folder: Path, command: str) -> dict[str, Any]:
    """Return a command's defaults by parameter name.

    Parameters
    ----------
    folder : Path
        The jugfile's folder, or the current one.
    command : str
        The command's name.
    """
    check_environment(os.environ)
    settings = read_settings(folder, _plugin_names)
    return {**_of_jug(command), **settings.of(command)}


def _plugin_names() -> tuple[str, ...]:
    from taskgraph.cli.plugins import installed

    return tuple(name for name in installed() if name not in COMMANDS)


def _of_jug(command: str) -> dict[str, Any]:
    from taskgraph.compat.jugrc import read_jugrc

    options, unknown = read_jugrc(Path.cwd())
    if unknown:
        note(f"jug has no such option either: {'; '.join(unknown)}")
    found: dict[str, Any] = {}
    for name, value in options.items():
        home, parameter = JUGRC.get(name, (None, ""))
        if home in ("", command):
            found[parameter] = [value] if parameter == "names" else value
    if options.get("execute_no_check_environment"):
        found["check_environment"] = False
    return found
