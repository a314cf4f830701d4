"""Settings from ``taskgraph.toml`` or ``[tool.taskgraph]``, and the names they may have.

A folder flows in; the settings of the nearest configuration upwards flow out, checked:
an unknown key or an unusable value is an error, because a misspelt key would change
nothing in silence. Knows no command line library; what beats what is decided there:
command line, then ``TASKGRAPH_<OPTION>``, then these files, then the defaults.

A key at the top counts for every command that has such an option, one in a table named
after a command for that command only. Relative paths start at the file's folder.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from taskgraph.errors import ConfigError

FILE, TABLE, PREFIX = "taskgraph.toml", "tool.taskgraph", "TASKGRAPH_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that files and the environment may set."""

    kind: str  #: a key of the table of types below
    commands: tuple[str, ...] = ()  #: that have it; none: all that take a jugfile


_EXECUTE = ("execute",)

#: All settings; a test compares them with the options of the commands.
SETTINGS = {
    "jugfile": Setting("path"),
    "store": Setting("store"),
    "jug-alias": Setting("flag"),
    "verbose": Setting("integer"),
    "key-file": Setting("path"),
    "no-pickle": Setting("flag"),
    "jobs": Setting("integer", _EXECUTE),
    "progress": Setting("text", _EXECUTE),
    "resources": Setting("amounts", _EXECUTE),
    "memory": Setting("quantity", _EXECUTE),
    "grace": Setting("quantity", _EXECUTE),
    "idle-exit": Setting("quantity", _EXECUTE),
    "max-tasks": Setting("integer", _EXECUTE),
    "max-time": Setting("quantity", _EXECUTE),
    "stop-file": Setting("paths", _EXECUTE),
    "interrupted-code": Setting("integer", _EXECUTE),
    "check-environment": Setting("flag", _EXECUTE),
    "template": Setting("flag", _EXECUTE),
    "quick": Setting("flag", ("status", "sleep-until")),
    "short": Setting("flag", ("status",)),
    "every": Setting("number", ("status",)),
}

_TYPES: dict[str, tuple[str, tuple[type, ...]]] = {
    "text": ("text", (str,)),
    "path": ("a path", (str,)),
    "store": ("a path or URL", (str,)),
    "number": ("a number", (int, float)),
    "integer": ("a whole number", (int,)),
    "quantity": ("a number or text such as 10m or 8G", (int, float, str)),
    "flag": ("true or false", (bool,)),
    "paths": ("a path or a list of paths", (str, list)),
    "amounts": ("a table or text such as gpu=1,memory=8G", (dict, str)),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What one configuration file sets."""

    path: Path | None = None
    common: Mapping[str, Any] = field(default_factory=dict)
    commands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, command: str) -> dict[str, Any]:
        """Return the values for one command, by option name with underscores."""
        merged = {**self.common, **self.commands.get(command, {})}
        return {key.replace("-", "_"): value for key, value in merged.items()}


def read_settings(start: Path, commands: Callable[[], Collection[str]] = tuple) -> Settings:
    """``found = read_settings(Path.cwd())``: the nearest configuration, checked.

    Parameters
    ----------
    start : Path
        Folder to begin at; its parents follow.
    commands : callable
        Returns the names that a table may have besides those of :data:`SETTINGS`: the
        keys in it belong to that command and are taken as they are.

    Raises
    ------
    ConfigError
        The file can't be parsed, or holds an unknown key or an unusable value.
    """
    for path, data in _candidates(start.resolve()):
        table = _table(path, data)
        if table is not None:
            return _checked(path, table, commands)
    return Settings()


def check_environment(environ: Mapping[str, str]) -> None:
    """Raise ConfigError for a ``TASKGRAPH_...`` variable that no option has."""
    known = {variable(key) for key in SETTINGS}
    for name in environ:
        if name.startswith(PREFIX) and name not in known:
            raise ConfigError(
                f"A variable {PREFIX}... sets an option, and none is called so; "
                f"the closest is {_closest(name, known)}. Got {name}."
            )


def variable(key: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + key.upper().replace("-", "_")


def _candidates(start: Path) -> Iterator[tuple[Path, bytes]]:
    for folder in (start, *start.parents):
        for name in (FILE, "pyproject.toml"):
            path = folder / name
            if path.is_file():
                data = path.read_bytes()
                if name == FILE or b"taskgraph" in data:
                    yield path, data


def _table(path: Path, data: bytes) -> dict[str, Any] | None:
    import tomllib

    try:
        content = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"A configuration file is TOML; {path} is not: {error}.") from error
    if path.name == FILE:
        return content
    found = content.get("tool", {}).get("taskgraph")
    return found if isinstance(found, dict) else None


def _checked(path: Path, table: dict[str, Any], others: Callable[[], Collection[str]]) -> Settings:
    tables = {name for setting in SETTINGS.values() for name in setting.commands}
    common: dict[str, Any] = {}
    commands: dict[str, dict[str, Any]] = {}
    for key, value in table.items():
        if key in SETTINGS:
            common[key] = _value(path, key, value)
        elif key in tables and isinstance(value, dict):
            commands[key] = _command(path, key, value)
        elif isinstance(value, dict) and key in others():
            commands[key] = value
        else:
            raise _unknown(path, key, key, {*SETTINGS, *tables})
    return Settings(path, common, commands)


def _command(path: Path, command: str, table: dict[str, Any]) -> dict[str, Any]:
    known = {key for key, one in SETTINGS.items() if not one.commands or command in one.commands}
    for key in table:
        if key not in known:
            raise _unknown(path, f"{command}.{key}", key, known)
    return {key: _value(path, key, given) for key, given in table.items()}


def _value(path: Path, key: str, value: Any) -> Any:
    kind = SETTINGS[key].kind
    words, types = _TYPES[kind]
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ConfigError(f"{path}: {key} must be {words}; got {value!r}.")
    return _CONVERT.get(kind, lambda _, same: same)(path.parent, value)


def _path(folder: Path, value: str) -> str:
    return str(folder / Path(value).expanduser())


def _store(folder: Path, value: str) -> str:
    from taskgraph.registry import scheme_of

    plain = scheme_of(value) == "file" and not value.startswith("file:")
    return _path(folder, value) if plain else value


def _paths(folder: Path, value: str | list[Any]) -> list[str]:
    return [_path(folder, str(one)) for one in ([value] if isinstance(value, str) else value)]


def _amounts(folder: Path, value: str | dict[str, Any]) -> list[str]:
    return [value] if isinstance(value, str) else [f"{k}={amount}" for k, amount in value.items()]


_CONVERT: dict[str, Any] = {"path": _path, "store": _store, "paths": _paths, "amounts": _amounts}


def _unknown(path: Path, shown: str, key: str, known: set[str]) -> ConfigError:
    return ConfigError(
        f"{path} has the unknown key {shown!r}; the closest known one is {_closest(key, known)}."
    )


def _closest(word: str, known: set[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, sorted(known), n=1, cutoff=0.0)
    return near[0] if near else "none"
