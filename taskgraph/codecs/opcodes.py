"""What a plain pickle may consist of: ``check(stream)`` before anything reads it.

The stream of a plain payload flows in; either it is sound, or an error flows out. No object
is made here. Python's unpickler believes what a stream says: it makes room for a million
million bytes, or for as many memo entries, because four bytes ask for them. So every
length is compared with what is left of the stream first, opcodes that name memo places are
left out (our pickler numbers them by counting), and so is everything older than protocol 4
but what short streams written by hand need.

Runs of opcodes of fixed size are passed over by one regular expression, 20 to 40 ns each: a
list of a million floats takes half as long as its unpickling.

What this does not see: containers nested so that hashing them overflows the stack (see
``nesting``), or shared so that it takes for ever. Who can write frames can still waste a
reader's time (docs/security.md).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from taskgraph.codecs.wire import corrupt

_STOP = ord(".")
#: Opcodes without an argument, and with one of so many bytes. By name, as in pickletools:
#: NONE, NEWTRUE, NEWFALSE; EMPTY_TUPLE, _LIST, _DICT, _SET; MARK, POP, POP_MARK; TUPLE, TUPLE1-3,
#: FROZENSET; APPEND(S), SETITEM(S), ADDITEMS; MEMOIZE; STACK_GLOBAL, REDUCE, NEWOBJ(_EX), BUILD;
#: NEXT_BUFFER, READONLY_BUFFER.
_BARE = rb"[N\x88\x89)\]}\x8f(01t\x85\x86\x87\x91aesu\x90\x94\x93R\x81\x92b\x97\x98]"
#: PROTO, BININT1, BINGET, BINPUT; BININT2; BININT, LONG_BINGET; FRAME, BINFLOAT.
_FIXED = rb"[\x80Khq].|M.{2}|[Jj].{4}|[\x95G].{8}"
#: SHORT_BINUNICODE, SHORT_BINBYTES and LONG1 say their length in one byte.
_SHORT = rb"[\x8cC\x8a](?:%s)" % b"|".join(
    re.escape(bytes([size])) + b".{%d}" % size for size in range(256)
)
_GLOBAL = rb"c[^\n]*\n[^\n]*\n"
_ONE = re.compile(rb"(?s:%s|%s|%s|%s)" % (_BARE, _FIXED, _SHORT, _GLOBAL))
_RUN = re.compile(rb"%s*+" % _ONE.pattern)
#: TUPLE, TUPLE1-3, FROZENSET, REDUCE, NEWOBJ, NEWOBJ_EX: what they make may hold a tuple.
STEEP = b"t\x85\x86\x87\x91R\x81\x92"
_LEVEL = rb"[N\x88\x89)\]}\x8f(01aesu\x90\x94\x93b\x97\x98]"
_SIMPLE = rb"(?:[N\x88\x89]|K.|M.{2}|J.{4}|G.{8}|%s\x94?)" % _SHORT
#: BINUNICODE, BINBYTES, LONG4; BINUNICODE8, BINBYTES8, BYTEARRAY8: bytes of their lengths.
_COUNTED = {ord("X"): 4, ord("B"): 4, 0x8B: 4, 0x8D: 8, 0x8E: 8, 0x96: 8}


def check(stream: memoryview) -> None:
    """Look through a pickle without reading it.

    Raises
    ------
    ResultCorrupt
        If it holds an opcode that plain payloads have not, or a length beyond its end.
    """
    at, size = 0, len(stream)
    while True:
        run = _RUN.match(stream, at) if at < size else None
        at = at if run is None else run.end()
        if at >= size:
            raise corrupt("its pickle is cut", f"{size} bytes")
        code = stream[at]
        if code == _STOP:
            break
        width = _COUNTED.get(code)
        if width is None:
            raise corrupt("a plain payload holds what only full ones may", f"opcode {code:#04x}")
        at += 1 + width
        at += int.from_bytes(stream[at - width : at], "little")
    if at + 1 != size:
        raise corrupt("its pickle ends before its stream", f"{at + 1} of {size} bytes")


def starts(stream: bytes) -> Iterator[int]:
    """Yield the place of each opcode of a stream that has been checked, and of its end."""
    at = 0
    while at < len(stream):
        yield at
        match = _ONE.match(stream, at)
        at = _behind(stream, at) if match is None else match.end()
    yield at


def steep(stream: bytes, most: int) -> bool:
    """Tell whether more than ``most`` opcodes of a checked stream may put a tuple into a tuple.

    Those whose operands are numbers and short texts pushed just before are left out.
    """
    return all(_count(stream, run) > most for run in _level_runs())


@cache
def _level_runs() -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return what passes over all but STEEP opcodes, and what passes over flat tuples too."""
    level = rb"%s|%s|%s|%s" % (_LEVEL, _FIXED, _SHORT, _GLOBAL)
    one = {b"s": _SIMPLE}
    flat = rb"%(s)s(?:\x85|%(s)s(?:\x86|%(s)s\x87))|\(%(s)s*+t" % one
    return re.compile(rb"(?s:%s)*+" % level), re.compile(rb"(?s:%s|%s)*+" % (flat, level))


def _count(stream: bytes, runs: re.Pattern[bytes]) -> int:
    at = count = 0
    while at < len(stream):
        run = runs.match(stream, at)
        at = at if run is None else run.end()
        if at < len(stream):
            count += stream[at] in STEEP
            at = _behind(stream, at)
    return count


def _behind(stream: bytes, at: int) -> int:
    """Return the place behind a bare opcode, or one that says how long it is."""
    width = _COUNTED.get(stream[at], 0)
    return at + 1 + width + int.from_bytes(stream[at + 1 : at + 1 + width], "little")
