"""Where the program ``taskgraph`` starts, and asks whether the core that Python finds is ours.

The package index has another project of the import name ``taskgraph``. Where it comes
first on ``sys.path``, no line of our core runs, so whoever needs the core asks here, in a
package whose name is ours alone. Nothing is loaded but what finds a package.
"""

from __future__ import annotations

import gc
import sys
from importlib.util import find_spec
from pathlib import Path

#: Both packages are installed into one folder.
_OURS = Path(__file__).parents[1] / "taskgraph"


def check_core() -> None:
    """Refuse a ``taskgraph`` that does not lie beside this package, before it is loaded.

    Raises
    ------
    ImportError
        With what to do, and where the one that was found lies.
    """
    spec = find_spec("taskgraph")
    origin = spec.origin if spec else None
    if origin and Path(origin).parent.resolve() == _OURS.resolve():
        return
    places = list(spec.submodule_search_locations or ()) if spec else []
    found = origin or ", ".join(places) or "none"
    raise ImportError(
        "The import name `taskgraph` must belong to bioimage-taskgraph, and Python must find it "
        f"in {_OURS}: `pip uninstall taskgraph` where that is another project's, take what "
        "shadows it from PYTHONPATH and the current folder, or make a fresh virtual environment; "
        f"it found {found}.",
        name="taskgraph",
        path=origin,
    )


def main() -> int:
    """Run the command line of ``sys.argv``; return its exit status."""
    try:
        check_core()
    except ImportError as error:
        sys.stderr.write(f"taskgraph: error: {error}\n")
        return 4
    gc.disable()  # until the command is loaded: ``processes.keep_loaded``
    from taskgraph import cli

    return cli.main()
