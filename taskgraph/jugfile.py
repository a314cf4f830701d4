"""Reads a jugfile: its path flows in, a session whose graph is filled flows out.

The file is run as a module named after it, as Python would import it, with its own
folder and the current one on ``sys.path``. Reading ends at the end of the file or at a
barrier that is not met; the module stays in ``sys.modules`` either way, so that results
of its classes can be loaded.
"""

from __future__ import annotations

import gc
import hashlib
import linecache
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from taskgraph import codecs, hashing, processes, tenants
from taskgraph.digestcache import remembering
from taskgraph.errors import BarrierStop, JugfileError, TaskGraphError
from taskgraph.session import Session


def check_jugfile(path: Path) -> Path:
    """Return the path of a readable jugfile, else raise JugfileError."""
    if path.suffix != ".py" and not path.exists():
        longer = path.with_name(path.name + ".py") if path.name else path
        path = longer if longer.exists() else path
    if not path.is_file():
        raise JugfileError(
            f"There is no jugfile at {path}. Name one (`taskgraph COMMAND my_analysis.py`), or "
            "make one with `taskgraph init`."
        )
    return path


def read_jugfile(path: Path, session: Session, argv: Sequence[str] = ()) -> ModuleType:
    """Run the jugfile inside the session and return its module.

    ``session.stopped`` tells whether reading ended at a barrier.

    Raises
    ------
    JugfileError
        If it is missing, has a syntax error or raises; the message tells where.
    """
    path = check_jugfile(path)
    stem = path.stem
    source = path.read_bytes()
    module = ModuleType(stem)
    module.__file__ = str(path)
    hashing.set_main_stem(stem)
    codecs.set_main_stem(stem)
    for folder in (str(Path.cwd()), str(path.resolve().parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    sys.argv = [str(path), *argv]
    sys.modules[stem] = module
    linecache.checkcache(str(path))
    session.stopped = False
    try:
        code = compile(source, str(path), "exec", dont_inherit=True)
        with session, _notes(path, source, session), _no_collection():
            exec(code, module.__dict__)
    except BarrierStop:
        session.stopped = True
    except TaskGraphError as error:
        error.add_note(_where(error, path))
        raise
    except SystemExit as error:
        if error.code not in (None, 0):
            raise JugfileError(
                f"The jugfile must not end the program: {path} called sys.exit({error.code!r}). "
                "What it asked for on the command line comes after `--`."
            ) from error
    except Exception as error:
        raise JugfileError(
            f"{path} raised {type(error).__name__}: {error}{_place(error)}"
        ) from error
    return module


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector away while a graph grows.

    Tasks are no garbage, and looking through a million of them again and again takes
    longer than making them. A program that reads and reports keeps them out of its later
    collections too, until it reads again.
    """
    was = gc.isenabled()
    gc.disable()
    if processes.IS_PROGRAM:
        gc.unfreeze()
    try:
        yield
    finally:
        if processes.IS_PROGRAM:
            gc.freeze()
        if was:
            gc.enable()


@contextmanager
def _notes(path: Path, source: bytes, session: Session) -> Iterator[None]:
    """Use and keep what the store remembers of jugfiles and input files."""
    store, writes = session.store, session.writes
    for line in tenants.meet(store, path, hashlib.sha256(source).hexdigest(), writes=writes):
        session.say(line)
    with remembering(store, session.say, saves=writes) as cache:
        session.pause = cache.save
        try:
            yield
        finally:
            session.pause = lambda: None


def _place(error: Exception) -> str:
    """Return the line that an exception comes from: the last one that is a user's."""
    if isinstance(error, SyntaxError) and error.filename:
        return ""  # it names the line itself
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parent) + os.sep
    users = [
        frame
        for frame in frames
        if "site-packages" not in frame.filename and not frame.filename.startswith(("<", ours))
    ]
    return f" (at {users[-1].filename}:{users[-1].lineno})" if users else ""


def _where(error: BaseException, path: Path) -> str:
    """Return the line of the jugfile that an error comes from."""
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    if line is None:
        return f"while reading {path}"
    return f"at {path}:{line}: {linecache.getline(str(path), line).strip()}"
