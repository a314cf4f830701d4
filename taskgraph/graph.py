"""All tasks of a jugfile, in the order in which they were made, with edges both ways.

Tasks flow in through :meth:`Graph.record`; node numbers, edges as flat integer arrays
and closures flow out. A task can only depend on tasks made before it, so node numbers
are a topological order and there can be no cycle; every walk below is one loop.
Knows nothing of results, time or disks.

Memory is what a million tasks cost: two list slots, one dict entry, three bytes and
four an edge each, on top of the task itself. What workers look at for every node is in
flat arrays: touching a Python object writes its reference count, and so copies its page
in every forked worker.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate

from taskgraph.signature import CallShape
from taskgraph.task import PLAIN_TYPES, Task, made


class Graph:
    """Tasks, numbered as they come; a call made twice is one node.

    Parameters
    ----------
    lean : bool
        Take each task's arguments away once it is recorded, for commands that need only
        keys, names and edges: most of the memory of a task is its arguments.
    """

    def __init__(self, lean: bool = False) -> None:
        self.lean = lean
        self.tasks: list[Task] = []
        self.index: dict[bytes, int] = {}
        self.shapes: dict[CallShape, None] = {}  #: every form of call met, in order
        self.key_list: list[bytes] = []  #: keys in node order
        self.packed = b""  #: the keys side by side, as far as :meth:`pack` has seen them
        self.buckets = bytearray()  #: first byte of each node's key
        self.functions: dict[str, int] = {}  #: name -> number, in order of appearance
        self.kinds = array("I")  #: number of each node's function
        self._forms: tuple[list[CallShape], array[int]] = ([], array("I"))
        self._raw, self._raw_ends = bytearray(), array("q")  # plain arguments, if packed
        self._table = array("i")  # open addressing: node by the end of its key's first word
        self._shape: CallShape | None = None
        self._kind = 0
        self._edges = array("i")  # dependencies of all nodes, one node after the other
        self._ends = array("q")  # where the dependencies of each node end

    def __len__(self) -> int:
        return len(self.tasks)

    def record(self, task: Task, dependencies: Sequence[Task]) -> None:
        """Add a task; the tasks it depends on are added before it if they are not there."""
        index = self.index
        node = len(self.tasks)
        if index.setdefault(task.key, node) != node:
            return
        if dependencies:
            edges = self._places(dependencies)
            if edges is None:
                del index[task.key]
                self.adopt(dependencies)
                self.record(task, dependencies)
                return
            if len(edges) > 1 and len({*edges}) < len(edges):
                edges = list(dict.fromkeys(edges))
            self._edges.fromlist(edges)
        if task.shape is not self._shape:
            self._shape = shape = task.shape
            self.shapes[shape] = None
            self._kind = self.functions.setdefault(shape.name, len(self.functions))
        task.node = node
        if self.lean:
            del task.kept
        self.tasks.append(task)
        self.key_list.append(task.key)
        self.buckets.append(task.key[0])
        self.kinds.append(self._kind)
        self._ends.append(len(self._edges))

    def _places(self, tasks: Sequence[Task]) -> list[int] | None:
        """Return the nodes of tasks; ``None`` when one of them is not in the graph.

        A task knows its place, so that a fan-in costs no search of a table of millions; one
        that another graph recorded, or the twin of a recorded one, is sought by its key.
        """
        ours = self.tasks
        try:
            for task in tasks:  # no generator, no map: this runs for each edge of each graph
                if ours[task.node] is not task:
                    break
            else:
                return [task.node for task in tasks]
        except (AttributeError, IndexError):
            pass
        try:
            return [self.index[task.key] for task in tasks]
        except KeyError:
            return None

    def adopt(self, tasks: Iterable[Task]) -> None:
        """Add tasks made while nobody recorded, each after what it depends on."""
        stack = list(tasks)
        while stack:
            task = stack[-1]
            needs = [] if task.key in self.index else task.dependencies()
            missing = [need for need in needs if need.key not in self.index]
            if missing:
                stack.extend(missing)
            else:
                stack.pop()
                self.record(task, needs)

    def keys(self) -> list[bytes]:
        """Return the keys in node order."""
        return self.key_list

    def pack(self, values: bool = False) -> None:
        """Lay the keys side by side, before the first fork; and plain arguments, if asked.

        Done for many workers over a large graph: 1 us a task here spares each of them 200
        bytes of pages copied.
        """
        self.packed = b"".join(self.key_list)
        if values:
            self._forms, self._raw, self._raw_ends = _side_by_side(self.tasks, self.shapes)
            self._table = _table_of(self.packed)

    def task(self, node: int) -> Task:
        """Return a node's task, or one equal to it that is in nobody else's memory."""
        ends = self._raw_ends
        if node < len(ends):
            raw = self._raw[ends[node - 1] if node else 0 : ends[node]]
            if raw:
                return made(
                    self.key(node), self._forms[0][self._forms[1][node]], marshal.loads(raw)
                )
        return self.tasks[node]

    def key(self, node: int) -> bytes:
        """Return a node's key; once packed, without touching the object that holds it."""
        return self.packed[32 * node : 32 * node + 32] or self.key_list[node]

    def nodes_of(self, keys: Collection[bytes]) -> list[int]:
        """Return the nodes of those keys that are in the graph, in no certain order.

        Once packed with values they are sought in a table of numbers beside the packed keys:
        the index compares with key objects, and so copies the pages of a memory that is shared.
        """
        table, packed = self._table, self.packed
        if not table or len(packed) < 32 * len(self):
            index = self.index
            return [index[key] for key in keys if key in index]
        most, nodes = len(table) - 1, []
        for key, word in zip(keys, _words(b"".join(keys)), strict=True):
            place = word & most
            while (node := table[place]) >= 0:
                if packed[32 * node : 32 * node + 32] == key:
                    nodes.append(node)
                    break
                place = (place + 1) & most
        return nodes

    def node(self, task: Task) -> int:
        """Return the number of a task."""
        return self.index[task.key]

    def name(self, node: int) -> str:
        """Return the name of a node's function."""
        return self.tasks[node].shape.name

    def dependencies(self, node: int) -> array[int]:
        """Return the nodes that a node depends on directly, each once."""
        return self._edges[self._ends[node - 1] if node else 0 : self._ends[node]]

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return len(self._edges)

    def edges(self) -> tuple[array[int], array[int]]:
        """Return (ends, edges): node n depends on ``edges[ends[n-1]:ends[n]]``."""
        return self._ends, self._edges

    def dependents(self) -> tuple[array[int], array[int]]:
        """Return (ends, targets) of the reverse edges; counted, not searched."""
        count = len(self.tasks)
        ends = array("q", bytes(8 * count))
        if not self._edges:
            return ends, array("i")
        for source in self._edges:
            ends[source] += 1
        total = 0
        for node in range(count):
            total += ends[node]
            ends[node] = total - ends[node]  # for now: where the node's targets begin
        targets = array("i", bytes(4 * total))
        start = 0
        for node, end in enumerate(self._ends):
            for place in range(start, end):
                source = self._edges[place]
                targets[ends[source]] = node
                ends[source] += 1
            start = end
        return ends, targets

    def downstream(self, nodes: Iterable[int]) -> bytearray:
        """Return 1 for each given node and each node that depends on one of them."""
        reached = bytearray(len(self.tasks))
        lowest = len(self.tasks)
        for node in nodes:
            reached[node] = 1
            lowest = min(lowest, node)
        if lowest < len(self.tasks):
            self._spread(reached, lowest)
        return reached

    def _spread(self, reached: bytearray, lowest: int) -> None:
        """Carry the marks of ``reached`` along the edges, in one pass."""
        edges = self._edges
        start = self._ends[lowest - 1] if lowest else 0
        for node in range(lowest, len(self.tasks)):
            end = self._ends[node]
            if end != start and not reached[node]:
                for source in edges[start:end]:
                    if reached[source]:
                        reached[node] = 1
                        break
            start = end

    def upstream(self, nodes: Iterable[int]) -> bytearray:
        """Return 1 for each given node and each node that one of them depends on."""
        reached = bytearray(len(self.tasks))
        for node in nodes:
            reached[node] = 1
        for node in range(len(self.tasks) - 1, -1, -1):
            if reached[node]:
                for source in self.dependencies(node):
                    reached[source] = 1
        return reached

    def floors(
        self, tombstones: Mapping[bytes, int], hidden: Mapping[int, int] | None = None
    ) -> array[int] | None:
        """Return each node's floor: the greatest number over the node and its ancestors.

        ``hidden`` are floors of nodes by ancestors that are not in the graph (the inner
        tasks of a compound task). ``None`` means that all floors are 0.
        """
        floors: array[int] | None = None
        roots = [
            (self.index[key], number) for key, number in tombstones.items() if key in self.index
        ]
        roots += list((hidden or {}).items())
        if not roots:
            return None
        floors = array("q", bytes(8 * len(self.tasks)))
        for node, number in roots:
            floors[node] = max(floors[node], number)
        start = 0
        edges = self._edges
        for node, end in enumerate(self._ends):
            for place in range(start, end):
                above = floors[edges[place]]
                if above > floors[node]:
                    floors[node] = above
            start = end
        return floors


