"""``python -m taskgraph``: the command line."""

import sys

from taskgraph.cli import main

if __name__ == "__main__":
    sys.exit(main())
