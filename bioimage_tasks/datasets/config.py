"""Many collections at once, from a YAML or TOML file with overrides.

A file comes in, collections go out. Nothing of the file is run: names are looked up among
the registered collections, options among the arguments of their classes, and what is
unknown is an error with file, key and what is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bioimage_tasks.datasets.base import ImageRef
from bioimage_tasks.datasets.collection import ImageCollection
from bioimage_tasks.datasets.registry import get
from bioimage_tasks.datasets.samples import Transform

SECTIONS = ("collections", "common", "root")
#: Options of code, not of a file.
_NOT_IN_FILES = {"self", "transform", "options"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One collection of a configuration.

    Attributes
    ----------
    key : str
        How overrides and transforms call it.
    collection : str
        Name of the class, as :func:`bioimage_tasks.datasets.names` lists it.
    root : str
    options : dict
        Its own options and the common ones.
    where : str
        File and key, for errors.
    """

    key: str
    collection: str
    root: str
    options: dict[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class Config:
    """Collections with their options: ``read_config("many.yaml").collections()``.

    Attributes
    ----------
    entries : tuple of Entry
    """

    entries: tuple[Entry, ...]

    def collections(
        self, transform: Transform | Mapping[str, Transform] | None = None
    ) -> list[ImageCollection]:
        """Make the collections; no pixels are read.

        Parameters
        ----------
        transform : callable or mapping of str to callable, optional
            One for all, or by the key of an entry.

        Raises
        ------
        ValueError
            A value is none that the option takes; names file and key.
        """
        return [_made(entry, transform) for entry in self.entries]

    def images(self) -> list[ImageRef]:
        """Return the images of all collections, one after the other."""
        return [image for collection in self.collections() for image in collection.images()]

    def replace_root(self, new: str | os.PathLike[str], old: str = "") -> Config:
        """Return the same with all data elsewhere: ``config.replace_root("/scratch")``.

        Parameters
        ----------
        new : str or path
        old : str
            Folder that ``new`` takes the place of; by default the one that all roots have
            in common.

        Raises
        ------
        ValueError
            A root does not lie in ``old``.
        """
        roots = [entry.root for entry in self.entries]
        common = old or _common(roots)
        outside = [root for root in roots if not Path(root).is_relative_to(common)]
        if outside:
            raise ValueError(
                f"replace_root: every root must lie in {common}; got {', '.join(outside)}"
            )
        return Config(tuple(_moved(entry, common, os.fspath(new)) for entry in self.entries))

    def override(self, *changes: str, **common: Any) -> Config:
        """Return the same with other values: ``config.override("dsb.part=test", seed=1)``.

        Parameters
        ----------
        *changes : str
            ``option=value`` for every collection that has the option, or
            ``key.option=value`` for one; values are read as YAML.
        **common
            Options for every collection that has them.

        Raises
        ------
        ValueError
            There is no such key, or no collection has the option.
        """
        config = self
        for change in changes:
            name, equals, text = change.partition("=")
            if not equals:
                raise ValueError(f"override: a change is option=value; got {change!r}")
            config = config._changed(name.strip(), _yaml(text), change)
        for name, value in common.items():
            config = config._changed(name, value, f"{name}={value!r}")
        return config

    def _changed(self, name: str, value: Any, change: str) -> Config:
        key, _dot, option = name.rpartition(".")
        if key and key not in {entry.key for entry in self.entries}:
            keys = ", ".join(entry.key for entry in self.entries)
            raise ValueError(f"override: collections are {keys}; got {change!r}")
        mine = [entry for entry in self.entries if key in ("", entry.key)]
        able = [entry for entry in mine if option == "root" or option in _options(entry.collection)]
        if not able:
            allowed = sorted({each for entry in mine for each in _options(entry.collection)})
            raise ValueError(f"override: options are {', '.join(allowed)}; got {change!r}")
        return Config(
            tuple(_set(each, option, value) if each in able else each for each in self.entries)
        )


def _common(roots: list[str]) -> str:
    """Return the folder that all roots have in common; of one root, its folder."""
    return os.path.dirname(roots[0]) if len(roots) == 1 else os.path.commonpath(roots)  # noqa: PTH120


def _moved(entry: Entry, old: str, new: str) -> Entry:
    """Return the entry with its root, and paths among its options, elsewhere."""

    def elsewhere(value: Any) -> Any:
        if isinstance(value, str) and Path(value).is_relative_to(old):
            return str(Path(new) / Path(value).relative_to(old))
        return value

    options = {name: elsewhere(value) for name, value in entry.options.items()}
    return replace(entry, root=elsewhere(entry.root), options=options)


def _set(entry: Entry, option: str, value: Any) -> Entry:
    if option == "root":
        return replace(entry, root=str(value))
    return replace(entry, options=entry.options | {option: value})


def _made(entry: Entry, transform: Transform | Mapping[str, Transform] | None) -> ImageCollection:
    options = dict(entry.options)
    chosen = transform.get(entry.key) if isinstance(transform, Mapping) else transform
    if chosen is not None:
        options["transform"] = chosen
    try:
        return get(entry.collection)(entry.root, **options)
    except (TypeError, ValueError) as trouble:
        raise ValueError(f"{entry.where}: {trouble}") from trouble


def _options(collection: str) -> tuple[str, ...]:
    """Return the options of a class that a file may set, its parents' included."""
    from inspect import Parameter, signature

    found: dict[str, None] = {}
    for cls in get(collection).__mro__:
        if "__init__" not in vars(cls) or cls is object:
            continue
        own = list(signature(vars(cls)["__init__"]).parameters.values())
        # The first after self is the root.
        found |= dict.fromkeys(each.name for each in own[2:] if each.name not in _NOT_IN_FILES)
        if not any(each.kind is Parameter.VAR_KEYWORD for each in own):
            break
    return tuple(found)


def read_config(path: str | os.PathLike[str], *overrides: str) -> Config:
    """Read a configuration: ``read_config("many.yaml", "part=all", "dsb.n_samples=20")``.

    Parameters
    ----------
    path : str or path
        ``.yaml``, ``.yml`` or ``.toml`` with ``collections``, a mapping from a key to
        options, and optionally ``common`` (options of all that have them) and ``root``
        (what relative roots lie in; by default the file's own folder). A key is a
        collection's name, or anything when ``collection`` says which it is.
    *overrides : str
        See :meth:`Config.override`.

    Returns
    -------
    Config

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file can't be parsed, or has an unknown section, collection or option; names
        file, key and what is allowed.
    """
    source = Path(path)
    whole = _parsed(source)
    _check_keys(str(source), whole, SECTIONS)
    collections = _mapping(f"{source}: collections", whole.get("collections"))
    common = _mapping(f"{source}: common", whole.get("common") or {})
    folder = source.parent / str(whole.get("root", ""))
    entries = [
        _entry(source, folder, key, _mapping(f"{source}: collections.{key}", own), common)
        for key, own in collections.items()
    ]
    known = {option for entry in entries for option in _options(entry.collection)}
    _check_keys(f"{source}: common", common, tuple(sorted(known)))
    return Config(tuple(entries)).override(*overrides)


def _entry(
    source: Path, folder: Path, key: str, own: dict[str, Any], common: dict[str, Any]
) -> Entry:
    where = f"{source}: collections.{key}"
    name = str(own.get("collection", key))
    try:
        allowed = _options(name)
    except ValueError as trouble:
        raise ValueError(f"{where}: {trouble}") from trouble
    _check_keys(where, own, ("collection", "root", *allowed))
    if "root" not in own:
        raise ValueError(f"{where}: a collection needs a root, its folder; got {sorted(own)}")
    options = {option: value for option, value in common.items() if option in allowed}
    options |= {o: value for o, value in own.items() if o not in ("collection", "root")}
    return Entry(key, name, str(folder / str(own["root"])), options, where)


def _check_keys(where: str, found: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
    unknown = [str(key) for key in found if key not in allowed]
    if unknown:
        raise ValueError(f"{where}: keys are {', '.join(allowed)}; got {', '.join(unknown)}")


def _mapping(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(
            f"{where}: must be a mapping from names to values; got {type(value).__name__}"
        )
    return value


def _parsed(source: Path) -> dict[str, Any]:
    suffix = source.suffix.lower()
    if suffix not in (".yaml", ".yml", ".toml"):
        raise ValueError(f"read_config: the file must end with .yaml, .yml or .toml; got {source}")
    if not source.is_file():
        raise FileNotFoundError(f"read_config: no such file: {source}")
    try:
        text = source.read_text(encoding="utf-8")
        if suffix == ".toml":
            import tomllib

            return tomllib.loads(text)
        return _mapping(str(source), _yaml(text))
    except ValueError as trouble:
        raise ValueError(f"read_config: {source} can't be read: {trouble}") from trouble


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as trouble:
        raise ValueError(str(trouble)) from trouble
