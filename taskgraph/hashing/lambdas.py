"""What a tasklet's function is: by name where it has one, by syntax tree where not.

A function flows in, bytes flow out that end themselves. A function with a name that
leads back to it is that name, as everywhere. A lambda, or a function made inside a
function, is its syntax tree without positions and docstring, together with what it
holds: values closed over, defaults, and the plain constants of its module that it reads.
Other functions it calls count by their names. This is allowed for tasklets alone, whose
values are never stored: an argument of a task still needs a name.

The tree is found in the source text, by the positions that the compiler left in the
code. Without the source there is no identity. Nothing is compiled or run here.
"""

from __future__ import annotations

import linecache
from collections.abc import Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any

from taskgraph.errors import HashError
from taskgraph.hashing.names import is_local, qualified_name
from taskgraph.hashing.walk import encode, frame

if TYPE_CHECKING:
    import ast

#: Module constants of these types count; anything else counts by its name only.
CONSTANTS = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset)

#: What says how a piece of code is used, or where it stands, but not what it does.
_IGNORED = frozenset({"ctx", "type_comment", "type_ignores", "kind", "decorator_list"})

_TREES: dict[str, tuple[list[str], list[ast.AST]]] = {}


def encode_function(f: Any) -> bytes:
    """``raw = encode_function(lambda x: x + 1)``: return bytes that identify a function.

    Parameters
    ----------
    f : callable
        A function, a lambda, a partial of one, or an object that can be called and has
        an identity.

    Raises
    ------
    HashError
        It is known by its source only, and the source can't be found or read, or it holds
        a value without identity.
    """
    if isinstance(f, partial):
        inner = encode_function(f.func)
        return b"p" + frame(inner + encode(list(f.args)) + encode(dict(f.keywords)))
    if isinstance(f, FunctionType) and is_local(f.__qualname__) and not _own_hash(f):
        return b"\\" + frame(b"".join(_parts(f)))
    return b"n" + frame(encode(f))


def _own_hash(f: FunctionType) -> bool:
    return "__taskgraph_hash__" in f.__dict__ or "__jug_hash__" in f.__dict__


def _parts(f: FunctionType) -> Iterator[bytes]:
    """Yield the tree of a function, then each value that it holds, under its name."""
    tree = find_tree(f)
    yield frame(dump(tree))
    for place, default in enumerate(f.__defaults__ or ()):
        yield b"d" + _held(f, str(place), default)
    for name, default in sorted((f.__kwdefaults__ or {}).items()):
        yield b"k" + _held(f, name, default)
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=True):
        try:
            content = cell.cell_contents
        except ValueError:  # not assigned yet: it will be another function then
            yield b"e" + frame(name)
        else:
            if content is not f:  # a function that calls itself
                yield b"c" + _held(f, name, content)
    for name in _names(tree):
        value = f.__globals__.get(name, f)
        if type(value) in CONSTANTS:
            yield b"g" + _held(f, name, value)


def _held(f: FunctionType, name: str, value: Any) -> bytes:
    """Encode a value that a function holds; functions among them as functions."""
    try:
        raw = encode_function(value) if isinstance(value, FunctionType | partial) else encode(value)
    except TypeError as error:  # HashError and TaskError are TypeErrors
        raise HashError(
            "A lambda is known by its text and the values it holds, and one of these has no "
            f"stable identity: {name} of {_place(f)}. Use a function with def at the top level "
            f"of the jugfile, or make it a task. ({error})"
        ) from error
    return frame(name) + raw


def _place(f: FunctionType) -> str:
    return f"{qualified_name(f)} ({f.__code__.co_filename}:{f.__code__.co_firstlineno})"


def _names(tree: ast.AST) -> list[str]:
    """Return the names that a tree reads, sorted."""
    import ast

    return sorted({node.id for node in ast.walk(tree) if isinstance(node, ast.Name)})


def find_tree(f: FunctionType) -> ast.AST:
    """Return the node of the syntax tree that a function was compiled from.

    Raises
    ------
    HashError
        There is no source, or two lambdas that differ fit equally well.
    """
    code = f.__code__
    lines = linecache.getlines(code.co_filename, f.__globals__)
    fitting = [node for node in _functions(code.co_filename, lines) if _fits(node, code)]
    if len(fitting) > 1:
        extent = _extent(code)
        fitting = [node for node in fitting if _body_extent(node) == extent] or fitting
    if not fitting:
        raise HashError(
            "A lambda is known by its source text, and none was found. Write it in a file (or a "
            f"notebook cell), or use a function with a name. Got {_place(f)}."
        )
    if len({dump(node) for node in fitting}) > 1:
        raise HashError(
            "Two lambdas of one line can't be told apart here. Put each on a line of its own, "
            f"or use functions with names. Got {_place(f)}."
        )
    return fitting[0]


def _functions(filename: str, lines: list[str]) -> list[ast.AST]:
    """Return every lambda and def of a source file, parsed once while it stays the same."""
    import ast

    known = _TREES.get(filename)
    if known is not None and known[0] is lines:
        return known[1]
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError as error:  # the file was changed after it was read
        raise HashError(
            f"The source of a lambda must be readable: {filename} has changed. Start again. "
            f"Got {error}."
        ) from error
    kinds = (ast.Lambda, ast.FunctionDef, ast.AsyncFunctionDef)
    found: list[ast.AST] = [node for node in ast.walk(tree) if isinstance(node, kinds)]
    _TREES[filename] = (lines, found)
    return found


def _fits(node: Any, code: CodeType) -> bool:
    """Return whether the code may come from this node: kind, name and first line."""
    name = getattr(node, "name", "<lambda>")
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", ()))])
    return bool(name == code.co_name and first == code.co_firstlineno)


def _extent(code: CodeType) -> tuple[Any, ...]:
    """Return where the code of a lambda begins and ends, by the compiler's positions."""
    places = [
        ((line, column), (end_line, end_column))
        for line, end_line, column, end_column in code.co_positions()
        if None not in (line, end_line, column, end_column)
        and (line, column) != (end_line, end_column)
    ]
    return (min(p[0] for p in places), max(p[1] for p in places)) if places else ()


def _body_extent(node: Any) -> tuple[Any, ...]:
    body = node.body
    if isinstance(body, list):
        return ()
    return (body.lineno, body.col_offset), (body.end_lineno, body.end_col_offset)


def dump(tree: Any) -> bytes:
    """Return a syntax tree as bytes, the same in each Python version that parses it so."""
    if isinstance(tree, list):
        return b"l%d:" % len(tree) + b"".join(map(dump, tree))
    if not hasattr(tree, "_fields"):
        return b"v" + encode(tree)
    pieces = []
    for name in sorted(tree._fields):
        value = getattr(tree, name, None)
        if name in _IGNORED or (value is None and name != "value") or value == []:
            continue
        if name == "body" and isinstance(value, list):
            value = _without_docstring(value)
        pieces.append(frame(name) + dump(value))
    return frame(type(tree).__name__) + b"%d:" % len(pieces) + b"".join(pieces)


def _without_docstring(body: list[Any]) -> list[Any]:
    import ast

    first = body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_text and isinstance(first.value.value, str) else body
