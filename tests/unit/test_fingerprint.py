"""What changes a function's fingerprint, and what does not."""

from __future__ import annotations

import ast
import importlib
import json
import linecache
import sys
import textwrap
import timeit

import pytest

from taskgraph.fingerprint import explain, fingerprint, parts, project_root
from taskgraph.fingerprint.syntax import dump

BASE = """
    import math
    import tools
    from tools import smooth
    SIGMA = 2.0
    SIZES = [1, 2]
    images = ["a.tif"]
    class TaskGenerator:
        def __init__(self, f): self.f = f
    def helper(x):
        return x + tools.OFFSET
    def recursive(n):
        return recursive(n - 1) if n else 0
    @TaskGenerator
    def segment(images, sigma=SIGMA):
        "Say what it does."
        return smooth(helper(images)) + SIZES[0] + math.pi
    def lazy(x):
        from deep.inner import polish
        import deep.inner
        return polish(x) + deep.inner.GRAIN
    def unrelated():
        return 1
"""
TOOLS = """
    OFFSET = 3
    SIGMA = 9
    def smooth(x):
        return x * SIGMA
    def unused(x):
        return x
"""
INNER = """
    from . import other
    GRAIN = 4
    def polish(x):
        return other.shine(x) + GRAIN
"""
FILES = {
    "study.py": BASE,
    "tools.py": TOOLS,
    "deep/__init__.py": "",
    "deep/inner.py": INNER,
    "deep/other.py": "def shine(x):\n    return x\n",
    "setup.cfg": "",
}


