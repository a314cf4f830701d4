"""What a name in a function leads to: helpers, classes and constants of the project.

A dotted name and the place it is read in flow in; a :class:`Found` flows out, or ``None``
for what is none of the project's business. Nothing is imported here, and nothing called.
"""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from taskgraph.fingerprint.syntax import (
    Import,
    bindings,
    constant,
    dump,
    global_names,
    names_in,
    source,
)

if TYPE_CHECKING:
    import ast

_FRAMEWORK = Path(__file__).resolve().parent.parent
#: Longest way of re-exports, and deepest wrapping, that is followed.
_HOPS = 20


class Found(NamedTuple):
    """Something that a name leads to."""

    part: str  #: name of the part
    text: str  #: what of it counts
    node: ast.AST | None  #: its syntax tree, to be followed
    scope: Scope | None  #: where the names in it are looked up


class Scope(Protocol):
    """Where names mean something."""

    file: Path
    module: str

    def find(self, chain: tuple[str, ...], root: Path) -> Found | None:
        """Return what a dotted name leads to, ``None`` when it is none of our business."""


def mentioned(node: ast.AST, scope: Scope, root: Path) -> Iterator[Found]:
    """Yield what the names in a syntax tree lead to."""
    imports, chains = names_in(node)
    seen = global_names(node)
    for chain in sorted(chains):
        if chain[0] not in seen and chain[0] not in imports:
            continue
        if chain[0] in imports:
            place = _locate(imports[chain[0]], chain[1:], scope, root)
            found = place and place[0].find(place[1], root)
        else:
            found = scope.find(chain, root)
        if found is not None:
            yield found


class _Live:
    """The names that a function sees while the program runs."""

    def __init__(self, file: Path, names: Mapping[str, Any], closure: Mapping[str, Any]) -> None:
        self.file, self._names, self._closure = file, names, closure
        self.module = str(names.get("__name__", ""))

    def find(self, chain: tuple[str, ...], root: Path) -> Found | None:
        names = self._closure if chain[0] in self._closure else self._names
        if chain[0] not in names:
            return None
        module, name, rest = self.module, chain[0], list(chain[1:])
        obj = names[name]
        while isinstance(obj, ModuleType) and rest and is_ours(obj.__dict__.get("__file__"), root):
            module, name = obj.__name__, rest.pop(0)
            obj = vars(obj).get(name)
        if isinstance(obj, ModuleType):
            return None
        if (text := constant(obj)) is not None:
            return Found(f"constant {module}.{name}", text, None, None)
        return _of_object(unwrap(obj), root)


def _of_object(obj: Any, root: Path) -> Found | None:
    """Return a function or class of the project."""
    if isinstance(obj, FunctionType):
        return of_function(obj, root, f"helper {obj.__module__}.{obj.__qualname__}")
    if isinstance(obj, type):
        module = sys.modules.get(obj.__module__)
        file = getattr(module, "__file__", None)
        if module is not None and is_ours(file, root):
            node = source(str(file)).tops.get(obj.__qualname__)
            if node is not None:
                part = f"class {obj.__module__}.{obj.__qualname__}"
                return Found(part, dump(node), node, _Live(Path(str(file)), vars(module), {}))
    return None


def of_function(function: FunctionType, root: Path, part: str, own: bool = False) -> Found | None:
    """Return the code of a function and where its names mean something.

    ``own`` takes it wherever it lies; ``None`` when it has no source text.
    """
    code = function.__code__
    if not own and not is_ours(code.co_filename, root):
        return None
    node = source(code.co_filename).functions.get((code.co_name, code.co_firstlineno))
    if node is None:
        return None
    scope = _Live(Path(code.co_filename), function.__globals__, _closed_over(function, code))
    return Found(part, dump(node), node, scope)


def _closed_over(function: FunctionType, code: CodeType) -> dict[str, Any]:
    found = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # a name that was never given a value
            continue
    return found


def defaults(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield (parameter, default value)."""
    values = function.__defaults__ or ()
    code = function.__code__
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    yield from zip(names, values, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def unwrap(obj: Any) -> Any:
    """Return the function inside task generators and decorators."""
    for _ in range(_HOPS):
        if isinstance(obj, type | ModuleType):
            break
        inner = getattr(obj, "__wrapped__", None) or (
            None if isinstance(obj, FunctionType) else getattr(obj, "f", None)
        )
        if not callable(inner):
            break
        obj = inner
    return obj


# -- names in the text of modules ----------------------------------------------------
class _Text:
    """The names at the top of a module that may never have been imported."""

    def __init__(self, file: Path, module: str) -> None:
        self.file, self.module = file, module

    def find(self, chain: tuple[str, ...], root: Path) -> Found | None:
        import ast

        scope = self
        for _ in range(_HOPS):
            node = source(str(scope.file)).tops.get(chain[0])
            if not isinstance(node, ast.Import | ast.ImportFrom):
                break
            place = _locate(dict(bindings(node))[chain[0]], chain[1:], scope, root)
            if place is None:
                return None
            scope, chain = place
        else:
            return None  # modules that import a name from each other, in a circle
        if node is None:
            return None
        kind = "class" if isinstance(node, ast.ClassDef) else "helper"
        if isinstance(node, ast.Assign | ast.AnnAssign):
            kind = "constant"
        return Found(f"{kind} {scope.module}.{chain[0]}", dump(node), node, scope)


def _locate(
    what: Import, rest: tuple[str, ...], importer: Scope, root: Path
) -> tuple[_Text, tuple[str, ...]] | None:
    """Return the module that an import statement and ``.rest`` lead to, and what is left."""
    level, module, name = what
    path = [*filter(None, module.split(".")), *filter(None, [name]), *rest]
    folder = importer.file.resolve().parent
    bases = [root, *_between(folder, root)]
    above: list[str] = []
    if level:
        bases = [folder.parents[level - 2] if level > 1 else folder]
        inside = importer.module.split(".")
        cut = level if importer.file.name != "__init__.py" else level - 1
        above = inside[: len(inside) - cut]
    for base in bases:
        for n in range(len(path) - 1, -1 if level else 0, -1):
            file = _module_file(base, path[:n])
            if file is not None and is_ours(str(file), root) and path[n] in source(str(file)).tops:
                return _Text(file, ".".join([*above, *path[:n]])), tuple(path[n:])
    return None


def _between(folder: Path, root: Path) -> Iterator[Path]:
    for place in (folder, *folder.parents):
        if place == root or not place.is_relative_to(root):
            return
        yield place


def _module_file(base: Path, names: list[str]) -> Path | None:
    place = base.joinpath(*names)
    for file in (place.with_suffix(".py") if names else place, place / "__init__.py"):
        if file.is_file():
            return file
    return None


@lru_cache(maxsize=4096)
def is_ours(file: str | None, root: Path) -> bool:
    """Say whether a file is code of the project: below its root, and not installed there."""
    if not file:
        return False
    path = Path(file).resolve()
    if not path.exists() and file in linecache.cache:
        return True  # a notebook cell
    if path.is_relative_to(_FRAMEWORK):
        return False  # its version is in the provenance
    if not path.is_relative_to(root.resolve()) or {"site-packages", "dist-packages"} & {
        *path.parts
    }:
        return False
    prefix = Path(sys.prefix).resolve()
    return not path.is_relative_to(prefix) or root.resolve().is_relative_to(prefix)
