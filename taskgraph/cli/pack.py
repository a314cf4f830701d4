"""``taskgraph pack``: merges a store's small files."""

from __future__ import annotations

import sys

import click

from taskgraph.cli.command import Command
from taskgraph.cli.options import json_option, jugfile_options
from taskgraph.cli.text import plural, write_json
from taskgraph.cli.where import Where
from taskgraph.units import format_size


@click.command("pack", cls=Command)
@jugfile_options()
@json_option
def command(where: Where, *, as_json: bool) -> None:
    """Merge a store's small files.

    Happens by itself where many have gathered; safe beside running workers. The jugfile is
    not read.
    """
    from taskgraph.ops.pack import pack

    packed = pack(where.open_store(), progress=_progress if sys.stderr.isatty() else None)
    if as_json:
        write_json(packed)
        return
    before, after = packed.before, packed.after
    size, results = format_size(after.bytes), plural(after.results, "result")
    if before.files or after.files:
        files = f"{plural(before.files, 'file')} ({format_size(before.bytes)})"
        click.echo(f"{files} became {after.files:,} ({size}) with {results}")
    else:  # a store on a server
        click.echo(f"{format_size(before.bytes)} became {size} with {results}")


def _progress(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    click.echo(f"\r{done:,} of {total:,} results{end}", nl=False, err=True)
