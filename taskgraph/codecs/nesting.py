"""How deep a plain pickle nests what can be hashed: ``check_depth(stream)``.

The stream of a plain payload flows in, looked through by ``opcodes`` already; an error flows
out when tuples in it lie deeper in each other than any pickler of ours could have put them.
For hashing a tuple (a key of a dict, a member of a set) Python calls itself once a level
without counting: at about 200,000 levels the process ends by a signal.

What would be on the unpickler's stack is followed as numbers: the depth of each object. It
takes half a microsecond an opcode, so streams that don't have enough tuples of more than
numbers and short texts are let pass.

What this does not see: a tuple of twice the same tuple of twice the same tuple, whose
hashing takes for ever.
"""

from __future__ import annotations

from itertools import pairwise

from taskgraph.codecs.opcodes import STEEP, starts, steep
from taskgraph.codecs.wire import corrupt

#: Picklers end at about a thousand levels, stacks at a hundred thousand and more.
MOST = 20_000
_TO_MARK = {
    ord("t"): True,
    0x91: True,
    ord("e"): False,
    ord("u"): False,
    0x90: False,
    ord("1"): False,
}
#: How many objects an opcode takes, and whether one that holds them comes in their place.
_TAKES = {
    0x85: (1, True), 0x86: (2, True), 0x87: (3, True), ord("R"): (2, True), 0x81: (2, True),
    0x92: (3, True), 0x93: (2, True), ord("a"): (1, False), ord("s"): (2, False),
    ord("b"): (1, False), ord("0"): (1, False),
}  # fmt: skip
_NOTHING = frozenset((0x80, 0x95, 0x98))  # PROTO, FRAME, READONLY_BUFFER
_MARK, _MEMOIZE = ord("("), 0x94
_GET = {ord("h"): 1, ord("j"): 4}
_PUT = ord("q")


def check_depth(stream: memoryview) -> None:
    """Look how deep tuples lie in each other.

    Raises
    ------
    ResultCorrupt
        If that is deeper than :data:`MOST`, or the stream takes what is not there.
    """
    if len(stream) <= MOST:
        return
    data = bytes(stream)
    if sum(map(data.count, STEEP)) > MOST and steep(data, MOST):
        try:
            _Depths(data).follow()
        except LookupError as error:
            raise corrupt("its pickle makes no sense", repr(error)) from error


class _Depths:
    """The unpickler's stack, marks and memo, with depths for objects."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.stack: list[int] = []
        self.marks: list[int] = []
        self.memo: dict[int, int] = {}

    def follow(self) -> None:
        """Go through the stream."""
        data, stack = self.data, self.stack
        for at, after in pairwise(starts(data)):
            code = data[at]
            if code in _TAKES:
                count, makes = _TAKES[code]
                self.take(len(stack) - count, makes)
            elif code in _TO_MARK:
                self.take(self.marks.pop(), _TO_MARK[code])
            elif code == _MEMOIZE:
                self.memo[len(self.memo)] = stack[-1]
            elif code == _MARK:
                self.marks.append(len(stack))
            elif code in _GET:
                stack.append(self.memo[int.from_bytes(data[at + 1 : after], "little")])
            elif code == _PUT:
                self.memo[data[at + 1]] = stack[-1]
            elif code not in _NOTHING:
                stack.append(0)

    def take(self, begin: int, makes: bool) -> None:
        """Take what lies above a place from the stack; put what holds it there."""
        if begin < 0:
            raise LookupError("empty stack")
        held = self.stack[begin:]
        del self.stack[begin:]
        if makes:
            depth = 1 + max(held, default=0)
            if depth > MOST:
                raise corrupt("it nests tuples deeper than a pickler can", depth)
            self.stack.append(depth)