PINNED = (
    "Module(body=[AsyncFunctionDef(name='f';args=arguments(posonlyargs=[arg(arg='a';),];args="
    "[arg(arg='b';annotation=Name(id='int';);),];vararg=arg(arg='c';);kwonlyargs=[arg(arg='d'"
    ";),];kw_defaults=[Constant(value=NoneType None;),];kwarg=arg(arg='e';);defaults=[Constan"
    "t(value=int 1;),];);body=[Assign(targets=[Name(id='x';),];value=JoinedStr(values=[Format"
    "tedValue(value=Name(id='a';);conversion=114;format_spec=JoinedStr(values=[Constant(value"
    "=str '>';),FormattedValue(value=Name(id='b';);conversion=-1;),];);),Constant(value=str '"
    " ';),FormattedValue(value=Constant(value=int 1;);conversion=-1;),Constant(value=str 'tai"
    "l';),];);),Return(value=BinOp(left=ListComp(elt=Name(id='y';);generators=[comprehension("
    "target=Name(id='y';);iter=Name(id='c';);ifs=[Compare(left=NamedExpr(target=Name(id='z';)"
    ";value=Name(id='y';););ops=[IsNot(),];comparators=[Constant(value=Ellipsis;),];),];is_as"
    "ync=0;),];);op=Add();right=Subscript(value=Name(id='a';);slice=Tuple(elts=[Slice(lower=C"
    "onstant(value=int 1;);upper=Constant(value=int 2;);),Slice(step=Constant(value=int 3;);)"
    ",];);););),];returns=Name(id='str';);),];)"
)


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return a function that writes the files, edited, and reads study.py anew."""
    monkeypatch.syspath_prepend(str(tmp_path))
    names = ("study", "tools", "deep", "deep.inner", "deep.other")

    def load(name="study.py", old="", new=""):
        for path, text in FILES.items():
            text = textwrap.dedent(text)
            if path == name and old:
                assert old in text
                text = text.replace(old, new)
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(text)
        for module in names:
            sys.modules.pop(module, None)
        linecache.clearcache()
        importlib.invalidate_caches()
        monkeypatch.setattr(sys, "dont_write_bytecode", True)
        return importlib.import_module("study")

    yield load
    for module in names:
        sys.modules.pop(module, None)
    linecache.clearcache()


def test_the_parts_are_named_for_people(study, tmp_path):
    found = parts(study().segment, tmp_path)
    assert set(found) == {
        "segment",
        "default sigma",
        "constant SIGMA",
        "constant SIZES",
        "helper helper",
        "helper tools.smooth",
        "constant tools.OFFSET",
        "constant tools.SIGMA",
    }
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("study.py", "SIZES[0]", "SIZES[1]", "~ segment changed"),
        ("study.py", "SIGMA = 2.0", "SIGMA = 2.5", "~ constant SIGMA changed"),
        ("study.py", "[1, 2]", "[1, 3]", "~ constant SIZES changed"),
        ("study.py", "x + tools", "x - tools", "~ helper helper changed"),
        ("tools.py", "x * SIGMA", "x / SIGMA", "~ helper tools.smooth changed"),
        ("tools.py", "OFFSET = 3", "OFFSET = 4", "~ constant tools.OFFSET changed"),
        ("study.py", "smooth(helper(", "(helper(", "- helper tools.smooth is no longer used"),
        ("study.py", "+ math.pi", "+ unrelated()", "+ helper unrelated is used now"),
        ("study.py", "sigma=SIGMA", "sigma=float(SIGMA * 2)", "~ default sigma changed"),
    ],
)
def test_a_change_that_matters_is_seen_and_explained(study, tmp_path, name, old, new, line):
    module = study()
    before, code = parts(module.segment, tmp_path), fingerprint(module.segment, tmp_path)
    module = study(name, old, new)
    after = parts(module.segment, tmp_path)
    assert fingerprint(module.segment, tmp_path) != code
    assert line in explain(before, after)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("study.py", "Say what it does.", "Say it better."),
        ("study.py", "SIGMA = 2.0", "# a comment\n\n\nSIGMA = 2.0"),
        ("study.py", "return smooth(helper(images))", "return (smooth( helper(images) ) )"),
        ("study.py", "return 1", "return 2"),
        ("study.py", '["a.tif"]', '["a.tif", "b.tif"]'),
        ("study.py", "@TaskGenerator\n", ""),
        ("tools.py", "return x\n", "return -x\n"),
    ],
    ids=["docstring", "comment", "spaces", "other function", "shadowed", "decorator", "unused"],
)
def test_a_change_that_does_not_matter_is_not_seen(study, tmp_path, name, old, new):
    before = fingerprint(study().segment, tmp_path)
    assert before
    assert fingerprint(study(name, old, new).segment, tmp_path) == before


def test_imports_inside_a_function_are_followed_without_importing(study, tmp_path):
    module = study()
    before = parts(module.lazy, tmp_path)
    assert "deep.inner" not in sys.modules
    assert set(before) == {
        "lazy",
        "helper deep.inner.polish",
        "constant deep.inner.GRAIN",
        "helper deep.other.shine",
    }
    module = study()
    importlib.import_module("deep.inner")
    assert parts(module.lazy, tmp_path) == before
    module = study("deep/other.py", "return x", "return x + 1")
    assert explain(before, parts(module.lazy, tmp_path)) == ["~ helper deep.other.shine changed"]


def test_classes_are_followed_live_and_in_text(tmp_path, monkeypatch):
    """A class counts as a whole, with what its methods call."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "deepest").mkdir()
    (tmp_path / "deepest" / "__init__.py").write_text("from .low.model import Net\n")
    (tmp_path / "deepest" / "low").mkdir()
    (tmp_path / "deepest" / "low" / "__init__.py").write_text("from ..low.model import Net\n")
    (tmp_path / "deepest" / "low" / "model.py").write_text(
        "from ..base import BASE\nfrom .round import about\nclass Net:\n    size = BASE\n    go = about\n"
    )
    (tmp_path / "deepest" / "low" / "round.py").write_text("from .again import about\n")
    (tmp_path / "deepest" / "low" / "again.py").write_text("from .round import about\n")
    (tmp_path / "deepest" / "base.py").write_text("BASE: int = 3\n")
    (tmp_path / "nets.py").write_text(
        "import functools\nK = 2\nclass Own:\n    def go(self): return K\n"
        "class Outer:\n    class Inner: pass\nInner = Outer.Inner\n"
        "def wrap(f):\n    @functools.wraps(f)\n    def inner(): return f()\n    return inner\n"
        "@wrap\ndef train():\n    from deepest import Net\n    import deepest.nothing\n"
        "    return Own().go(), Net, Inner, deepest.nothing.x\n"
    )
    train = importlib.import_module("nets").train
    try:
        assert set(parts(train, tmp_path)) == {
            "train",
            "helper wrap",
            "class Own",
            "constant K",
            "class deepest.low.model.Net",
            "constant deepest.base.BASE",
        }
    finally:
        sys.modules.pop("nets")


