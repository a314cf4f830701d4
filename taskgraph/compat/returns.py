"""Whether a function can return anything but ``None``, by its source.

jug stores ``None`` as an empty file, which is also what is left of a file that was cut
off. Where the function can return nothing else, the empty file is a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from taskgraph.compose import Compound


def returns_nothing(f: Callable[..., Any]) -> bool:
    """Return whether the source of a function shows that it can only return ``None``."""
    import ast
    import inspect
    import textwrap

    inner = f.f if isinstance(f, Compound) else f
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(inner)))
    except (OSError, TypeError, SyntaxError):
        return False
    if not isinstance(tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    stack: list[ast.AST] = list(tree.body[0].body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Yield | ast.YieldFrom):
            return False
        if isinstance(node, ast.Return) and not _is_none(node.value):
            return False
        stack.extend(ast.iter_child_nodes(node))
    return not isinstance(inner, Compound)


def _is_none(node: Any) -> bool:
    return node is None or (hasattr(node, "value") and node.value is None)
