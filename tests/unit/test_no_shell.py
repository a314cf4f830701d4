"""No text from a user reaches a shell: no call in the packages starts one."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("taskgraph", "backends", "bioimage_tasks", "scripts", "benchmarks", "jugfiles")
#: Functions that hand a text to a shell whatever their arguments are.
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
HOMES = {"os", "subprocess", "asyncio"}


def shells(source: str) -> list[int]:
    """Return the lines of calls that start a shell."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names = {alias.name for node in imports if node.module in HOMES for alias in node.names}
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and (_is_shell(node.func, names) or _asks(node))
    ]


def _is_shell(function: ast.expr, imported: set[str]) -> bool:
    if isinstance(function, ast.Attribute):
        return function.attr in SHELLS and ast.unparse(function.value) in HOMES
    return isinstance(function, ast.Name) and function.id in SHELLS & imported


def _asks(call: ast.Call) -> bool:
    asked = [word.value for word in call.keywords if word.arg == "shell"]
    return any(not isinstance(value, ast.Constant) or bool(value.value) for value in asked)


def test_the_checker_sees_shells():
    assert shells("from os import popen\npopen('ls')\n") == [2]
    assert shells("import os\nos.system('ls')\n") == [2]
    assert shells("run('ls ' + name, shell=True)") == [1]
    assert shells("run(['ls', name], shell=flag)") == [1]
    assert shells("run(['ls', name], shell=False)\nplatform.system()\nsystem()") == []


def test_nothing_starts_a_shell():
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    assert len(paths) > 100
    found = {str(path): lines for path in paths if (lines := shells(path.read_text()))}
    assert found == {}
