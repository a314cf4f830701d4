"""The house rules as tests: what an import costs, who may know whom, how long a room may be.

Each checker is first shown a planted fault.
"""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("taskgraph", "backends", "bioimage_tasks")
HEAVY = ("numpy", "torch", "click", "redis", "pandas", "scipy", "skimage", "sklearn", "mahotas")


def loaded_by(statement: str, suspects: tuple[str, ...]) -> list[str]:
    """Return those of ``suspects`` that a fresh process has loaded after ``statement``."""
    program = f"{statement}\nimport sys\nprint(*[m for m in {suspects!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def without(*light: str) -> tuple[str, ...]:
    return tuple(name for name in HEAVY if name not in light)


def test_the_import_checker_sees_a_heavy_import():
    assert loaded_by("import email, json", ("json", "sqlite3")) == ["json"]


@pytest.mark.parametrize(
    ("module", "suspects"),
    [
        ("taskgraph", (*HEAVY, "inspect", "asyncio", "sqlite3", "unittest")),
        ("taskgraph.supervisor", HEAVY),
        ("taskgraph.cli", without("click")),
        ("backends.file_store", HEAVY),
        ("backends.memory_store", HEAVY),
        ("bioimage_tasks.start", (*HEAVY, "taskgraph", "inspect")),
        ("bioimage_tasks", without("numpy", "click", "redis")),
        ("bioimage_tasks.tasks", (*without("numpy", "click", "redis"), "matplotlib", "zarr")),
    ],
)
def test_an_import_loads_nothing_heavy(module, suspects):
    assert loaded_by(f"import {module}", suspects) == []


# -- layers ------------------------------------------------------------------------


def lint_imports(config: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on this tree with another configuration file."""
    program = Path(sys.executable).with_name("lint-imports")
    command = [str(program), "--config", str(config), "--no-cache"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_import_linter_sees_a_module_on_the_wrong_floor(tmp_path):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    spine = config["importlinter:contract:spine"]
    floors = spine["layers"].split("\n")
    assert floors[-1] == "errors"
    spine["layers"] = "\n".join(["", "errors", *floors[1:-1]])
    with (tmp_path / "upside-down.cfg").open("w") as file:
        config.write(file)
    done = lint_imports(tmp_path / "upside-down.cfg")
    assert done.returncode == 1
    assert "is not allowed to import taskgraph.errors" in done.stdout


def test_the_layers_hold():
    done = lint_imports(ROOT / "setup.cfg")
    assert done.returncode == 0, done.stdout


def names_imported(source: str) -> set[str]:
    """Return the top packages that a source text imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_jugfiles_name_stores_by_url_only():
    assert names_imported("def f():\n    from backends.x import y") == {"backends"}
    for path in (ROOT / "jugfiles").glob("*.py"):
        assert "backends" not in names_imported(path.read_text()), path


# -- sizes -------------------------------------------------------------------------


def too_long(path: Path, lines: int = 400, function_lines: int = 60) -> list[str]:
    """Return what in a file has outgrown the house: the file, or functions without docstring."""
    text = path.read_text()
    found = [f"{path}: {text.count(chr(10))} lines"] if text.count("\n") > lines else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            documented = ast.get_docstring(node, clean=False) is not None
            first = body[1].lineno if documented and len(body) > 1 else node.lineno
            length = (node.end_lineno or 0) - first + 1
            if length > function_lines:
                found.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    return found


def test_the_size_checker_sees_a_long_file_and_a_long_function(tmp_path):
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    x = 1\n" * 70 + "y = 2\n" * 340)
    assert [entry.rpartition(":")[0] for entry in too_long(path)] == [str(path), f"{path}:1 f"]


def sources() -> list[Path]:
    folders = (*PACKAGES, "benchmarks", "scripts", "tests")
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def test_no_file_and_no_function_has_outgrown_a_head():
    long = [entry for path in sources() for entry in too_long(path)]
    long += [e for path in (ROOT / "jugfiles").glob("*.py") for e in too_long(path, 79)]
    assert long == []


def test_packages_are_typed_and_named_for_the_wheel():
    for package in PACKAGES:
        assert (ROOT / package / "py.typed").is_file(), package
        assert (ROOT / package / "__init__.py").is_file(), package


def test_built_in_stores_are_those_of_the_entry_points():
    from taskgraph.registry import BUILT_IN, STORES

    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options.entry_points"][STORES].strip().splitlines()
    assert dict(line.split(" = ") for line in lines) == BUILT_IN


def test_setup_cfg_is_the_only_place_of_metadata():
    import tomllib

    assert list(tomllib.loads((ROOT / "pyproject.toml").read_text())) == ["build-system"]
