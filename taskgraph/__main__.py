"""``python -m taskgraph``: the command line."""

import gc
import sys

if __name__ == "__main__":
    gc.disable()  # until the command is loaded: ``processes.keep_loaded``
    from taskgraph.cli import main

    sys.exit(main())
