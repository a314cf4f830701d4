"""Syntax trees of files, written out; the names and the constants in them.

File names and syntax trees flow in, text flows out. It must not know functions or modules
that live: everything here is about text.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ast

#: Decorators that change when or where a function runs, not what it returns.
_OURS = frozenset({"TaskGenerator", "CompoundTaskGenerator", "CachedFunction"})
_PLAIN = (type(None), bool, int, float, complex, str, bytes)
#: Items of a container that is still a constant, not data.
_MOST_ITEMS = 10_000
_HEX = 32

#: What an import statement binds: (level, module, name in it).
Import = tuple[int, str, str]


class _Source(NamedTuple):
    """The syntax tree of a file, by what is looked for in it."""

    functions: dict[tuple[str, int], ast.AST]  #: (name, first line) -> any function
    tops: dict[str, ast.AST]  #: name -> last statement at the top that binds it


def source(filename: str) -> _Source:
    """Return the syntax tree of a file, or of a notebook cell; empty when there is none."""
    lines = linecache.getlines(filename)
    return _parse("".join(lines))


@lru_cache(maxsize=256)
def _parse(text: str) -> _Source:
    import ast

    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return _Source({}, {})
    functions: dict[tuple[str, int], ast.AST] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
            functions[node.name, first] = node
            node.decorator_list = [one for one in node.decorator_list if not _is_ours(one)]
        elif isinstance(node, ast.Lambda):
            functions["<lambda>", node.lineno] = node
    tops: dict[str, ast.AST] = {name: node for node in tree.body for name in _bound(node)}
    return _Source(functions, tops)


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement at the top of a module binds."""
    import ast

    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (name for name, _ in bindings(node))
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for child in ast.walk(node):
            if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
                yield child.id


@lru_cache(maxsize=4096)
def dump(node: ast.AST) -> str:
    """Write a syntax tree out: the same text for the same code in every supported Python.

    Parameters
    ----------
    node : ast.AST
        Any node. Docstrings, positions, type comments and empty fields are left out.
    """
    import ast

    out: list[str] = []
    todo: list[Any] = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
        elif isinstance(item, ast.AST):
            todo.append(")")
            for name, value in reversed(list(_fields(item))):
                todo += [";", value, f"{name}="]
            out.append(f"{type(item).__name__}(")
        elif isinstance(item, list):
            todo.append("]")
            todo += [part for one in reversed(item) for part in (",", one)]
            out.append("[")
        else:
            out.append(repr(item))
    return "".join(out)


def _fields(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """Yield the fields that count and are not empty; texts as their repr."""
    import ast

    if isinstance(node, ast.Constant):
        yield "value", constant(node.value) or repr(node.value)
        return
    for name in node._fields:
        value = getattr(node, name, None)
        if name == "body" and isinstance(value, list):
            value = _without_docstring(value)
        elif name == "values" and isinstance(node, ast.JoinedStr):
            value = [one for one in node.values if getattr(one, "value", None) != ""]
        if name not in ("type_comment", "ctx") and value is not None and value != []:
            yield name, repr(value) if isinstance(value, str) else value


def _without_docstring(body: list[Any]) -> list[Any]:
    import ast

    first = body[0] if body else None
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if text and isinstance(first.value.value, str) else body  # type: ignore[union-attr]


def _is_ours(node: ast.AST) -> bool:
    chain = chain_of(getattr(node, "func", node))
    return bool(chain) and chain[-1] in _OURS


# -- values --------------------------------------------------------------------------
def constant(value: Any, depth: int = 0) -> str | None:
    """Return a plain value as text, the same in every process; ``None`` for others."""
    kind = type(value)
    if kind in _PLAIN:
        return f"{kind.__name__} {value!r}"
    if depth > 20 or kind not in (list, tuple, set, frozenset, dict) or len(value) > _MOST_ITEMS:
        return None
    items: list[Any] = [*value.items()] if kind is dict else [*value]
    texts = [constant(item, depth + 1) for item in items]
    if None in texts:
        return None
    known = [text for text in texts if text is not None]
    ordered = known if kind in (list, tuple) else sorted(known)
    return f"{kind.__name__}[{len(known)}]({', '.join(ordered)})"


def digest(text: str) -> str:
    """Return 32 hex digits over a text."""
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_HEX]


@lru_cache(maxsize=4096)
def names_in(node: ast.AST) -> tuple[dict[str, Import], set[tuple[str, ...]]]:
    """Return the imports inside a syntax tree and the dotted names that it reads."""
    import ast

    imports: dict[str, Import] = {}
    chains: set[tuple[str, ...]] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            imports.update(bindings(child))
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Load):
            chains.add((child.id,))
        elif isinstance(child, ast.Attribute) and (chain := chain_of(child)):
            chains.add(chain)
    longer = {chain[:n] for chain in chains for n in range(1, len(chain))}
    return imports, chains - longer


@lru_cache(maxsize=4096)
def global_names(node: ast.AST) -> set[str]:
    """Return the names that a piece of code reads from around it: no parameters or locals."""
    import ast
    import symtable

    top = symtable.symtable(ast.unparse(node), "code", "exec")
    found = {one.get_name() for one in top.get_symbols() if one.is_referenced()}
    todo = list(top.get_children())
    while todo:
        table = todo.pop()
        todo += table.get_children()
        symbols = table.get_symbols()
        found |= {one.get_name() for one in symbols if one.is_global() and one.is_referenced()}
    return found


def chain_of(node: ast.AST) -> tuple[str, ...]:
    """Return ``("a", "b", "c")`` for the syntax tree of ``a.b.c``, else ``()``."""
    import ast

    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return (node.id, *reversed(names)) if isinstance(node, ast.Name) else ()


def bindings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Import]]:
    """Yield (name bound, (level, module, name in it)) of an import statement."""
    for alias in node.names:
        level = getattr(node, "level", 0) or 0
        module = getattr(node, "module", None)
        if hasattr(node, "module"):
            yield alias.asname or alias.name, (level, module or "", alias.name)
        elif alias.asname:
            yield alias.asname, (0, alias.name, "")
        else:
            first = alias.name.partition(".")[0]
            yield first, (0, first, "")