def _side_by_side(
    tasks: Sequence[Task], shapes: Iterable[CallShape]
) -> tuple[tuple[list[CallShape], array[int]], bytearray, array[int]]:
    """Return (shapes, number of each task's), marshalled arguments and where each one ends.

    Arguments that are not all plain are left out: they take no bytes.
    """
    order = list(shapes)
    number = {shape: place for place, shape in enumerate(order)}
    plain, dumps = PLAIN_TYPES.issuperset, marshal.dumps
    raw, ends = bytearray(), array("q")
    for start in range(0, len(tasks), 4096):  # in parts: every page dirtied here is in all workers
        some = [
            dumps(task.values) if plain(map(type, task.values)) else b""
            for task in tasks[start : start + 4096]
        ]
        ends.extend(list(accumulate(map(len, some), initial=len(raw)))[1:])
        raw += b"".join(some)
    numbers = array("I", (number[task.shape] for task in tasks))
    return (order, numbers), raw, ends


def _words(keys: bytes) -> array[int]:
    """Return the first eight bytes of each key as a number."""
    words = array("Q")
    words.frombytes(keys)
    return words[::4]


def _table_of(keys: bytes) -> array[int]:
    """Return a table that finds a key's node in about one step, -1 where there is none."""
    words = _words(keys)
    most = (1 << (2 * len(words)).bit_length()) - 1
    table = array("i", [-1]) * (most + 1)
    for node, word in enumerate(words):
        place = word & most
        while table[place] >= 0:
            place = (place + 1) & most
        table[place] = node
    return table
