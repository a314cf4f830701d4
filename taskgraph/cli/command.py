"""A command of ours: user arguments behind ``--``, and a word for those who come from jug.

Arguments flow in as typed. What stands behind the first ``--`` belongs to the jugfile
and is kept aside (``ctx.meta[ARGV]``) before click looks at the rest.
"""

from __future__ import annotations

from typing import Any

import click

from taskgraph.cli.catalogue import JUG_OPTIONS
from taskgraph.cli.trouble import note

#: Keys of ``ctx.meta``.
ARGV, VERBOSE = "taskgraph.argv", "taskgraph.verbose"

#: jug's ``--verbose`` takes one of these words.
_JUG_LEVELS = {"quiet": 0, "info": 1, "debug": 2}


class Command(click.Command):
    """A click command that reads jugfiles; its function returns the exit status or ``None``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Set the jugfile's arguments aside and parse the others."""
        if "--" in args:
            cut = args.index("--")
            args, ctx.meta[ARGV] = args[:cut], tuple(args[cut + 1 :])
        try:
            return super().parse_args(ctx, _jug_verbose(args))
        except click.NoSuchOption as error:
            remedy = JUG_OPTIONS.get(error.option_name)
            if remedy is None:
                raise
            raise click.UsageError(
                f"jug's {error.option_name} is not here: {remedy}", ctx
            ) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and end with its exit status."""
        code = super().invoke(ctx)
        ctx.exit(code or 0)


def _jug_verbose(args: list[str]) -> list[str]:
    """Turn jug's ``--verbose LEVEL`` into ours."""
    out: list[str] = []
    words = iter(args)
    for word in words:
        name, equals, level = word.partition("=")
        if name != "--verbose":
            out.append(word)
            continue
        following = level if equals else next(words, "")
        following = following.lower() if following.lower() in _JUG_LEVELS else following
        if following in _JUG_LEVELS:
            note(f"jug's `--verbose {following}` is -v here, which shows tracebacks and prints")
            out += ["-v"] * _JUG_LEVELS[following]
        else:
            out += [word] if equals else ["-v", *([following] if following else [])]
    return out
