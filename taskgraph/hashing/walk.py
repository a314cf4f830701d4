"""The walk over one value: bytes, dependencies and the private copy in one pass.

A :class:`Walk` flows through the encoders; each appends its bytes to ``out`` and returns
what the task keeps. It knows no type: types are found through :data:`ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from taskgraph.errors import HashError, TaskError

#: Deeper nesting is an error: it is a cycle nearly always, and Python's stack is finite.
MAX_DEPTH = 200


class Walk:
    """One pass over one value, or over all arguments of a task.

    Attributes
    ----------
    out : list of bytes
        The encoding so far, in pieces.
    deps : list
        Dependencies (tasks) met, in canonical order, as often as they were met.
    fragile : list of (object, bytes)
        Mutable leaves kept by reference and their digest, for :func:`verify`.
    wrapped : int
        How many values met stand for another one at run time (``NoHash``,
        ``__taskgraph_value__``): with none and no dependency, nothing needs substituting.
    indirect : bool
        A dependency was met that stands for others (a tasklet), not for itself.
    depth : int
        Levels of nesting above the value at hand.
    inside : int
        Above zero within an object that is compared with its pickled copy as a whole.
    """

    __slots__ = ("deps", "depth", "fragile", "indirect", "inside", "out", "wrapped")

    def __init__(self) -> None:
        self.out: list[bytes] = []
        self.deps: list[Any] = []
        self.fragile: list[tuple[Any, bytes]] = []
        self.wrapped = 0
        self.indirect = False
        self.depth = 0
        self.inside = 0

    def take(self, obj: Any) -> Any:
        """Append the encoding of a value and return the copy to keep."""
        return ENCODERS[type(obj)](obj, self)

    def apart(self, obj: Any) -> tuple[bytes, list[Any], Any]:
        """Return encoding, dependencies and copy of a value, for the caller to sort."""
        out, deps = self.out, self.deps
        part: list[bytes] = []
        found: list[Any] = []
        self.out, self.deps = part, found
        copy = ENCODERS[type(obj)](obj, self)
        self.out, self.deps = out, deps
        return b"".join(part), found, copy

    def fixed(self, obj: Any, parts: Iterable[Any]) -> list[Any]:
        """Encode the parts of something that can't be rebuilt with other parts.

        Returns
        -------
        list
            The copies of the parts.

        Raises
        ------
        TaskError
            A part holds a task, or a value that stands for another one.
        """
        deps, wrapped = len(self.deps), self.wrapped
        self.deeper(obj)
        copies = [ENCODERS[type(part)](part, self) for part in parts]
        self.depth -= 1
        if len(self.deps) != deps or self.wrapped != wrapped:
            raise TaskError(
                f"A task (or NoHash, CustomHash) can't stand inside a {type(obj).__qualname__}: "
                "its value could not be put in its place. Pass it as an argument of its own, or "
                "inside a list, tuple, dict, set, dataclass or namedtuple. "
                f"Got {shorten(obj)}."
            )
        return copies

    def deeper(self, obj: Any) -> None:
        """Go down one level; the caller comes up again by ``depth -= 1``."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_deep(obj)


#: Appends the encoding to ``walk.out`` and returns the copy to keep.
Encoder = Callable[[Any, Walk], Any]


class Encoders(dict[type, Encoder]):
    """Exact type -> encoder; a type met for the first time is looked up, then kept."""

    def __missing__(self, cls: type) -> Encoder:
        from taskgraph.hashing.finding import find_encoder

        encoder = self[cls] = find_encoder(cls)
        return encoder


ENCODERS = Encoders()

#: Exact type -> encoder of a whole list that holds nothing else; False when it does.
MANY: dict[type, Callable[[list[Any], Walk], bool]] = {}

#: Exact type -> digest of what may change, where it is cheaper than :func:`digest`.
FINGERPRINTS: dict[type, Callable[[Any], bytes]] = {}
#: Exact type -> function that raises when the object changed, in words of its own.
CHECKS: dict[type, Callable[[Any], None]] = {}


def frame(text: str | bytes) -> bytes:
    """Return a text with its length in front."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return b"%d:%b" % (len(raw), raw)


def kind(name: str) -> bytes:
    """Return the tag of a type that has no letter of its own."""
    return b"@" + frame(name)


def shorten(obj: Any) -> str:
    """Return a repr that fits into an error message."""
    import reprlib

    short = reprlib.Repr()
    short.maxother = short.maxstring = 80
    text = " ".join(short.repr(obj).split())
    return text if len(text) <= 160 else text[:157] + "..."


def too_deep(obj: Any) -> HashError:
    """Return the error for a value nested too deeply."""
    return HashError(
        f"A value may be nested at most {MAX_DEPTH} levels deep and may not contain itself. "
        "Flatten it, or give its class a __taskgraph_hash__ method. "
        f"Got a {type(obj).__qualname__} below that depth."
    )


def encode_bare(obj: Any) -> bytes:
    """Return the canonical bytes; errors do not name the place."""
    walk = Walk()
    ENCODERS[type(obj)](obj, walk)
    if walk.deps:
        raise TaskError(
            f"Only the result of a task can be encoded here: pass value(task). Got {shorten(obj)}."
        )
    return b"".join(walk.out)


def encode(obj: Any) -> bytes:
    """``raw = encode(obj)``: return the canonical bytes of a value without tasks.

    Raises
    ------
    HashError
        The value has no stable identity; the message names the place.
    TaskError
        The value holds a task.
    """
    try:
        return encode_bare(obj)
    except (HashError, TaskError, RecursionError) as error:
        from taskgraph.hashing.places import located

        raise located(error, "value", obj) from error


def digest(obj: Any) -> bytes:
    """``key = digest(obj)``: return the SHA-256 of the canonical bytes, 32 bytes."""
    return sha256(encode(obj)).digest()


def fingerprint(obj: Any) -> bytes:
    """Return the digest by which a change of a mutable leaf is noticed."""
    return FINGERPRINTS.get(type(obj), digest)(obj)


def verify(fragile: Iterable[tuple[Any, bytes]]) -> None:
    """Raise HashError when one of the mutable leaves changed since its walk.

    This notices changes before a task runs; it does not prevent them.
    """
    for obj, expected in fragile:
        if type(obj) in CHECKS:
            CHECKS[type(obj)](obj)
        elif fingerprint(obj) != expected:
            raise HashError(
                f"The {type(obj).__qualname__} was changed after it was given to a task: the "
                "task's key names the old content. Pass a copy (x.copy()) to the task, or "
                f"change it inside a task. Got {shorten(obj)}."
            )
