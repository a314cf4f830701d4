"""Makes ``import jug`` mean ``taskgraph.compat.jug``, also where jug is installed.

A finder before all others on ``sys.meta_path``: ``jug`` and ``jug.x`` become the modules
of our stand-in, the same module objects under both names. Said once, at first use. What
the stand-in does not have is an ImportError that says so; only jug's own example
jugfiles (``jug.tests``, ``jug.skills``) are still found where jug is installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType
from typing import Any

STAND_IN = "taskgraph.compat.jug"

#: Parts of jug that are written as jugfiles are, and run as such.
_EXAMPLES = ("jug.tests", "jug.skills")


class JugAlias(Loader):
    """The finder, and the loader of what it finds."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.said = False
        self.set_aside: dict[str, ModuleType] = {}  #: modules of the real jug
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return our own spec for jug's names, nothing for all others."""
        if name != "jug" and not name.startswith("jug."):
            return None
        if not self.said:
            self.said = True
            self.say(f"`import jug` means {STAND_IN} here; --no-jug-alias gives the installed jug.")
        real = STAND_IN + name[3:]
        if _exists(real):
            return ModuleSpec(name, self, origin=real)
        if name.startswith(_EXAMPLES):
            return _installed(name)
        raise ModuleNotFoundError(
            f"taskgraph's stand-in for jug has no module {name!r}. Use the functions of taskgraph, "
            "or run the file under jug itself (--no-jug-alias).",
            name=name,
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module of the stand-in."""
        module = import_module(str(spec.origin))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back: it has run already."""
        for name, spec in list(self._specs.items()):
            if module.__spec__ is not None and module.__spec__.name == name:
                module.__spec__ = spec
                del self._specs[name]
                if name == "jug":
                    _share_loaded()


def _share_loaded() -> None:
    """Enter the loaded modules of the stand-in under jug's names too.

    Importing one later would set it as an attribute of the package, where ``barrier`` is
    the function and not the module.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(STAND_IN + "."):
            sys.modules["jug" + name[len(STAND_IN) :]] = module


def _exists(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is missing
        return False


def _installed(name: str) -> ModuleSpec | None:
    """Return the spec of a module of the installed jug."""
    parent: Any = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for count in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:count]), parent)
        if spec is None:
            return None
        parent = spec.submodule_search_locations
    return spec


def _alias() -> JugAlias | None:
    return next((one for one in sys.meta_path if isinstance(one, JugAlias)), None)


def install_alias(say: Callable[[str], None]) -> None:
    """Make ``import jug`` mean the stand-in, in this process, from now on.

    Parameters
    ----------
    say : callable
        Told one line when jug is imported for the first time.
    """
    if _alias() is not None:
        return
    alias = JugAlias(say)
    for name in [name for name in sys.modules if name == "jug" or name.startswith("jug.")]:
        alias.set_aside[name] = sys.modules.pop(name)
    sys.meta_path.insert(0, alias)


def remove_alias() -> None:
    """Give the name ``jug`` back to the installed jug."""
    alias = _alias()
    if alias is None:
        return
    sys.meta_path.remove(alias)
    for name in [name for name in sys.modules if name == "jug" or name.startswith("jug.")]:
        del sys.modules[name]
    sys.modules.update(alias.set_aside)
