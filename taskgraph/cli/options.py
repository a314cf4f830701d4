"""The options that commands share: jugfile and store, selections, JSON.

Decorators for the functions of commands. A jugfile named on the command line decides
which configuration file counts, so it is looked at first (``is_eager``); what the file
says becomes click's ``default_map``, below the command line and the environment.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from taskgraph.cli.command import ARGV, VERBOSE
from taskgraph.cli.where import Where, split_words
from taskgraph.config import variable

JUGFILE = "taskgraph.jugfile"

Function = Callable[..., Any]


def setting(key: str) -> dict[str, Any]:
    """Return what an option needs to be set by the environment too."""
    return {"envvar": variable(key), "show_envvar": False}


def jugfile_options(tasks: str = "", *, hint: str = "") -> Callable[[Function], Function]:
    """Give a command its jugfile, store and so on: its first argument is a ``Where``.

    Parameters
    ----------
    tasks : str
        ``"TASK"`` or ``"TASK..."`` when words behind the jugfile name tasks; the
        command gets them as ``tasks``.
    hint : str
        Metavar of the words instead of ``TASK``.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(**params: Any) -> Any:
            ctx = click.get_current_context()
            words = params.pop("words")
            for inert in ("will_cite", "aggressive_unload"):
                params.pop(inert)
            where = Where(
                jugfile=ctx.meta[JUGFILE],
                store=_expanded(params.pop("store"), ctx.meta[JUGFILE]),
                argv=ctx.meta.get(ARGV, ()),
                jug_alias=params.pop("jug_alias"),
                verbose=ctx.meta.get(VERBOSE, 0),
                json=params.get("as_json", False),
            )
            if tasks:
                params["tasks"] = _tasks(words, tasks, ctx)
            return function(where, **params)

        return _decorated(call, _common(f"[JUGFILE] {hint or tasks}".strip(), bool(tasks)))

    return decorate


def _decorated(call: Function, options: Sequence[Callable[[Function], Function]]) -> Function:
    """Apply decorators so that their options are listed in this order."""
    for option in reversed(options):
        call = option(call)
    return call


def _common(metavar: str, tasks: bool) -> list[Callable[[Function], Function]]:
    def first(ctx: click.Context, param: click.Parameter, words: tuple[str, ...]) -> Any:
        return _settle(ctx, words, tasks)

    return [
        click.argument(
            "words", nargs=-1, metavar=metavar, is_eager=True, callback=first, type=click.Path()
        ),
        click.option(
            "--store", "--jugdir", "store", metavar="URL", **setting("store"),
            help="Where results are kept: a path or URL (default: JUGFILE's name with the "
            "ending .taskgraph, beside it).",
        ),
        click.option(
            "--jug-alias/--no-jug-alias", default=True, **setting("jug-alias"),
            help="Whether `import jug` in the jugfile means taskgraph (default: yes).",
        ),
        click.option(
            "--key-file", metavar="FILE", expose_value=False, callback=_use_key_file,
            **setting("key-file"),
            help="Sign results with the key in FILE, and load none that it has not signed.",
        ),
        click.option(
            "--no-pickle/--pickle", default=False, expose_value=False, callback=_forbid_pickle,
            **setting("no-pickle"),
            help="Store and load no result that needs pickle (default: allowed).",
        ),
        click.option("--will-cite", is_flag=True, hidden=True),
        click.option("--aggressive-unload", is_flag=True, hidden=True),
        verbose_option,
    ]  # fmt: skip


def _use_key_file(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is not None and not ctx.resilient_parsing:
        from taskgraph.codecs.signing import set_key_file

        set_key_file(value)
        ctx.call_on_close(lambda: set_key_file(None))


def _forbid_pickle(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not ctx.resilient_parsing:
        from taskgraph.codecs.trust import set_pickle

        set_pickle(not value)
        ctx.call_on_close(lambda: set_pickle(None))


def _keep_verbose(ctx: click.Context, param: click.Parameter, value: int) -> None:
    ctx.meta[VERBOSE] = value


verbose_option = click.option(
    "-v", "--verbose", count=True, expose_value=False, callback=_keep_verbose,
    **setting("verbose"), help="Show tracebacks, and what tasks print.",
)  # fmt: skip


def _settle(ctx: click.Context, words: tuple[str, ...], tasks: bool) -> tuple[str, ...]:
    """Find the jugfile and read the configuration that belongs to it; return other words."""
    if ctx.resilient_parsing:
        return words
    from taskgraph.cli.defaults import defaults

    named, rest = split_words(words) if tasks else (words[0] if words else None, words[1:])
    if rest and not tasks:
        raise click.UsageError(
            f"one JUGFILE is all that fits here, and what is meant for the jugfile comes after "
            f"--; got {' '.join(rest)!r} too",
            ctx,
        )
    named = named or os.environ.get(variable("jugfile"))
    folder = Path(named).parent if named else Path()
    ctx.default_map = defaults(folder, ctx.info_name or "")
    ctx.meta[JUGFILE] = Path(named or ctx.default_map.get("jugfile") or "jugfile.py")
    return rest


def _tasks(words: tuple[str, ...], wanted: str, ctx: click.Context) -> tuple[str, ...]:
    if wanted == "TASK" and len(words) != 1:
        raise click.UsageError(
            "one task is named here, by its hash or by its function's name when that has just "
            f"one; got {' '.join(words) or 'none'}",
            ctx,
        )
    return words


def _expanded(store: str | None, jugfile: Path) -> str | None:
    """Fill in what jug fills into its ``--jugdir``."""
    if not store or "%(" not in store:
        return store
    stem = str(jugfile).removesuffix(".py")
    date = datetime.now().astimezone().strftime("%Y-%m-%d")
    return store.replace("%(jugfile)s", stem).replace("%(date)s", date)


def selection_options(*, every: bool = True) -> Callable[[Function], Function]:
    """Give a command the options of a ``Selection``, handed over as ``selection``.

    Parameters
    ----------
    every : bool
        Whether failed, stale and old results can be asked for.
    """
    options = [
        click.option(
            "--name", "--target", "--invalid", "names", multiple=True, metavar="NAME",
            help="Functions by full name or its dotted end; with * and ? as wildcards.",
        ),
        click.option("--pattern", metavar="TEXT", help="Functions whose name has TEXT in it, or "
                     "fits /a regular expression/."),
        click.option("--where", "conditions", multiple=True, metavar="ARG=VALUE",
                     help="Tasks whose argument has this value; several must all agree."),
        click.option("--hash", "hashes", multiple=True, metavar="PREFIX",
                     help="Tasks by the beginning of their hash."),
    ]  # fmt: skip
    if every:
        options += [
            click.option("--failed", is_flag=True, help="Only tasks that failed."),
            click.option("--stale", is_flag=True, help="Only results of code that changed since."),
            click.option("--older-than", metavar="AGE",
                         help="Only results begun longer ago, such as 7d or 12h."),
        ]  # fmt: skip

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **params: Any) -> Any:
            return function(*args, selection=_selection(params), **params)

        return _decorated(call, options)

    return decorate


def _selection(params: dict[str, Any]) -> Any:
    from taskgraph.ops.select import Selection
    from taskgraph.units import parse_duration

    age = params.pop("older_than", None)
    return Selection(
        names=params.pop("names"),
        pattern=params.pop("pattern"),
        where=params.pop("conditions"),
        failed=params.pop("failed", False),
        stale=params.pop("stale", False),
        older_than=None if age is None else parse_duration(age),
        hashes=params.pop("hashes"),
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Write JSON.")
dry_run_option = click.option("-n", "--dry-run", is_flag=True, help="Show it, change nothing.")
