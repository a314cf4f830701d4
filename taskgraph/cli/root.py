"""The root of the command line: what is there before a command is named."""

from __future__ import annotations

import click

from taskgraph import __version__
from taskgraph.cli.group import Group


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`taskgraph COMMAND --help` tells more. JUGFILE is jugfile.py unless named; what "
    "stands behind -- goes to the jugfile.",
)
@click.version_option(__version__, "--version", message="taskgraph %(version)s")
def group() -> None:
    """Run the tasks of a jugfile, keep their results, recompute what changed."""
