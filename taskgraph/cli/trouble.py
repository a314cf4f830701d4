"""What a command says and returns when something goes wrong.

An exception flows in; lines for a person go to standard error, an exit status flows out.
An exception that nobody planned never ends with 1, which means "some task failed".
"""

from __future__ import annotations

import errno
import os
import sys
import traceback

import click

from taskgraph.errors import TaskGraphError

INTERRUPTED, BROKEN_PIPE, UNEXPECTED = 130, 141, 4

#: Standard output goes to a file that can't grow.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Declined(Exception):
    """The person at the terminal answered no."""


def say(text: str) -> None:
    """Write a line to standard error."""
    click.echo(text, err=True)


def note(text: str) -> None:
    """Write a remark to standard error."""
    say(f"taskgraph: {text}")


def report(error: BaseException, verbose: int) -> int:
    """Say what went wrong and return the exit status.

    Parameters
    ----------
    error : BaseException
        What the command ended with.
    verbose : int
        1 and more: with traceback.
    """
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, Declined):
        say(f"taskgraph: {error}")
        return INTERRUPTED
    if isinstance(error, KeyboardInterrupt | EOFError | click.Abort):
        say("taskgraph: interrupted")
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _close_stdout()
        return BROKEN_PIPE
    if isinstance(error, click.ClickException):
        say(f"taskgraph: error: {error.format_message()}{_help_of(error)}")
        return error.exit_code if isinstance(error, click.UsageError) else UNEXPECTED
    if isinstance(error, TaskGraphError):
        return _planned(error, verbose)
    if isinstance(error, OSError) and error.errno in _NO_ROOM and not verbose:
        _close_stdout()
        say(f"taskgraph: error: what was asked for can't be written: {error.strerror}")
        return UNEXPECTED
    traceback.print_exception(error)
    say(f"taskgraph: error: this was not foreseen: {type(error).__name__}: {error}")
    return UNEXPECTED


def _planned(error: TaskGraphError, verbose: int) -> int:
    if verbose:
        traceback.print_exception(error)
    say(f"taskgraph: error: {error}")
    for remark in getattr(error, "__notes__", ()):
        say(f"  {remark}")
    if not verbose and isinstance(error.__cause__, Exception):
        say("  (-v shows the traceback)")
    return error.exit_code


def _help_of(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f" (see `{context.command_path} --help`)" if context is not None else ""


def _close_stdout() -> None:
    """Let nothing be written to a closed pipe when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
