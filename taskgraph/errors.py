"""Every exception raised on purpose, under one base.

A message is *rule + remedy + the value got*; the class says what kind of trouble
it is, and :attr:`TaskGraphError.exit_code` what the command line makes of it.
"""

from __future__ import annotations


class TaskGraphError(Exception):
    """Base of all errors that taskgraph raises on purpose."""

    #: Exit status of a command that ends with this error (see docs/cli.md).
    exit_code = 4


class UsageError(TaskGraphError):
    """A command, an option or an argument can't mean anything: nothing was started."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration file or variable holds an unknown key or an unusable value."""


class UnknownTask(UsageError):
    """No task of the jugfile answers to the given name, pattern or key."""


class HashError(TaskGraphError, TypeError):
    """An argument has no stable identity."""


class TaskError(TaskGraphError, TypeError):
    """A task was made or used in a way that can't work."""


class NotReady(TaskGraphError):
    """A value was asked for that has not been computed yet."""


class BarrierStop(BaseException):
    """Reading of the jugfile stops at a barrier: control flow, not an error.

    A ``BaseException``, so that an ``except Exception`` in a jugfile can't swallow it.
    """


class ArgumentsNeeded(BaseException):
    """A jugfile looks at the arguments of a task where they were not kept: read it again.

    Control flow too, between the jugfile and the command that reads it.
    """


class JugfileError(TaskGraphError):
    """The jugfile is missing, can't be read or raised."""


class GraphOutdated(TaskError):
    """The graph no longer fits the store, and the jugfile must be read anew."""

    exit_code = 3


class TaskFailed(TaskGraphError):
    """A task raised, died or ran out of time; its dependents are blocked."""

    exit_code = 1


class StoreError(TaskGraphError):
    """The store can't be used."""


class StoreUnreachable(StoreError):
    """The store does not answer, or may not be read or written."""


class StoreForeign(StoreError):
    """The place holds something that is not a store of ours."""


class StoreTooNew(StoreError):
    """The store was written by a newer taskgraph."""


class StoreFull(StoreError):
    """The store has no room left."""


class ResultTooLarge(StoreError):
    """A result is larger than its store takes in.

    Parameters
    ----------
    size, largest : int
        Bytes of the result, and of the largest that is taken.
    url : str
        The store's.
    """

    def __init__(self, size: int, largest: int, url: str) -> None:
        super().__init__(
            f"A store on a server keeps results in its memory, and takes none above "
            f"{largest:,} bytes (largest= in its URL). Keep large ones in files: a mixed store, "
            f"redis+file://...&files=/a/shared/folder. Got {size:,} bytes for {url}."
        )


class ResultCorrupt(StoreError):
    """The bytes of a result are damaged; it has to be computed again."""


class CodecError(TaskGraphError):
    """A result can't be turned into bytes, or bytes into a result."""