def test_a_file_that_no_longer_parses_has_no_fingerprint(study, tmp_path):
    function = study().unrelated
    (tmp_path / "study.py").write_text("def unrelated(:\n")
    linecache.clearcache()
    assert fingerprint(function, tmp_path) == ""


def test_a_name_without_value_is_left_out(tmp_path):
    if tmp_path.name == "":
        late = 1

    def waits():
        return late

    assert set(parts(waits, tmp_path)) == {waits.__qualname__}


def test_a_recursive_function_is_one_part(study, tmp_path):
    assert set(parts(study().recursive, tmp_path)) == {"recursive"}


def test_installed_packages_are_not_followed(tmp_path):
    def uses(x):
        return textwrap.dedent(x) + pytest.__version__

    assert set(parts(uses, tmp_path)) == {uses.__qualname__}
    inside = tmp_path / "env" / "lib" / "site-packages"
    inside.mkdir(parents=True)
    (inside / "made.py").write_text("def made(): return 1\n")
    sys.path.insert(0, str(inside))
    try:
        made = importlib.import_module("made").made

        def calls():
            return made()

        assert set(parts(calls, tmp_path)) == {calls.__qualname__}
    finally:
        sys.path.remove(str(inside))
        sys.modules.pop("made")


def test_a_closure_counts_by_value(tmp_path):
    def make(number):
        def inner(x):
            return x + number

        return inner

    assert fingerprint(make(1), tmp_path) == fingerprint(make(1), tmp_path)
    assert fingerprint(make(1), tmp_path) != fingerprint(make(2), tmp_path)


@pytest.mark.parametrize("function", [len, lambda x: x, print, int], ids=str)
def test_what_has_no_code_of_its_own_has_no_fingerprint(function, tmp_path):
    assert fingerprint(function, tmp_path) == ""
    assert parts(function, tmp_path) == {}


def test_a_function_without_source_text_has_no_fingerprint(tmp_path):
    names = {}
    exec("def f(x):\n    return x\n", names)
    assert fingerprint(names["f"], tmp_path) == ""


def test_a_notebook_cell_has_one_and_so_have_its_helpers(tmp_path):
    names = {"__name__": "__main__"}
    for number, text in enumerate(
        ("def help(x):\n    return x\n", "def f(x):\n    return help(x)\n")
    ):
        file = f"<ipython-input-{number}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)
        exec(compile(text, file, "exec"), names)
    assert set(parts(names["f"], tmp_path)) == {"f", "helper help"}


def test_the_root_is_the_nearest_marked_folder(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    assert project_root(tmp_path / "a" / "b" / "x.py").is_relative_to(tmp_path) or not any(
        (place / ".git").exists() for place in tmp_path.parents
    )
    (tmp_path / "a" / "pyproject.toml").write_text("")
    assert project_root(folder / "y.py") == tmp_path / "a"
    (folder / ".git").mkdir()
    assert project_root(folder / "z.py") == folder


def test_the_dump_is_pinned():
    """Equal in every supported Python: this text was written by 3.11."""
    code = (
        "async def f(a, /, b: int = 1, *c, d=None, **e) -> str:\n"
        "    'doc'\n"
        "    x = f'{a!r:>{b}} {1}' 'tail'\n"
        "    return [y for y in c if (z := y) is not ...] + a[1:2, ::3]\n"
    )
    assert dump(ast.parse(code)) == PINNED


def test_the_dump_tells_near_collisions_apart():
    pieces = [
        "1",
        "1.0",
        "True",
        "'1'",
        "b'1'",
        "[[1],2]",
        "[[1,2]]",
        "(1,)",
        "{1}",
        "{**a}",
        "{a: b}",
    ]
    assert len({dump(ast.parse(piece)) for piece in pieces}) == len(pieces)


def test_a_very_long_expression_does_not_exhaust_the_stack():
    tree = ast.parse("x")
    for _ in range(5000):
        tree = ast.Expr(tree)
    assert dump(tree).count("Expr(") > 5000


def test_a_fingerprint_is_remembered(study, tmp_path):
    function = study().segment
    fingerprint(function, tmp_path)
    assert timeit.timeit(lambda: fingerprint(function, tmp_path), number=100) < 0.1
